"""Reads the machine while a trainer runs: a row of ``telemetry.csv`` four times a second, counters at the edges.

It runs in the harness, which sleeps otherwise, and never in the trainer, whose input loop it would delay. What is read,
and on which ticks, are the rows of ``bench.record.metrics``. Ticks are due on a fixed schedule from the first one,
``start + k x period``: a late one does not move the next, and a missed one is left out, so that ``k`` of every row
follows from ``t_ns`` and ``late_ms``. What it writes is described in ``bench.record.telemetry``; its memory does not
grow with the length of a run.

A slow driver delays nothing here. A reading is waited for PATIENCE_SECONDS; one that takes longer is collected at the
next call, and its row or edge is written then. A row has until the next tick, an edge ``EDGE_TOLERANCE_NS``; a value
that comes later is left empty, as it would be of another moment.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench import protocol
from bench.probes import gpu
from bench.probes.load import Load
from bench.probes.process_tree import ProcessTree
from bench.record import STAMP_TOLERANCE_NS
from bench.record.counter_snapshots import possible
from bench.record.metrics import COUNTERS, EACH_SECOND, SAMPLED, SLOW_TICKS, Metric, read_from
from bench.record.telemetry import TELEMETRY_FILE
from bench.telemetry.csv_writer import TelemetryFile
from bench.telemetry.gpu_source import GpuSelection, GpuSource
from bench.telemetry.schedule import Clocks, Cost, Schedule

#: NVML's own utilisation period is 1/6 s to 1 s, by product: more ticks would read the same values again.
PERIOD_SECONDS = 0.25
#: How long a reading of the card is waited for. On an H200 a tick took 0.35 ms and an edge 4 ms (medians), and this is
#: well below what a receipt may be late.
PATIENCE_SECONDS = 0.01
#: How late after its event a reading of the counters may come; the energy counter moves every 20 to 100 ms.
EDGE_TOLERANCE_NS = STAMP_TOLERANCE_NS
#: Phases whose end is an edge. The others are import and compilation, or end where one of these begins.
EDGE_PHASES = ("preprocess", "train_k", "eval_k", "final_eval")

Write = Callable[[Mapping[str, Any]], None]
_HOST_COUNTERS, _TRAINER_COUNTERS = read_from("host", COUNTERS), read_from("trainer", COUNTERS)


@dataclass(frozen=True)
class _Row:
    """A row that waits for its reading of the card; ``values`` are the others, by column."""

    values: dict[str, Any]
    before_start: bool
    reading: gpu.Call[gpu.Sample] | None


@dataclass(frozen=True)
class _Count:
    """A reading of the counters: what the host gave, and the card's if it comes until ``until_ns``."""

    until_ns: int
    reading: gpu.Call[gpu.Counters] | None
    host: Mapping[str, Any]

    def over(self, now_ns: int) -> bool:
        """Whether nothing more is to be expected."""
        return self.reading is None or self.reading.done() or now_ns > self.until_ns

    @property
    def in_time(self) -> gpu.Call[gpu.Counters] | None:
        """The card's answer, None where it did not come in time."""
        came = self.reading is not None and self.reading.done() and self.reading.ended_ns <= self.until_ns
        return self.reading if came else None


@dataclass(frozen=True)
class _Edge:
    """An edge that waits for its reading; ``pays`` where it is the first of those that share it."""

    line: Mapping[str, Any]
    cost_us: float
    count: _Count
    pays: bool


class Samplers(AbstractContextManager["Samplers"]):
    """Makes the sampler of each run of a campaign, and holds the opened card that they share; a context manager.

    ``chosen`` is None where no card is to be sampled, and ``why_no_gpu`` then says why. ``root`` is where /proc and
    /sys are.
    """

    def __init__(
        self,
        chosen: GpuSelection | None = None,
        why_no_gpu: str = "",
        *,
        period_seconds: float = PERIOD_SECONDS,
        open_card: Callable[[str], gpu.Card] = gpu.open_card,
        root: Path = Path("/"),
        clocks: Clocks = Clocks(),  # noqa: B008 (frozen)
        driver: gpu.DriverThread = gpu.DRIVER,
    ) -> None:
        self._card = GpuSource(chosen, why_no_gpu, open_card, root, clocks, driver)
        self._period_ns, self._root, self._clocks = round(period_seconds * 1e9), root, clocks

    def make(self, off: bool = False) -> Sampler:
        """Return a sampler for one run of ``bench.launch.launch.launch``; one that is ``off`` samples nothing."""
        return Sampler(self._card, off, self._period_ns, self._root, self._clocks)

    def close(self) -> None:
        """Leave the driver."""
        self._card.close()

    def __exit__(self, *error: object) -> None:
        self.close()


