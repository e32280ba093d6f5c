"""Check the claims of an entry: author, e-mail address, hardware, price, code address.

The claims are variables of ``make bench``; None is one that was not given. They are also checked before a campaign, so
that a wrong e-mail address does not cost an hour on a rented machine.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bench.dawnbench import reviewed
from bench.errors import UsageError
from bench.record.claims import is_price

_EMAIL = re.compile(r"[^\s@,]+@[^\s@,]+")
#: Line ends, escape codes, and surrogates of bytes that are not UTF-8.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_EXAMPLES = {
    "AUTHOR": "AUTHOR='Ada Lovelace'",
    "EMAIL": "EMAIL=ada@example.org",
    "HARDWARE": "HARDWARE='1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)'",
    "COST_PER_HOUR": "COST_PER_HOUR=3.06",
    "CODE_URL": "CODE_URL=https://github.com/owner/name/tree/COMMIT",
}
#: How hosts address a repository's files at a commit.
_AT_COMMIT = {"github.com": "/tree/", "gitlab.com": "/-/tree/"}


def check(
    *,
    author: str | None = None,
    email: str | None = None,
    hardware: str | None = None,
    cost_per_hour: float | None = None,
    code_url: str | None = None,
) -> None:
    """Raise UsageError, naming the variable, for the first invalid claim; None is one that was not given.

    ``cost_per_hour`` is in US dollars for the whole configuration, on demand.
    """
    _text("AUTHOR", author)
    _text("EMAIL", email)
    if email is not None and not is_email(email):
        raise _wrong("EMAIL", email, "is not an e-mail address (separate several with commas)")
    _text("HARDWARE", hardware)
    if hardware is not None and not reviewed.names_device(hardware):
        raise _wrong("HARDWARE", hardware, "does not say how many of what device, or which machine type")
    if cost_per_hour is not None and not is_price(cost_per_hour):
        raise UsageError(
            f"COST_PER_HOUR={cost_per_hour!r:.80} is not a price in US dollars above 0",
            f"type, for example, {_EXAMPLES['COST_PER_HOUR']}, or leave it out for your own machine",
        )
    if code_url is not None and not is_web_address(code_url):
        raise _wrong("CODE_URL", code_url, "is not an http or https address")


def missing(*, author: str | None = None, email: str | None = None, hardware: str | None = None) -> tuple[str, ...]:
    """Return the required variables that were not given, each with an example value."""
    given = {"AUTHOR": author, "EMAIL": email, "HARDWARE": hardware}
    return tuple(_EXAMPLES[variable] for variable, value in given.items() if value is None)


def _text(variable: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, str) and value.strip():
        if _UNFIT.search(value):
            raise _wrong(variable, value, "has a character that cannot be printed")
        return
    raise _wrong(variable, value, "is empty" if isinstance(value, str) else "is not text")


def _wrong(variable: str, value: object, why: str) -> UsageError:
    return UsageError(f"{variable}={value!r:.80} {why}", f"type, for example, {_EXAMPLES[variable]}")


def is_email(value: object) -> bool:
    """Return whether a text is one or several e-mail addresses, with commas between."""
    return isinstance(value, str) and all(_EMAIL.fullmatch(part.strip()) for part in value.split(","))


def is_web_address(value: object) -> bool:
    """Return whether a text is an http or https address with a host and without white space."""
    if not isinstance(value, str) or re.search(r"\s", value):
        return False
    try:
        address = urlsplit(value)
        return address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        return False


def pinned(code_url: str, commit: str | None) -> str:
    """Return the address at ``commit`` if it is a repository on a known host; else unchanged.

    Reviewers required a link to the code as it ran (dawn-bench-entries, issue 16).
    """
    address = urlsplit(code_url)
    path = address.path.rstrip("/").removesuffix(".git")
    infix = _AT_COMMIT.get(address.netloc)
    if commit is None or infix is None or path.count("/") != 2 or address.query or address.fragment:
        return code_url
    return f"{address.scheme}://{address.netloc}{path}{infix}{commit}"
