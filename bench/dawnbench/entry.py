"""A DAWNBench training entry: from the plain numbers of one run to the JSON and TSV texts, and onto the disk.

An ``Entry`` that exists keeps every rule of the level ``full`` but that on its day, which is the caller's; what breaks
one raises when it is made. The form and the rules are facts of stanford-futuredata/dawn-bench-entries (README, tests
and reviews, commit fb27b827).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from bench.dawnbench import claims, details, reviewed
from bench.dawnbench.details import Facts
from bench.dawnbench.pair import COLUMNS, MAX_BYTES, TARGET_PERCENT, TEST_IMAGES, VERSION
from bench.errors import DataError, EnvironmentProblem, Refused, UsageError
from bench.system.files import make_folder, replace_file

SECONDS_PER_HOUR = 3600
#: 0.36 microseconds. The board's fast entries have 8 decimals; epochs have become a hundred times shorter since.
HOUR_DECIMALS = 10
#: A century: beyond it a float no longer holds the last decimal.
MAX_HOURS = 1e6
#: Four of these and an extension stay under the 255 bytes of a file name.
MAX_SLUG_CHARACTERS = 48


@dataclass(frozen=True)
class Row:
    """An evaluation: epochs done, hours on the clock since its start, accuracy in whole hundredths of a percent."""

    epoch: float
    hours: float
    accuracy_percent: Decimal

    def text(self) -> tuple[str, str, str]:
        """The cells as they are written. Raises DataError for numbers that cannot be those of an evaluation."""
        epoch, hours, accuracy = float(self.epoch), float(self.hours), self.accuracy_percent
        if not (math.isfinite(epoch) and epoch >= 0):
            raise DataError(f"the run has an epoch {epoch}, so its record is damaged.")
        if not 0 < hours < MAX_HOURS:  # NaN as well
            raise DataError(f"the clock of the run shows {hours} hours at epoch {epoch:g}, so its record is damaged.")
        if not (accuracy.is_finite() and 0 <= accuracy <= 100) or accuracy != accuracy.quantize(Decimal("0.01")):
            raise DataError(f"the run has an accuracy of {accuracy} % at epoch {epoch:g}, so its record is damaged.")
        whole = epoch.is_integer() and epoch < 2**53
        return str(int(epoch)) if whole else repr(epoch), f"{hours:.{HOUR_DECIMALS}f}", f"{abs(accuracy):.2f}"


@dataclass(frozen=True)
class Entry:
    """One run as the board would show it; ``timestamp`` is the day of writing, ``cost_per_hour`` US dollars on demand.

    ``cost_per_hour`` and ``code_url`` are None where there is none. Raises UsageError for a claim that cannot be,
    DataError for rows or facts that cannot be a run's, Refused for a run that never reached 94 %.
    """

    author: str
    author_email: str
    framework: str
    model: str
    hardware: str
    timestamp: date
    rows: tuple[Row, ...]
    cost_per_hour: float | None = None
    code_url: str | None = None
    misc: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        claims.check(
            author=self.author,
            email=self.author_email,
            hardware=self.hardware,
            cost_per_hour=self.cost_per_hour,
            code_url=self.code_url,
        )
        for name in ("framework", "model"):
            if not getattr(self, name).strip():
                raise DataError(f"the run does not say its {name}, so it makes no DAWNBench entry.")
        if not reviewed.names_version(self.framework):
            raise DataError(
                f"the run's framework is {self.framework!r:.80}, without a version, so it makes no DAWNBench entry",
                "a trainer says both in its hello",
            )
        named = self.code_url is None or reviewed.names_commit(self.code_url)
        if not named and not reviewed.is_commit(self.misc.get("commitHash")):
            raise UsageError(
                f"CODE_URL={self.code_url!r:.80} names no commit, and the runs know of none",
                "type, for example, CODE_URL=https://github.com/owner/name/tree/COMMIT",
            )
        priced = self.cost_per_hour is not None
        if not reviewed.has_content(self.misc) or (
            priced and not reviewed.names_price_source(self.hardware, self.misc)
        ):
            raise DataError("the entry says nothing of its recipe, or not where its price is from.")
        _check_rows(self.rows)
        for text, extension in ((to_json(self), "json"), (to_tsv(self), "tsv")):
            if len(text) > MAX_BYTES:
                raise DataError(
                    f"the entry's .{extension} would have {len(text)} bytes, and no reader expects over {MAX_BYTES}."
                )

    @property
    def stem(self) -> str:
        """The name of both files, without extension; the framework without its version, as on the board."""
        framework = re.sub(r"(?<!\s)\s+v?[0-9].*", "", self.framework, flags=re.DOTALL)
        return stem(self.author, self.model, self.hardware, framework)


def _check_rows(rows: tuple[Row, ...]) -> None:
    texts = [row.text() for row in rows]
    for before, after in pairwise(texts):
        for name, low, high in zip(COLUMNS[:2], before, after, strict=False):
            # As written: what differs by less than the last decimal is the same to a reader.
            if not float(low) < float(high):
                raise DataError(f"the run's {name} go from {low} to {high}, so its record is damaged.")
    if not any(row.accuracy_percent >= TARGET_PERCENT for row in rows):
        raise Refused(
            f"the run never reached {TARGET_PERCENT} %, and a DAWNBench entry is a time to {TARGET_PERCENT} %."
        )


def to_json(entry: Entry) -> str:
    """The text of the JSON file, in ASCII: the board's own tests read it in whatever encoding their machine has."""
    optional = {"codeURL": entry.code_url, "costPerHour": entry.cost_per_hour}
    try:
        misc = json.loads(
            json.dumps(dict(entry.misc), allow_nan=False)
        )  # plain: no key twice, no number or tuple as a key
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"a fact of the run cannot be written as JSON ({error}), so it makes no DAWNBench entry."
        ) from None
    body = {
        "version": VERSION,
        "author": entry.author,
        "authorEmail": entry.author_email,
        "framework": entry.framework,
        "model": entry.model,
        "hardware": entry.hardware,
        "timestamp": date.isoformat(entry.timestamp),  # of a datetime, too, the day alone
        **{name: value for name, value in optional.items() if value is not None},
        "misc": misc,
    }
    return json.dumps(body, indent=2, allow_nan=False) + "\n"


