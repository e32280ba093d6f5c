"""Redact a trainer's messages: identifying words are replaced, the sentence stays readable.

A path becomes its last part and a home folder ``~``, a GPU's UUID its hash; an address and the names of this machine
and its user are withheld. Applied before a line is written, so that everything stored is anonymous. It goes by the
form of words: it does not recognise another person's name, nor a secret.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from bench.system.env_snapshot import VERSION, without_uuids
from bench.system.hashing import hashed
from bench.system.identity import WITHHELD, Identity

# Every pattern is read in one pass: a word of a trainer may have a million characters.
_END = r"\s=,:;\"'`|&<>()\[\]{}"
_ROOT = "/(?:home|Users|root|mnt|scratch|tmp|usr|opt|var)/"
_QUOTED_PATH = re.compile(r"(['\"])((?:~[\w.-]*)?/[^'\"\n]*)\1")
_PATH = re.compile(
    rf"""(?: ~[\w.-]*                                       # a home
       | (?<![\w.~])                                       # at the beginning of a word
       | (?<=\s-[A-Za-z])|(?<=^-[A-Za-z])                  # behind an option, as in -I/usr
       | (?:\.\.?(?:/\.\.?){{0,20}})?(?={_ROOT})             # wherever it is
       )/[^{_END}]+""",
    re.VERBOSE,
)
_HOME = re.compile(r"(?:.*/)?(?:home|Users)(?:/[^/]+)?|/root|~[\w.-]*")
_HOME_OF_SOMEBODY = re.compile(r"(?<!\w)~[A-Za-z_][\w.-]*")
_URL_OR_MAIL = re.compile(
    r"(?<![\w.+-])(?:[A-Za-z][\w+.-]{0,20}://[^\s\"'<>()\[\]{}]+|[\w.+-]{1,64}@(?!sha256:)[\w-]+(?:\.[\w-]+)*)"
)
#: A word such as ``GPU-accelerated`` has the beginning of a UUID and is none.
_CARD = re.compile(
    r"\b(?:GPU|MIG)-(?:[0-9a-f]{8}-[0-9a-z-]{1,64}|(?=[a-f]{0,15}\d)[0-9a-f]{4,})(?![\w-])"
    r"|(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)|\bip(?:-\d{1,3}){4}\b")
#: What stands before four numbers with dots that are a version, such as ``cuDNN 9.1.0.70``.
_HAS_VERSIONS = re.compile(
    r"(version|release|driver|cu[a-z]{2,8}|nccl|nvidia|nvcc|tensorrt|tensorflow|torch|jax|jaxlib|keras|numpy|python|xla)"
    r"[\w-]{0,12}[\s=:\"'(v-]{0,4}$",
    re.IGNORECASE,
)
#: IPv6 or a network card's own address; a time such as 12:30:45 has too few parts, a name of C++ no digit.
_COLONS = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:%\w+)?(?![\w:])", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_HOST_AND_PORT = re.compile(
    r"(?<![\w./-])(?:localhost:\d{2,5}|(?=[A-Za-z_]*[\d.-])[A-Za-z][\w.-]*:\d{4,5})(?!\w)", re.IGNORECASE
)
#: A line of a source file and the beginning of a hash look like a host's port.
_NO_HOST = re.compile(
    r"\.(py|cc|cpp|c|h|hpp|cu|cuh|inc|rs|go|js|jl|java|so|log|json)$|^(sha|md|fp|bf|tf|int)\d+$", re.IGNORECASE
)
_DOMAIN = re.compile(
    r"""(?<![\w.-])(?!(?:tf|np|io|torch|jax)\.(?:io|dev)\b)
        (?: (?:[\w-]+\.)+(?:com|org|net|edu|gov|io|dev|ai|cloud|local|localdomain|internal|lan|home|corp|cluster)
          | (?:[\w-]+\.){2,}(?:uk|de|ch|fr|nl|eu|jp|cn|kr|ca|se) )(?![\w-]|\.\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: No event of the protocol goes deeper than three; what does is not worth following.
_DEEPEST = 20


def redact(text: str, identity: Identity) -> str:
    """Return ``text`` with every identifying word replaced."""
    if _SHA256.fullmatch(text):
        return text
    text = _URL_OR_MAIL.sub(WITHHELD, text)
    text = identity.without_homes(text)
    text = _QUOTED_PATH.sub(lambda match: f"{match[1]}{_last_part(match[2])}{match[1]}", text)
    text = _PATH.sub(lambda match: _last_part(match[0]), text)
    text = _HOME_OF_SOMEBODY.sub("~", text)
    text = _CARD.sub(_card_hashed, text)
    text = _IPV4.sub(_ipv4_withheld, text)
    text = _COLONS.sub(_colons_withheld, text)
    text = _HOST_AND_PORT.sub(lambda match: match[0] if _NO_HOST.search(match[0].partition(":")[0]) else WITHHELD, text)
    return identity.withheld_in(_DOMAIN.sub(WITHHELD, text))


def redact_event(body: dict[str, Any], identity: Identity) -> dict[str, Any]:
    """Return a trainer's event, as JSON, with every text redacted, keys included."""
    return {redact(name, identity): _redact_value(name, value, identity, 1) for name, value in body.items()}


def _redact_value(name: str, value: Any, identity: Identity, depth: int) -> Any:
    if isinstance(value, str):
        if name.endswith("version") and VERSION.fullmatch(value):
            return value
        return redact(without_uuids(value) if name == "uuid" else value, identity)
    if not isinstance(value, (dict, list)):
        return value
    if depth > _DEEPEST:
        return WITHHELD
    if isinstance(value, list):
        return [_redact_value(name, each, identity, depth + 1) for each in value]
    return {redact(key, identity): _redact_value(key, each, identity, depth + 1) for key, each in value.items()}


def _last_part(path: str) -> str:
    path = path.rstrip("/")
    return "~" if _HOME.fullmatch(path) else path.rpartition("/")[2]


def _card_hashed(match: re.Match[str]) -> str:
    hashed_before = re.fullmatch(r"(GPU|MIG)-[0-9a-f]{16}", match[0])
    if hashed_before:
        return match[0]
    return without_uuids(match[0]) if match[0][:3].upper() in ("GPU", "MIG") else hashed(match[0])


def _ipv4_withheld(match: re.Match[str]) -> str:
    if match[0].startswith("ip"):
        return WITHHELD
    before = match.string[max(0, match.start() - 40) : match.start()]
    is_address = all(int(part) < 256 for part in match[0].split(".")) and not _HAS_VERSIONS.search(before)
    return WITHHELD if is_address else match[0]


def _colons_withheld(match: re.Match[str]) -> str:
    word = match[0].partition("%")[0]
    if _MAC.fullmatch(word):
        return WITHHELD
    try:
        ipaddress.IPv6Address(word)
    except ValueError:
        return match[0]
    return WITHHELD if any(each.isdecimal() for each in word) else match[0]