class Sampler:
    """The sampler of one run (``bench.launch.launch.Sampler``). Raises EnvironmentProblem where the disk is full."""

    def __init__(self, card: GpuSource, off: bool, period_ns: int, root: Path, clocks: Clocks) -> None:
        self._card, self._off, self._root, self._clocks = card, off, root, clocks
        self._schedule = Schedule(period_ns, {each.every for each in SAMPLED})
        self._cost = Cost(clocks)
        self._open = ExitStack()
        self._load: Load | None = None
        self._file: TelemetryFile | None = None
        self._family: ProcessTree | None = None
        self._write: Write = _write_nothing
        self._lost_written = False
        self._row: _Row | None = None
        self._edges: deque[_Edge] = deque()
        self._count: _Count | None = None
        self._counted_for_ns: int | None = None
        self._spent_seconds: float | None = None
        self._peak_bytes: int | None = None
        self._impossible: Counter[str] = Counter()

    def prepare(self, folder: Path, write: Write) -> None:
        """Open everything, write what can be read, and read the counters once before the trainer is started."""
        line = {"event": "harness_sampler", "period_ms": self._schedule.period_ns / 1e6, "off": self._off}
        if self._off:
            write(line)
            return
        self._write = write
        self._file = TelemetryFile(folder / TELEMETRY_FILE)
        self._open.callback(self._file.close)
        self._load = Load(self._root)
        self._open.callback(self._load.close)
        card = self._card.prepare()
        self._lost_written = card is None
        write({**line, "gpu": card, "why_no_gpu": self._card.why_none, "host_absent": list(self._absent(self._load))})
        self._edge("spawn")

    def began(self, pid: int, is_client: bool = False) -> None:
        """Open the files of the trainer's process, or of its client, before it can end."""
        if not self._off:
            self._family = ProcessTree(pid, self._root, is_client)
            self._open.callback(self._family.close)

    def account(self) -> tuple[float | None, int | None]:
        """Return the trainer's CPU time and peak memory as last read."""
        return self._spent_seconds, self._peak_bytes

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Read the counters at an event that begins or ends something, of the first run of a process."""
        if event.run != 0 or self._off:
            return
        if isinstance(event, protocol.Phase):
            if event.name in EDGE_PHASES:
                self._edge(event.name, event.epoch, received_ns)
        elif isinstance(event, (protocol.Hello, protocol.Done)):
            self._edge(event.kind, None, received_ns)

    def tick(self, now_ns: int) -> int | None:
        """Write a row, now or once its reading has returned; return when the next is due, None with telemetry off."""
        if self._file is None:
            return None
        began_ns = self._cost.begin()
        self._write_row()
        self._write_edges()
        number, due_ns = self._schedule.begin(began_ns)
        turns = self._schedule.turns()
        idle = self._card.idle
        reading = self._card.start_sample(SLOW_TICKS in turns)
        came = _came(reading, idle, PATIENCE_SECONDS)
        values = self._host_values(turns)
        cost_us, took_us = self._cost.so_far()
        late_ms = round((began_ns - due_ns) / 1e6, 3)
        values |= {"t_ns": began_ns, "late_ms": late_ms, "cost_us": cost_us, "took_us": took_us}
        self._row = _Row(values, number == 0, reading)
        if came:
            self._write_row()
        self._write_lost()
        return self._schedule.next_due(self._cost.end())

    def ended(self) -> None:
        """Read the counters a last time and close everything; a second call has no effect."""
        with self._open:
            if self._file is not None:
                self._edge("exit")
                for each in self._edges:
                    _came(each.count.reading, True, (each.count.until_ns - self._clocks.now()) / 1e9)
                self._write_edges(all_of_them=True)
                self._write_row()
                self._card.rest()
                self._write_impossible(self._file)
                self._write_lost()
        self._file = self._load = self._family = None

    def _write_row(self) -> None:
        """Write the row that waits, if any, with the result of its reading."""
        row, self._row = self._row, None
        if row is not None and self._file is not None:
            row.values["cost_us"] += _cpu_us(row.reading)
            row.values.update(self._card.values(row.reading, self._family, row.before_start))
            self._file.write(row.values)

    def _edge(self, name: str, epoch: float | None = None, received_ns: int | None = None) -> None:
        """Queue a line with the counters. Events received together share one reading; those received after the end have
        the last one.
        """
        began_ns = self._cost.begin()
        received_together = received_ns is not None and received_ns == self._counted_for_ns
        counts = self._count is None or (self._file is not None and not received_together)
        if self._count is None or counts:
            since_ns = began_ns if received_ns is None else received_ns
            self._count, self._counted_for_ns = self._counters(since_ns + EDGE_TOLERANCE_NS), received_ns
        cost_us, _ = self._cost.so_far()
        where = {} if epoch is None else {"epoch": epoch}
        line = {"event": "harness_edge", "edge": name, **where}
        self._edges.append(_Edge(line, cost_us, self._count, counts))
        self._write_edges(all_of_them=self._file is None)
        self._write_lost()
        self._cost.end()

    def _write_edges(self, all_of_them: bool = False) -> None:
        """Write the edges whose readings have returned, or are too late by now, in their order."""
        now_ns = self._clocks.now()
        while self._edges and (all_of_them or self._edges[0].count.over(now_ns)):
            edge = self._edges.popleft()
            card = asdict(self._card.counters(edge.count.in_time))
            read, impossible = possible({**edge.count.host, **card})
            self._impossible.update(impossible)
            read = {key: value for key, value in read.items() if value is not None and value != {}}
            cost_us = edge.cost_us + (_cpu_us(edge.count.reading) if edge.pays else 0.0)
            self._write({**edge.line, **read, "cost_us": cost_us})

    def _counters(self, until_ns: int) -> _Count:
        """Read COUNTERS."""
        found: dict[str, Any] = {"t_ns": self._clocks.now()}
        idle = self._card.idle
        reading = self._card.start_counters(until_ns)
        _came(reading, idle, PATIENCE_SECONDS)
        if self._load is not None:
            found |= self._load.read(_HOST_COUNTERS)
        if self._family is not None:
            self._family.refresh()
            found |= self._trainer_values(_TRAINER_COUNTERS)
            # The maximum so far: the largest process may have ended before the first one of its container.
            peaks = filter(None, (self._family.peak_bytes(), self._peak_bytes))
            self._peak_bytes = max(peaks, default=None)
        return _Count(until_ns, reading, found)

    def _host_values(self, turns: frozenset[int]) -> dict[str, Any]:
        """Read what is due of the host and of the trainer."""
        host, trainer = _due(turns)
        found = self._load.read(host) if host and self._load else {}
        if EACH_SECOND in turns and self._family is not None:
            self._family.refresh()
        return found | self._trainer_values(trainer)

    def _trainer_values(self, metrics: Sequence[Metric]) -> dict[str, Any]:
        if self._family is None:
            return {}
        found = _read_tree(self._family, metrics)
        spent = found.get("trainer_cpu_seconds")
        self._spent_seconds = self._spent_seconds if spent is None else spent
        return found

    def _absent(self, load: Load) -> tuple[str, ...]:
        """The names of what this machine does not show; our own process stands for the trainer's."""
        ourselves = ProcessTree(os.getpid(), self._root)
        shown = _read_tree(ourselves, read_from("trainer"))
        ourselves.close()
        return (*(name for name, value in shown.items() if value is None), *load.absent)

    def _write_impossible(self, file: TelemetryFile) -> None:
        counts = self._impossible + self._card.take_impossible() + file.impossible
        if counts:
            self._write({"event": "harness_impossible", "counts": dict(sorted(counts.items()))})

    def _write_lost(self) -> None:
        if self._card.lost and not self._lost_written:
            self._lost_written = True
            self._write({"event": "harness_gpu_lost", "t_ns": self._clocks.now(), "why": self._card.lost})


@cache
def _due(turns: frozenset[int]) -> tuple[tuple[Metric, ...], tuple[Metric, ...]]:
    """What is read of the host and of the trainer on a tick of these turns."""
    due = tuple(each for each in SAMPLED if each.every in turns)
    return read_from("host", due), read_from("trainer", due)


def _read_tree(family: ProcessTree, metrics: Sequence[Metric]) -> dict[str, Any]:
    """The values of these rows, by name."""
    return {each.name: getattr(family, each.call)() for each in metrics}


def _came(reading: gpu.Call[Any] | None, idle: bool, seconds: float) -> bool:
    """Whether a reading, if any, has returned, after waiting for it where the driver was ``idle`` before."""
    return reading is None or reading.done(max(0.0, seconds) if idle else 0.0)


def _cpu_us(reading: gpu.Call[Any] | None) -> float:
    """CPU time of a reading that has returned."""
    return reading.cpu_ns / 1000 if reading is not None and reading.done() else 0.0


def _write_nothing(line: Mapping[str, Any]) -> None:
    """Drop a line, as there is no run yet."""