def to_tsv(entry: Entry) -> str:
    """The text of the TSV file: a header and one line a row, cumulative hours to ten decimals, percent to two."""
    lines = [COLUMNS, *(row.text() for row in entry.rows)]
    return "".join("\t".join(cells) + "\n" for cells in lines)


def stem(author: str, model: str, hardware_tag: str, framework: str) -> str:
    """A file name of four parts of ``[A-Za-z0-9.+-]`` joined by underscores.

    Accents go, other characters become hyphens, and a part of which nothing is left is called what it is.
    """
    parts = {"author": author, "model": model, "hardware": hardware_tag, "framework": framework}
    return "_".join(_slug(text) or name for name, text in parts.items())


def _slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9.+]+", "-", ascii_text).strip("-.")[:MAX_SLUG_CHARACTERS].rstrip("-.")


def write(entry: Entry, folder: Path) -> Path:
    """Put ``<stem>.json`` and ``<stem>.tsv`` in a folder, made where it is not there, and return the path of the JSON.

    The same entry's older pair is replaced, each file atomically, the JSON last: a TSV alone is not an entry. Raises
    EnvironmentProblem if writing fails.
    """
    json_path, tsv_path = (folder / f"{entry.stem}.{extension}" for extension in ("json", "tsv"))
    try:
        make_folder(folder, exist_ok=True)
    except OSError as error:
        advice = "name a folder you can write to with OUT=/path"
        raise EnvironmentProblem(f"cannot make the folder {folder} ({error.strerror})", advice) from None
    replace_file(tsv_path, to_tsv(entry))
    replace_file(json_path, to_json(entry))
    return json_path


