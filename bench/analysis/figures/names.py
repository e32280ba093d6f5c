"""Names and states of runs in figures, and which runs are aggregated."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.figures.plotly import HIT, MISS, UNFINISHED
from bench.record import Record


def seed_name(record: Record) -> str:
    """Return the name of a run: its seed."""
    return "run" if record.seed is None else f"seed {record.seed}"


def state(record: Record) -> str:
    """Return the outcome of a run: HIT, MISS or UNFINISHED."""
    if record.crossing_index is not None:
        return HIT
    return MISS if record.status == "done" else UNFINISHED


def counted(records: Sequence[Record]) -> list[Record]:
    """Return the runs that count: finished, and not invalid if they have a verdict."""
    return [
        each for each in records if each.status == "done" and (each.verdict is None or each.verdict.level != "invalid")
    ]
