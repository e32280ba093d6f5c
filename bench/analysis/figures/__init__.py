"""The figures of a campaign and of a comparison, as Plotly figures that a page or a picture draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.comparison import Side
from bench.analysis.figures import accuracy, machine, phases, sides, waits
from bench.analysis.figures.plotly import DARK, CloseUp, Figure, Numbers, Part
from bench.record import Record
from bench.record.ticks import TelemetrySample

__all__ = ["DARK", "CloseUp", "Figure", "Numbers", "Part", "campaign", "comparison"]


def campaign(records: Sequence[Record], ticks: Mapping[int | None, Sequence[TelemetrySample]]) -> tuple[Figure, ...]:
    """Return the figures of a campaign, from its records with verdicts and the rows of ``telemetry.csv`` by seed."""
    return (
        accuracy.of_campaign(records),
        phases.of_epochs(records),
        phases.of_runs(records),
        machine.of_runs(records, ticks),
        waits.of_runs(records),
    )


def comparison(compared: Sequence[Side]) -> tuple[Figure, ...]:
    """Return the figures of a comparison, from its sides."""
    curves = accuracy.of_sides([(each.name, each.records) for each in compared])
    return sides.fixed_work(compared), curves, sides.epoch_times(compared)
