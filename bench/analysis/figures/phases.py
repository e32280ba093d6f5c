"""Time by phase: of each epoch, and of the whole process of each run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from bench.analysis.figures import plotly
from bench.analysis.figures.names import counted, seed_name
from bench.analysis.figures.plotly import PHASES, TRAIN, WAIT, Figure, Numbers, Part, of_phase
from bench.record import Record, input_waits

#: Seconds by phase.
Seconds = dict[str, float]
MEDIAN = "median of the runs"
_TIME = "time (s)"
_EACH = "Waiting for input is separate from the rest of training if the trainer measured it."


def of_epochs(records: Sequence[Record]) -> Figure:
    """Return the time of each epoch by phase: the median over the runs that count, or one run."""
    runs = {seed_name(each): epochs(each) for each in records}
    runs = {name: found for name, found in runs.items() if found}
    sample = [found for each in counted(records) if (found := epochs(each))]
    tables: dict[str, Mapping[float, Seconds]] = {MEDIAN: _medians(sample)} if len(sample) > 1 else {}
    tables |= runs
    data = [each for choice, table in tables.items() for each in _bars(table, choice)]
    rows = [
        (choice, epoch, of_phase(phase).legend, seconds)
        for choice, table in tables.items()
        for epoch, parts in table.items()
        for phase, seconds in parts.items()
    ]
    shown = f"Each phase of the median is its median over the {len(sample)} runs that count. "
    return Figure(
        key="epochs",
        title="Time of each epoch, by phase",
        caption=f"{shown if len(sample) > 1 else ''}{_EACH}",
        data=tuple(data),
        layout=plotly.layout(
            plotly.axis("epoch", type="category"), plotly.axis(_TIME, low=0), barmode="stack", bargap=0.25
        ),
        choices=tuple(tables) if len(tables) > 1 else (),
        choice_title="Show",
        numbers=Numbers(("run", "epoch", "phase", "seconds"), tuple(rows)),
        empty="" if data else "No run has finished an epoch yet, so there is no time to draw.",
    )


def of_runs(records: Sequence[Record]) -> Figure:
    """Return the duration of every run's process by phase, one bar per run."""
    lives = [(seed_name(each), life(each)) for each in records if each.phases]
    names = dict.fromkeys([*PHASES, *(phase for _, parts in lives for phase in parts)])
    phases = [phase for phase in names if any(phase in parts for _, parts in lives)]
    data = []
    for phase in phases:
        runs, seconds = zip(*[(name, parts[phase]) for name, parts in lives if phase in parts], strict=True)
        look = of_phase(phase)
        data.append(plotly.bars(look.legend, seconds, runs, look, ("%{y}", plotly.value(_TIME, "x")), orientation="h"))
    header = ("run", *(each["name"] for each in data))
    rows = tuple((name, *map(parts.get, phases)) for name, parts in lives)
    height = max(160, len(lives) * (20 if len(lives) > 20 else 30) + 70)
    across = plotly.axis("", type="category", autorange="reversed", nticks=60)
    return Figure(
        key="runs",
        title="Where the time of each run went",
        caption=f"The trainer's process from its start to its exit. {_EACH}",
        data=tuple(data),
        layout=plotly.layout(plotly.axis(_TIME, low=0), across, height=height, barmode="stack", bargap=0.25),
        numbers=Numbers(header, rows),
        empty="" if data else "No phase of a run was reported yet, so there is no time to draw.",
    )


def epochs(record: Record) -> dict[float, Seconds]:
    """The seconds of each epoch that was trained, by phase; the final evaluation is with the last."""
    found: dict[float, Seconds] = {}
    for phase in record.phases:
        if phase.epoch is not None:
            parts = found.setdefault(phase.epoch, {})
            parts[phase.name] = parts.get(phase.name, 0.0) + phase.duration_ns / 1e9
    final = math.fsum(each.duration_ns for each in record.phases if each.name == "final_eval") / 1e9
    if found and final:
        found[max(found)]["final_eval"] = final
    for each in input_waits.waited(record):
        _set_apart(found.get(each.epoch, {}), each.wait_seconds)
    return {epoch: _in_order(found[epoch]) for epoch in sorted(found)}


def life(record: Record) -> Seconds:
    """Return the seconds of a run's whole process, by phase."""
    parts: Seconds = {}
    for phase in record.phases:
        parts[phase.name] = parts.get(phase.name, 0.0) + phase.duration_ns / 1e9
    known = input_waits.waited(record)
    if known:
        _set_apart(parts, math.fsum(each.wait_seconds for each in known))
    return _in_order(parts)


def _set_apart(parts: Seconds, wait_seconds: float) -> None:
    if TRAIN in parts:
        # Waits that a trainer reports may exceed the phase, which is impossible.
        parts[WAIT] = min(wait_seconds, parts[TRAIN])
        parts[TRAIN] -= parts[WAIT]


def _in_order(parts: Seconds) -> Seconds:
    return {name: parts[name] for name in [*PHASES, *sorted(parts.keys() - PHASES.keys())] if name in parts}


def _medians(tables: Sequence[Mapping[float, Seconds]]) -> dict[float, Seconds]:
    """Return the median of each phase of each epoch, over the runs that have it: missing is not 0."""
    found: dict[float, dict[str, list[float]]] = {}
    for table in tables:
        for epoch, parts in table.items():
            for phase, seconds in parts.items():
                found.setdefault(epoch, {}).setdefault(phase, []).append(seconds)
    return {
        epoch: _in_order({phase: median(values) for phase, values in found[epoch].items()}) for epoch in sorted(found)
    }


def _bars(table: Mapping[float, Seconds], choice: str) -> list[Part]:
    phases = dict.fromkeys(phase for parts in table.values() for phase in parts)
    made = []
    for phase in _in_order(dict.fromkeys(phases, 0.0)):
        known = [(f"{round(epoch, 2):g}", parts[phase]) for epoch, parts in table.items() if phase in parts]
        numbers, seconds = zip(*known, strict=True)
        look = of_phase(phase)
        made.append(
            plotly.bars(look.legend, numbers, seconds, look, ("epoch %{x}", plotly.value(_TIME)), choice=choice)
        )
    return made
