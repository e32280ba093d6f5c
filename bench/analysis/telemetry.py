"""The metrics of the machine as columns of ``runs.csv``, ``epochs.csv`` and ``summary.csv``, and the sampler's cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.record import LEAST_TICKS, Column, Record, Spread, Telemetry, Usage
from bench.record.metrics import METRICS

#: Whose columns stand in the middle of the tables, in this order; those of other metrics are at the end of a table.
_IN_THE_MIDDLE = (
    "gpu_utilisation_percent", "gpu_power_watts", "gpu_memory_bytes", "sm_clock_mhz", "trainer_cpu_cores",
    "other_cpu_cores",
)  # fmt: skip
_METRICS = {each.name: each for each in METRICS if each.is_kept_in("tables")}
_ADDED = tuple(name for name in _METRICS if name not in _IN_THE_MIDDLE)
_FIGURES = ("mean", "median", "max", "ticks")
_TICKS = (
    Column(
        "telemetry_ticks", "whole", "", "ticks of the sampler that fell into training; empty where none was running"
    ),
    Column("telemetry_note", "text", "", "why telemetry columns are empty, or those of the GPU"),
)


def _usage_columns(names: Iterable[str], read: str = "the ticks at which it was read") -> tuple[Column, ...]:
    columns = []
    for name in names:
        unit = _METRICS[name].unit
        columns += [
            Column(f"{name}_mean", "number", unit, f"{_METRICS[name].meaning}: mean of the ticks in training"),
            Column(f"{name}_median", "number", unit, "their median"),
            Column(f"{name}_max", "number", unit, "the largest of them"),
            Column(f"{name}_ticks", "whole", "", read),
        ]
    return tuple(columns)


_READ_IN_EPOCH = (
    f"the ticks at which it was read; empty where the epoch has fewer than {LEAST_TICKS} ticks; its other figures are "
    f"empty where it was read at fewer than {LEAST_TICKS}"
)
EPOCH_COLUMNS = (*_TICKS, *_usage_columns(_IN_THE_MIDDLE, _READ_IN_EPOCH))
ADDED_EPOCH_COLUMNS = _usage_columns(_ADDED, _READ_IN_EPOCH)
RUN_COLUMNS = (
    *_TICKS,
    *_usage_columns(_IN_THE_MIDDLE),
    Column("start_temperature_celsius", "number", "C", "temperature of the card when the run began"),
    Column("idle_seconds", "number", "s", "time between the end of the run before and the start of this one"),
    Column("sampler_period_ms", "number", "ms", "time from one tick to the next, as planned"),
    Column("sampler_missed", "whole", "", "planned ticks that did not happen"),
    Column("sampler_cpu_seconds", "number", "s", "CPU time of the harness for all ticks and readings of counters"),
    Column("sampler_tick_median_us", "number", "us", "CPU time of a tick, median"),
    Column("sampler_tick_max_us", "number", "us", "CPU time of the most expensive tick"),
    Column("sampler_late_median_ms", "number", "ms", "how long a tick began after its due time, median"),
    Column("sampler_late_max_ms", "number", "ms", "the latest tick"),
)
ADDED_RUN_COLUMNS = _usage_columns(_ADDED)


def _summary_columns(names: Iterable[str]) -> tuple[Column, ...]:
    found = [_METRICS[name] for name in names if _METRICS[name].is_kept_in("summary")]
    meaning = "median over the runs of their medians in training"
    return tuple(Column(each.name, "number", each.unit, f"{each.meaning}: {meaning}") for each in found)


SUMMARY_COLUMNS, ADDED_SUMMARY_COLUMNS = _summary_columns(_IN_THE_MIDDLE), _summary_columns(_ADDED)
#: Where a column of the summary comes from in the rows of the runs.
SUMMARISED = {each.name: f"{each.name}_median" for each in (*SUMMARY_COLUMNS, *ADDED_SUMMARY_COLUMNS)}


def run_cells(record: Record) -> dict[str, Any]:
    """Return the cells of RUN_COLUMNS."""
    found, own = record.telemetry, record.telemetry.sampling
    return {
        **_usage_cells(found.training if found.training.ticks else None),
        "telemetry_ticks": found.training.ticks if own.ticks else None,
        "telemetry_note": note(found),
        "start_temperature_celsius": found.start_temperature_celsius,
        "idle_seconds": _number(record.circumstances, "idle_seconds"),
        "sampler_period_ms": own.period_ms,
        "sampler_missed": own.missed,
        "sampler_cpu_seconds": own.cpu_seconds,
        "sampler_tick_median_us": own.cost_median_us,
        "sampler_tick_max_us": own.cost_max_us,
        "sampler_late_median_ms": own.late_median_ms,
        "sampler_late_max_ms": own.late_max_ms,
    }


def epoch_cells(record: Record) -> dict[float, dict[str, Any]]:
    """Return the cells of EPOCH_COLUMNS by the epoch of the evaluation that followed the training.

    An epoch with too few ticks has only their number and the reason; a metric read at too few of them, their number.
    """
    found = record.telemetry
    return {
        each.epoch: {
            **_usage_cells(each.usage, LEAST_TICKS),
            "telemetry_ticks": each.ticks if found.sampling.ticks else None,
            "telemetry_note": each.why_empty or note(found),
        }
        for each in found.epochs
    }


def note(found: Telemetry) -> str | None:
    """Return why nothing is known of a run, or of its GPU; None where both are known."""
    if found == Telemetry():
        return "no telemetry was recorded"
    if found.sampling.off:
        return "telemetry was off"
    if found.sampling.why_no_ticks:
        return found.sampling.why_no_ticks
    if found.gpu_lost:
        return f"the GPU was lost: {found.gpu_lost}"
    if found.gpu:
        return None
    return f"no GPU: {found.why_no_gpu}" if found.why_no_gpu else "no GPU"


def _usage_cells(usage: Usage | None, least: int = 1) -> dict[str, Any]:
    """The cells of each metric; of one that was read at fewer ticks than ``least`` only their number."""
    if usage is None:
        return {}
    spreads: dict[str, Spread | None] = {name: getattr(usage, name) for name in _METRICS}
    return {
        f"{name}_{figure}": getattr(each, figure)
        for name, each in spreads.items()
        if each is not None
        for figure in (_FIGURES if each.ticks >= least else ("ticks",))
    }


def _number(table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
