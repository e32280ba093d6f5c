"""Was the first run of a campaign slow? Then the machine was not warm yet, and its time is not like the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis.spread import THRESHOLD, modified_z_score
from bench.record import Record
from bench.record.clocks import CLOCKS, fixed_work_seconds

#: Fewer runs than this have no spread that one of them could lie outside of.
LEAST_RUNS = 4


@dataclass(frozen=True)
class SlowFirstRun:
    """By how many per cent the first run trained longer than the median run, and whether a warm-up run preceded it."""

    seed: int | None
    percent: float
    warmed_up: bool


def slow(records: Sequence[Record]) -> SlowFirstRun | None:
    """Return the first run where it took longer to train its whole schedule than the others; None otherwise.

    Compared are the runs that count, in the order in which they were started. hyperfine has the same warning.
    """
    counted = [each for each in records if each.verdict is None or each.verdict.level != "invalid"]
    timed = [(each, seconds) for each in counted if (seconds := fixed_work_seconds(CLOCKS["train"], each)) is not None]
    if len(timed) < LEAST_RUNS:
        return None
    first, seconds = min(timed, key=lambda pair: (pair[0].utc or "", pair[0].spawned_ns or 0))
    usual = median(each for _, each in timed)
    if seconds <= usual or modified_z_score(seconds, [each for _, each in timed]) <= THRESHOLD:
        return None
    return SlowFirstRun(first.seed, 100 * (seconds / usual - 1), bool(first.circumstances.get("warm_up")))
