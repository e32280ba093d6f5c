"""Histogram of how long steps waited for their input, with the baseline: the cost of a batch that is ready."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from bench.analysis.figures.names import counted, seed_name
from bench.analysis.figures.plotly import PHASES, WAIT, Figure, Numbers, Part, axis, bars, layout, mark, ticks, value
from bench.record import Record, WaitHistogram, input_waits

ALL = "all runs that count"
_Edges = tuple[float, ...]


def of_runs(records: Sequence[Record]) -> Figure:
    """Return the steps by their wait, after the first epoch, whose waits include first-use costs."""
    groups = {seed_name(each): kept for each in records if (kept := _later(each))}
    together = [wait for each in counted(records) for wait in _later(each)]
    if len(groups) > 1 and together:
        groups = {ALL: together, **groups}
    edges = next((wait.edges_us for waits in groups.values() for wait in waits), ())
    groups = {name: kept for name, waits in groups.items() if (kept := [w for w in waits if w.edges_us == edges])}
    names = _names(edges)
    places, hover, look = range(len(names)), ("%{text}", value("steps")), replace(PHASES[WAIT], legend="")
    data = tuple(
        bars("steps", places, _counts(waits), look, hover, text=names, choice=name) for name, waits in groups.items()
    )
    rows = [(name, *row) for name, waits in groups.items() for row in zip(names, _counts(waits), strict=True)]
    return Figure(
        key="waits",
        title="How long steps waited for input",
        caption=(
            "Steps by the time they waited for their batch, after the first epoch. The vertical line is the baseline: "
            "the cost of a batch that is ready. Only waits beyond it are stalls."
        ),
        data=data,
        layout=layout(
            axis("wait of a step", tickangle=-40, **ticks(places, names)),
            axis("steps", low=0),
            lines=(_floor(name, waits, edges) for name, waits in groups.items()),
            bargap=0.05,
        ),
        choices=tuple(groups) if len(groups) > 1 else (),
        choice_title="Show",
        numbers=Numbers(("run", "wait", "steps"), tuple(rows)),
        empty="" if data else _why_none(records),
    )


def _later(record: Record) -> list[WaitHistogram]:
    if record.input == "device":
        return []
    epochs = {each.epoch for each in input_waits.after_first(record)}
    return [each for each in record.waits if each.epoch in epochs and len(each.counts) == len(each.edges_us) + 1]


def _counts(waits: Sequence[WaitHistogram]) -> tuple[float, ...]:
    return tuple(float(sum(column)) for column in zip(*(each.counts for each in waits), strict=True))


def _floor(name: str, waits: Sequence[WaitHistogram], edges: _Edges) -> tuple[Part, Part]:
    floor_us = median(each.floor_us for each in waits)
    return mark(_place(floor_us, edges), f"baseline {_time(floor_us)}", name)


def _place(value_us: float, edges: _Edges) -> float:
    """Return the position of a wait along the bars, which are at 0, 1, ...: logarithmic between two edges."""
    after = sum(edge <= value_us for edge in edges)
    if after == 0 or after == len(edges) or value_us <= 0 or edges[after - 1] <= 0:
        return float(after)
    low, high = edges[after - 1], edges[after]
    return after - 0.5 + math.log(value_us / low) / math.log(high / low)


def _names(edges: _Edges) -> list[str]:
    if not edges:
        return []
    between = [f"{_time(low)} to {_time(high)}" for low, high in pairwise(edges)]
    return [f"below {_time(edges[0])}", *between, f"{_time(edges[-1])} or more"]


def _time(value_us: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if value_us >= size:
            return f"{value_us / size:.3g} {unit}"
    return f"{value_us:.3g} us"


def _why_none(records: Sequence[Record]) -> str:
    if any(each.input == "device" for each in records):
        return "Input stalls are not applicable: the dataset rests on the device, so no step waits for it."
    if any(each.waits for each in records):
        return "There are no waits after the first epoch, whose waits include first-use costs."
    return "The trainer measured no waits for its input."