def choose(times_by_seed: Mapping[int, float]) -> int | None:
    """Return the seed of the median successful run, of an even count the slower middle one; None without success.

    Times to the target in seconds; a miss is infinite and counts as no success, whatever the recipe's own target was.
    """
    successes = sorted((seconds, seed) for seed, seconds in times_by_seed.items() if math.isfinite(seconds))
    return successes[len(successes) // 2][1] if successes else None


def selection(times_by_seed: Mapping[int, float], plan: Collection[int] = ()) -> str:
    """Return the rule of ``choose`` with its counts, in words for ``misc``; ``plan`` are the planned seeds."""
    reached = sum(math.isfinite(seconds) for seconds in times_by_seed.values())
    rule = "of an even count the slower of the two middle ones"
    planned = len({*plan, *times_by_seed})
    lacking = planned - len(times_by_seed)
    runs = f"{planned} planned runs ({lacking} without a result)" if lacking else f"{planned} runs"
    return f"median time of the {reached} that reached the target of {runs}, {rule}"


def accuracy(correct: int, total: int) -> Decimal:
    """Return the percentage of ``correct`` in ``total``, rounded down to hundredths.

    Rounded down, so that it is 94 or more exactly if 100 x correct >= 94 x total.
    """
    if not 0 <= correct <= total or total < 1:
        raise DataError(f"the run has {correct} of {total} test images correct, so its record is damaged.")
    return Decimal(10_000 * correct // total).scaleb(-2)


def from_record(
    evaluations: Iterable[tuple[float, float, int, int]],
    facts: Facts,
    written: date,
    *,
    author: str | None,
    email: str | None,
    hardware: str | None,
    cost_per_hour: float | None = None,
    code_url: str | None = None,
    allow_unverified_data: bool = False,
) -> Entry:
    """Return the entry of a run from its evaluations: epoch, seconds on the clock of ``facts``, correct, total.

    ``written`` is today in UTC, the day of submission. Raises Refused for data that is
    not CIFAR-10 or not known to be, and for part of its test images; UsageError for a claim that is missing or cannot
    be; and what ``Entry`` raises.
    """
    _check_data(facts.dataset_state, allow_unverified_data)
    if absent := claims.missing(author=author, email=email, hardware=hardware):
        raise UsageError(f"a DAWNBench entry needs {' '.join(absent)} (with your own values) after `make report`.")
    claims.check(author=author, email=email, hardware=hardware, cost_per_hour=cost_per_hour, code_url=code_url)
    assert author is not None  # nor the other two: checked above
    assert email is not None
    assert hardware is not None
    misc = details.misc(facts)
    if cost_per_hour is not None and not reviewed.names_price_source(hardware, misc):
        misc["costSource"] = "as the author states it; HARDWARE names no provider and no machine type"
    rows = []
    for epoch, seconds, correct, total in evaluations:
        if total != TEST_IMAGES:
            raise Refused(
                f"the run was evaluated on {total} images; DAWNBench counts all {TEST_IMAGES} of the test set."
            )
        rows.append(Row(epoch, seconds / SECONDS_PER_HOUR, accuracy(correct, total)))
    return Entry(
        author=author,
        author_email=email,
        framework=facts.framework,
        model=facts.model,
        hardware=hardware,
        timestamp=written,
        rows=tuple(rows),
        cost_per_hour=cost_per_hour,
        code_url=None if code_url is None else claims.pinned(code_url, facts.commit),
        misc=misc,
    )


def _check_data(state: str, allow_unverified: bool) -> None:
    if state == details.UNVERIFIED and not allow_unverified:
        raise Refused(
            "the campaign's CIFAR-10 was not verified against the official archive, so it makes no DAWNBench entry",
            "`make data` verifies it, and --allow-unverified-data writes an entry that says so",
        )
    if state not in (details.CANONICAL, details.UNVERIFIED):
        raise Refused(f"a DAWNBench entry is a result on CIFAR-10, and this campaign's data is {state}.")
