"""What figures call runs, and which runs they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.figures.plotly import HIT, MISS, UNFINISHED
from bench.record import Record


def seed_name(record: Record) -> str:
    """A run by its seed."""
    return "run" if record.seed is None else f"seed {record.seed}"


def state(record: Record) -> str:
    """What became of a run: HIT, MISS or UNFINISHED."""
    if record.crossing_index is not None:
        return HIT
    return MISS if record.status == "done" else UNFINISHED


def counted(records: Sequence[Record]) -> list[Record]:
    """The runs that count: finished and, where they are judged, not invalid."""
    return [
        each for each in records if each.status == "done" and (each.verdict is None or each.verdict.level != "invalid")
    ]
