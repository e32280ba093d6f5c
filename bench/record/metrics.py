"""The values that are read of the machine while a run lasts, one row each; everything else follows from the row.

A row makes the sampler read the value, gives it a column of ``telemetry.csv``, the bounds outside which a number is a
missing value, its place in the record, its columns of ``runs.csv``, ``epochs.csv`` and ``summary.csv``, their
documentation, and its line on the page. What is left to write is the reader, in ``bench.probes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import sub
from typing import Literal

from bench.record.column import Column

#: What no card reaches, by far: in 2026 the largest boards take 1,400 W, and the fastest memories run at 16 GHz.
MOST_WATTS, MOST_MHZ, MOST_CELSIUS = 10_000.0, 50_000.0, 200.0
#: Millijoules since the driver was loaded: 285 years at 1,000 W.
MOST_MILLIJOULES = 2.0**53
#: On which ticks a value is read. What moves slowly, or costs more to read, is read on every 4th or 10th.
EVERY_TICK, EACH_SECOND, SLOW_TICKS = 1, 4, 10
#: Of a value that is read where a phase begins or ends, and not on ticks.
EDGES_ONLY = 0
#: How far a value gets. In the record it has a Spread over the training; in the tables of runs and epochs four columns,
#: `_mean`, `_median`, `_max` and `_ticks`; in the summary the median over the runs of their medians.
Kept = Literal["telemetry", "record", "tables", "summary"]
_KEPT: tuple[Kept, ...] = ("telemetry", "record", "tables", "summary")
_READ_ON = {EACH_SECOND: "; each second", SLOW_TICKS: "; on every tenth tick"}
_GIB = 2**30


@dataclass(frozen=True)
class Metric(Column):
    """One value. A ``number`` of several causes or resources is a table of them, at edges alone.

    ``reader`` is `SOURCE.NAME`: a method NAME of ``bench.probes.load.Load`` (source `host`) or of
    ``bench.probes.process_tree.ProcessTree`` (`trainer`), a call of ``bench.probes.gpu.card`` (`gpu`), or what the
    sampler knows of its own tick (`sampler`). ``every`` is one of the constants above; of a card EACH_SECOND is not
    used. ``at_edges``: it only grows, and is read where phases end, too.

    A row without a reader is a rate: what the first column of ``rate_of`` grew by a second, beyond the others.

    ``label`` is what the page calls it, with its unit; one without is not drawn. ``panel`` is for lines drawn together,
    ``only_without_gpu`` for those not drawn with a card's.
    """

    reader: str = ""
    every: int = EVERY_TICK
    at_edges: bool = False
    rate_of: tuple[str, ...] = ()
    kept: Kept = "telemetry"
    label: str = ""
    panel: str = ""
    only_without_gpu: bool = False

    @cached_property
    def source(self) -> str:
        """Return `host`, `trainer`, `gpu` or `sampler`; empty for a rate."""
        return self.reader.partition(".")[0]

    @cached_property
    def call(self) -> str:
        """Return the name of its reader there."""
        return self.reader.partition(".")[2]

    def is_kept_in(self, place: Kept) -> bool:
        """Return whether the metric is kept at this level."""
        return _KEPT.index(self.kept) >= _KEPT.index(place)

    @property
    def title(self) -> str:
        """What a table calls it, with the unit in which it is shown."""
        unit = "GiB" if self.unit == "bytes" else self.unit
        label = f"{self.label} ({unit})" if unit else self.label
        return f"{self.panel}, {self.label}" if self.rate_of else label

    @property
    def axis(self) -> str:
        """Return the title of its panel."""
        return self.panel or self.title

    def shown(self, value: float) -> float:
        """A value in the unit in which it is shown."""
        return value / _GIB if self.unit == "bytes" else value

    def column(self) -> Column:
        """Return its column of ``telemetry.csv``."""
        return Column(self.name, self.kind, self.unit, self.meaning + _READ_ON.get(self.every, ""), self.below)


def rate(before: Sequence[float], now: Sequence[float], seconds: float) -> float | None:
    """What the first value grew by a second, beyond what the others did; None where one went back.

    Times of the machine and of the trainer are counted in steps of 10 ms, so their difference may be just below 0.
    """
    grown = tuple(map(sub, now, before))
    return max(0.0, grown[0] - sum(grown[1:])) / seconds if min(grown) >= 0 else None


METRICS = (
    Metric("t_ns", "whole", "ns", "when the tick began (CLOCK_MONOTONIC, as the events)", reader="sampler.t_ns"),
    Metric("late_ms", "number", "ms", "how long after its due time, on a fixed schedule", reader="sampler.late_ms"),
    Metric(
        "cost_us", "number", "us", "CPU time of the harness for this tick, and for writing the line before it",
        reader="sampler.cost_us",
    ),
    Metric("took_us", "number", "us", "wall-clock time of the same", reader="sampler.took_us"),
    Metric(
        "gpu_utilisation_percent", "number", "%", "share of the driver's last period in which a kernel ran", below=101,
        reader="gpu.utilisation", kept="summary", label="GPU utilisation", panel="utilisation (%)",
    ),
    Metric(
        "memory_utilisation_percent", "number", "%", "share of it in which memory was read or written", below=101,
        reader="gpu.utilisation",
    ),
    Metric(
        "gpu_memory_bytes", "whole", "bytes", "memory in use on the card, by anybody", below=2.0**50,
        reader="gpu.memory", kept="tables",
    ),
    Metric(
        "gpu_power_watts", "number", "W", "power of the whole board", below=MOST_WATTS,
        reader="gpu.power", kept="summary", label="GPU power", panel="power (W)",
    ),
    Metric(
        "sm_clock_mhz", "whole", "MHz", "clock of the multiprocessors", below=MOST_MHZ,
        reader="gpu.sm_clock", kept="summary", label="SM clock",
    ),
    Metric(
        "memory_clock_mhz", "whole", "MHz", "clock of the memory", below=MOST_MHZ,
        reader="gpu.memory_clock", kept="record",
    ),
    Metric("event_reasons", "whole", "", "why clocks are held down, the driver's bits", reader="gpu.event_reasons"),
    Metric(
        "gpu_temperature_celsius", "whole", "C", "temperature of the chip", below=MOST_CELSIUS,
        reader="gpu.temperature", every=SLOW_TICKS, kept="record", label="GPU temperature", panel="temperature (C)",
    ),
    Metric(
        "gpu_processes", "whole", "", "compute processes on the card", reader="gpu.processes", every=SLOW_TICKS
    ),
    Metric(
        "foreign_processes", "whole", "",
        "of those, not the trainer's; empty where not told, as of a list without the trainer",
        reader="gpu.processes", every=SLOW_TICKS,
    ),
    Metric(
        "trainer_cpu_seconds", "number", "s", "CPU time so far of the trainer and 128 descendants at most",
        reader="trainer.cpu_seconds", at_edges=True,
    ),
    Metric(
        "trainer_cpu_cores", "number", "cores",
        "CPU time of the trainer and its child processes per second (2.0: two cores busy)",
        rate_of=("trainer_cpu_seconds",), kept="summary", label="trainer", panel="CPU (cores)",
    ),
    Metric(
        "trainer_memory_bytes", "whole", "bytes", "resident memory of the trainer's own process",
        reader="trainer.resident_bytes", kept="record", label="memory of the trainer", panel="memory (GiB)",
        only_without_gpu=True,
    ),
    Metric(
        "system_busy_seconds", "number", "s", "CPU time the whole machine spent since its start",
        reader="host.system_busy_seconds", every=EACH_SECOND, at_edges=True,
    ),
    Metric(
        "other_cpu_cores", "number", "cores", "cores kept busy by everything else, the harness included",
        rate_of=("system_busy_seconds", "trainer_cpu_seconds"), kept="summary", label="everything else",
        panel="CPU (cores)", only_without_gpu=True,
    ),
    Metric(
        "steal_seconds", "number", "s", "time another guest of the host had the CPUs, since the start",
        reader="host.steal_seconds", every=EACH_SECOND, at_edges=True,
    ),
    Metric(
        "cpu_mhz", "number", "MHz", "mean frequency of the CPUs, of some where there are many",
        reader="host.cpu_mhz", every=EACH_SECOND, label="CPU frequency", panel="CPU clock (MHz)", only_without_gpu=True,
    ),
    Metric(
        "load_average", "number", "", "runnable tasks, mean of a minute", reader="host.load_average", every=EACH_SECOND
    ),
    Metric(
        "memory_available_bytes", "whole", "bytes", "memory that could still be given out",
        reader="host.memory_available_bytes", every=EACH_SECOND,
    ),
    Metric(
        "page_cache_bytes", "whole", "bytes", "memory that holds files",
        reader="host.page_cache_bytes", every=EACH_SECOND,
    ),
    Metric(
        "swapped_bytes", "whole", "bytes", "written to and read from swap since the start",
        reader="host.swapped_bytes", every=EACH_SECOND, at_edges=True,
    ),
    Metric(
        "energy_mj", "whole", "mJ", "energy of the card since its driver was loaded", below=MOST_MILLIJOULES,
        reader="gpu.energy", every=EDGES_ONLY,
    ),
    Metric(
        "lost_ns", "number", "ns", "time its clocks were held down since then, by cause",
        reader="gpu.throttle_time", every=EDGES_ONLY,
    ),
    Metric(
        "temperature_celsius", "number", "C", "temperature of the chip", below=MOST_CELSIUS,
        reader="gpu.temperature", every=EDGES_ONLY,
    ),
    Metric(
        "read_bytes", "whole", "bytes", "what the trainer read from a disk",
        reader="trainer.disk_bytes", every=EDGES_ONLY,
    ),
    Metric(
        "throttled_seconds", "number", "s", "time the control groups above us were held at their CPU limit",
        reader="host.throttled_seconds", every=EDGES_ONLY,
    ),
    Metric(
        "pressure_seconds", "number", "s", "time in which something waited for `cpu`, `memory` or `io`",
        reader="host.pressure_seconds", every=EDGES_ONLY,
    ),
    # A new row goes here, as its columns are appended to the tables.
)  # fmt: skip
#: Those that have a column of ``telemetry.csv``, in its order.
SAMPLED = tuple(each for each in METRICS if each.reader and each.every != EDGES_ONLY)
#: Those that are read where a phase, or the run, begins or ends.
COUNTERS = tuple(each for each in METRICS if each.at_edges or (each.reader and each.every == EDGES_ONLY))
#: Those of which a record keeps a Spread over the training.
SPREADS = tuple(each for each in METRICS if each.is_kept_in("record"))


def read_from(source: str, metrics: Sequence[Metric] = METRICS) -> tuple[Metric, ...]:
    """Return those of some rows that are read from `host`, `trainer`, `gpu` or `sampler`."""
    return tuple(each for each in metrics if each.source == source)


#: The numbers that a tick reads of a card; its list of processes is none.
GPU_NUMBERS = tuple(each for each in read_from("gpu", SAMPLED) if each.call != "processes")
