"""The closed board: its 31 CIFAR-10 training entries and how it made a score of an entry's rows.

``board.csv`` has facts of the entries' repository (stanford-futuredata/dawn-bench-entries, commit fb27b827, the last
one): who, on what, and the score recomputed from each TSV. The rules are that repository's README; how a time is shown
was found by recomputing nine lines of the stored page of 2018-05-01, which all round up to the whole second.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from bench.dawnbench import compat, task
from bench.dawnbench.findings import printable
from bench.dawnbench.pair import TARGET_PERCENT, find, parse, read
from bench.errors import DataError, Refused, UsageError
from bench.record.claims import is_price

FILE = Path(__file__).with_name("board.csv")
SECONDS_PER_HOUR = 3600
#: A time that is this close above a whole second is that second: an hour's float, or a tenth decimal of hours, is off
#: by less, and no entry measures as finely.
DUST_DECIMALS = 6


@dataclass(frozen=True)
class BoardEntry:
    """One published entry; ``hours`` is the clock of its first row at 94 % or more.

    ``cost_per_hour_usd`` is None where the entry has no price, and then it is not on the cost board.
    """

    file: str
    author: str
    framework: str
    model: str
    hardware: str
    submitted: date
    rows: int
    final_accuracy_percent: float
    hours: float
    cost_per_hour_usd: float | None = None

    @property
    def seconds(self) -> float:
        """Time to 94 %, free of the dust that turning hours into seconds leaves."""
        return seconds_of(self.hours)

    @property
    def cost_usd(self) -> float | None:
        return cost_usd(self.seconds, self.cost_per_hour_usd)


@dataclass(frozen=True)
class ScoredPair:
    """What the board would have made of a pair: its score, and what the pair says of itself.

    ``hours`` is None where no row reaches 94 %; ``data_state`` and what follows is what ``misc`` says of the dataset
    and of the campaign, empty or None where it says nothing, as no stranger's pair does. ``accuracy_percent`` is
    that of the first row at 94 % or more, ``augmentation`` the test-time augmentation it was measured with,
    ``plain_percent`` the accuracy without it.
    """

    path: Path
    author: str
    framework: str
    model: str
    hardware: str
    hours: float | None
    cost_per_hour_usd: float | None
    data_state: str
    clock: str
    selection: str
    runs_reached_of_planned: tuple[int, int] | None = None
    accuracy_percent: float | None = None
    augmentation: str = ""
    plain_percent: float | None = None


@cache
def entries() -> tuple[BoardEntry, ...]:
    """The 31 entries in the order of the time board, the fastest first."""
    with open(FILE, encoding="utf-8", newline="") as stream:
        return tuple(_entry(row) for row in csv.DictReader(stream, strict=True))


def _entry(row: dict[str, str]) -> BoardEntry:
    return BoardEntry(
        file=row["file"],
        author=row["author"],
        framework=row["framework"],
        model=row["model"],
        hardware=row["hardware"],
        submitted=date.fromisoformat(row["timestamp"]),
        rows=int(row["n_rows"]),
        final_accuracy_percent=float(row["final_accuracy"]),
        hours=float(row["time_to_94_hours"]),
        cost_per_hour_usd=float(row["cost_per_hour"]) if row["cost_per_hour"] else None,
    )


# --- The rules ---


def first_at_target(rows: Iterable[tuple[float, float]]) -> float | None:
    """The hours of the first row, in the order of the file, whose accuracy in percent is 94 or more; None without one.

    Nothing is interpolated, and later rows do not count, even where they fall back under 94.
    """
    return next((hours for hours, accuracy_percent in rows if accuracy_percent >= TARGET_PERCENT), None)


def seconds_of(hours: float) -> float:
    """Hours as seconds, to the microsecond."""
    return round(hours * SECONDS_PER_HOUR, DUST_DECIMALS)


def cost_usd(seconds: float, cost_per_hour_usd: float | None) -> float | None:
    """The price of the counted time, in US dollars; None where no price is given."""
    return None if cost_per_hour_usd is None else cost_per_hour_usd * seconds / SECONDS_PER_HOUR


def shown_time(seconds: float) -> str:
    """A time as the board showed it: ``H:MM:SS``, rounded up to the whole second; 1843 s and float dust stay 1843."""
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a time on the board is finite and not negative, not {seconds}")
    whole = math.ceil(round(seconds, DUST_DECIMALS))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def shown_cost(usd: float) -> str:
    """A cost as the board showed it: dollars to the nearest cent."""
    return f"${usd:,.2f}"


# --- A pair from anybody ---


def score(path: Path) -> ScoredPair:
    """The board's score of the one pair that ``path`` (a JSON or a TSV) means.

    Raises Refused for an entry of another task, DataError where it is damaged or not what the board's own tests
    accepted, except for the threshold: a pair that never reached 94 % is a result without a score.
    """
    (json_path,) = find(path)
    pair = read(json_path)
    if (of_another_task := task.other(pair)) is not None:
        raise Refused(f"{printable(json_path)}: {of_another_task.sentence}")
    findings = [each for each in compat.check(pair) if each.rule != "tsv-threshold"]
    if findings:
        first = findings[0]
        more = f"`python -m bench validate {printable(json_path)}` lists all {len(findings)}" * (len(findings) > 1)
        raise DataError(
            f"{printable(json_path)} is not a valid DAWNBench pair: {first.where}: {first.sentence.rstrip('.')}"
            + "." * (not more),
            more,
        )
    assert pair.json_bytes is not None
    assert pair.tsv_bytes is not None
    body = parse(pair.json_bytes)
    assert isinstance(body, dict)
    misc = body.get("misc")
    claimed = misc if isinstance(misc, dict) else {}
    price = body.get("costPerHour")
    if price is not None and not is_price(price):
        raise DataError(f"{printable(json_path)} has an invalid costPerHour", "leave it out or write a number")
    rows = _rows(pair.tsv_bytes, printable(pair.tsv_path))
    plain = claimed.get("plainTop1Accuracy")
    return ScoredPair(
        path=json_path,
        **{name: str(body[name]) for name in ("author", "framework", "model", "hardware")},
        hours=first_at_target(rows),
        cost_per_hour_usd=None if price is None else float(price),
        data_state=str(claimed.get("datasetState", "")),
        clock=str(claimed.get("clock", "")),
        selection=str(claimed.get("runSelection", "")),
        runs_reached_of_planned=_counts(claimed.get("runsReached"), claimed.get("runsPlanned")),
        accuracy_percent=next((accuracy for _, accuracy in rows if accuracy >= TARGET_PERCENT), None),
        augmentation=str(claimed.get("testTimeAugmentation", "")),
        plain_percent=float(plain) if isinstance(plain, (int, float)) and 0 <= plain <= 100 else None,
    )


def _counts(reached: object, planned: object) -> tuple[int, int] | None:
    """How many runs reached the target of how many planned; None for what cannot be."""
    counted = isinstance(reached, int) and isinstance(planned, int) and 1 <= reached <= planned < 10**6
    return (int(reached), int(planned)) if counted else None  # type: ignore[call-overload]


def only_pair(folder: Path) -> Path:
    """The JSON of the only pair in or under a folder. Raises DataError for none, UsageError for several.

    A JSON without a TSV is here no broken pair but another file: results have such of their own.
    """
    found = [each for each in find(folder) if each.is_file() and each.with_suffix(".tsv").is_file()]
    if not found:
        raise DataError(f"no DAWNBench pair (<stem>.json and <stem>.tsv) is in {printable(folder)}", "name a .json")
    if len(found) > 1:
        raise UsageError(f"{printable(folder)} holds {len(found)} pairs", f"name one, such as {printable(found[0])}")
    return found[0]


def _rows(content: bytes, where: str) -> list[tuple[float, float]]:
    """Hours and accuracy of each row, read as the board's tests did; all of them, as a bad one makes the rest doubtful.

    Raises DataError for hours that are not above 0 and for no percent.
    """
    frame = compat.read_table(content)
    rows = []
    for line, (hours, accuracy) in enumerate(zip(frame["hours"], frame["top1Accuracy"], strict=True), start=2):
        try:
            row = float(hours), float(accuracy)
        except (TypeError, ValueError):
            row = math.nan, math.nan
        if not (0 < row[0] < math.inf and 0 <= row[1] <= 100):
            raise DataError(f"{where} line {line} holds no hours above 0 with an accuracy in percent", "fix that line")
        rows.append(row)
    return rows
