"""Was the first run of a campaign slow? Then the machine was still cold, and its time is not of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.analysis.spread import THRESHOLD, modified_z_score
from bench.record import Record
from bench.record.clocks import CLOCKS, fixed_work_seconds

#: Fewer runs than this have no spread that one of them could lie outside of.
LEAST_RUNS = 4


def note(records: Sequence[Record]) -> str | None:
    """A sentence where the first run took longer to train its whole schedule than the others do; most often None.

    Compared are the runs that count, by when they were started. hyperfine warns of the same.
    """
    counted = [each for each in records if each.verdict is None or each.verdict.level != "invalid"]
    timed = [(each, seconds) for each in counted if (seconds := fixed_work_seconds(CLOCKS["train"], each)) is not None]
    if len(timed) < LEAST_RUNS:
        return None
    first, seconds = min(timed, key=lambda pair: (pair[0].utc or "", pair[0].spawned_ns or 0))
    usual = median(each for _, each in timed)
    if seconds <= usual or modified_z_score(seconds, [each for _, each in timed]) <= THRESHOLD:
        return None
    more = 100 * (seconds / usual - 1)
    warmed_up = bool(first.circumstances.get("warm_up"))
    advice = "a rest between runs (IDLE=60) or another warm-up run may help" if warmed_up else "make one with WARMUP=1"
    came = "though a warm-up run came before it" if warmed_up else "and no warm-up run came before it"
    return (
        f"the first run, seed {first.seed}, trained {more:.1f} % longer than the median of all, outside their spread, "
        f"{came}; {advice}"
    )
