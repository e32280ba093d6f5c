"""Reads the machine while a trainer runs: a row of ``telemetry.csv`` four times a second, counters at the edges.

It runs in the harness, which sleeps otherwise, and never in the trainer, whose input loop it would delay. Ticks are due
on a fixed schedule from the first one, ``start + k x period``: a late one does not move the next, and one that was
missed is left out, so that ``k`` of every row can be told from ``t_ns`` and ``late_ms``. What it writes, and what it
costs itself, is described in ``bench.record.telemetry``; nothing it keeps grows with the length of a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from bench import protocol
from bench.probes import gpu
from bench.probes.family import Family
from bench.probes.load import Load
from bench.record.telemetry import TELEMETRY_FILE
from bench.telemetry_file import TelemetryFile
from bench.tick_times import Clocks, Cost, Schedule
from bench.watched_card import Card, Chosen, WatchedCard

#: NVML's own utilisation period is 1/6 s to 1 s, by product: more ticks would read the same values again.
PERIOD_SECONDS = 0.25
#: What moves slowly, or costs more to read, is read on every so manieth tick.
_SYSTEM_TICKS, _SLOW_TICKS = 4, 10
#: Phases whose end is an edge. The others are import and compilation, or end where one of these begins.
EDGE_PHASES = ("preprocess", "train_k", "eval_k", "final_eval")

Write = Callable[[Mapping[str, Any]], None]
#: Of a state, in the order of the columns of ``telemetry.csv``.
_SYSTEM_VALUES = attrgetter(
    "system_busy_seconds",
    "steal_seconds",
    "cpu_mhz",
    "load_average",
    "memory_available_bytes",
    "page_cache_bytes",
    "swapped_bytes",
)
_NO_SYSTEM_VALUES: tuple[None, ...] = (None,) * 7


class Samplers:
    """Makes the sampler of each run of a campaign, and holds what the runs share, the opened card; a context manager.

    ``chosen`` is None where no card is to be sampled, and ``why_no_gpu`` then says why; ``off`` where the person wants
    no telemetry. ``root`` is where /proc and /sys are.
    """

    def __init__(
        self,
        chosen: Chosen | None = None,
        why_no_gpu: str = "",
        *,
        off: bool = False,
        period_seconds: float = PERIOD_SECONDS,
        open_card: Callable[[str], Card] = gpu.open_card,
        root: Path = Path("/"),
        clocks: Clocks = Clocks(),  # noqa: B008 (frozen)
    ) -> None:
        self._card = WatchedCard(chosen, why_no_gpu, open_card, root)
        self._off, self._period_ns, self._root, self._clocks = off, round(period_seconds * 1e9), root, clocks

    def make(self) -> Sampler:
        """A sampler for one run, to be given to ``bench.execute.run``; one run at a time."""
        return Sampler(self._card, self._off, self._period_ns, self._root, self._clocks)

    def close(self) -> None:
        """Leave the driver."""
        self._card.close()

    def __enter__(self) -> Samplers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Sampler:
    """The sampler of one run (``bench.execute.Sampler``). Raises EnvironmentProblem where the disk is full."""

    def __init__(self, card: WatchedCard, off: bool, period_ns: int, root: Path, clocks: Clocks) -> None:
        self._card, self._off, self._root, self._clocks = card, off, root, clocks
        self._schedule = Schedule(period_ns)
        self._cost = Cost(clocks)
        self._open = ExitStack()
        self._load: Load | None = None
        self._file: TelemetryFile | None = None
        self._family: Family | None = None
        self._write: Write = _write_nothing
        self._lost_told = False
        self._read: dict[str, Any] = {}
        self._read_for_ns: int | None = None
        self._spent_seconds: float | None = None
        self._peak_bytes: int | None = None

    def prepare(self, folder: Path, write: Write) -> None:
        """Open everything, say what can be read, and read the counters once before the trainer is there."""
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
        self._lost_told = card is None
        write({**line, "gpu": card, "why_no_gpu": self._card.why_none, "host_absent": list(self._absent(self._load))})
        self._edge("spawn")

    def began(self, pid: int, is_client: bool = False) -> None:
        """The trainer's process, or its client, has this number; its accounts are opened before it can end."""
        if not self._off:
            self._family = Family(pid, self._root, is_client)
            self._open.callback(self._family.close)

    def account(self) -> tuple[float | None, int | None]:
        """What was last read of the trainer's CPU time and of the most memory it had."""
        return self._spent_seconds, self._peak_bytes

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Read the counters where an edge of the run, the first of its process, or of an epoch was announced."""
        if event.run != 0 or self._off:
            return
        if isinstance(event, protocol.Phase):
            if event.name in EDGE_PHASES:
                self._edge(event.name, event.epoch, received_ns)
        elif isinstance(event, (protocol.Hello, protocol.Done)):
            self._edge(event.kind, None, received_ns)

    def tick(self, now_ns: int) -> int | None:
        """Write a row, and say when the next is due; None where telemetry is off."""
        if self._file is None:
            return None
        began_ns = self._cost.begin()
        number, due_ns = self._schedule.begin(began_ns)
        slow = self._schedule.is_turn(_SLOW_TICKS)
        system = self._schedule.is_turn(_SYSTEM_TICKS)
        values = (
            *self._card.values(slow, self._family, young=number == 0),
            *self._trainer_values(system),
            *(_SYSTEM_VALUES(self._load.state()) if system and self._load else _NO_SYSTEM_VALUES),
        )
        self._file.write((began_ns, round((began_ns - due_ns) / 1e6, 3), *self._cost.so_far(), *values))
        self._tell_lost()
        return self._schedule.next_due(self._cost.end())

    def ended(self) -> None:
        """Read the counters a last time and close everything; a second call does nothing."""
        with self._open:
            if self._file is not None:
                self._edge("exit")
        self._file = self._load = self._family = None

    def _edge(self, name: str, epoch: float | None = None, received_ns: int | None = None) -> None:
        """Write a line with the counters. Edges that were announced in one breath share one reading, and those that are
        heard of after the end have the last one.
        """
        self._cost.begin()
        in_one_breath = received_ns is not None and received_ns == self._read_for_ns
        if self._file is not None and not in_one_breath:
            self._read, self._read_for_ns = self._counters(), received_ns
        cost_us, _ = self._cost.so_far()
        where = {} if epoch is None else {"epoch": epoch}
        self._write({"event": "harness_edge", "edge": name, **where, **self._read, "cost_us": cost_us})
        self._tell_lost()
        self._cost.end()

    def _counters(self) -> dict[str, Any]:
        """What only grows, and the temperature, by its name in a line; what is not known is left out."""
        found: dict[str, Any] = {"t_ns": self._clocks.now(), **asdict(self._card.counters())}
        if self._load is not None:
            found |= asdict(self._load.totals())
        if self._family is not None:
            self._family.refresh()
            found["trainer_cpu_seconds"] = spent = self._family.cpu_seconds()
            self._spent_seconds = self._spent_seconds if spent is None else spent
            # Of those that are left: the largest may have ended before the first process of its container.
            peaks = filter(None, (self._family.peak_bytes(), self._peak_bytes))
            self._peak_bytes = max(peaks, default=None)
            found["read_bytes"] = self._family.disk_bytes()
        return {name: value for name, value in found.items() if value is not None and value != {}}

    def _trainer_values(self, look_around: bool) -> tuple[float | None, int | None]:
        if self._family is None:
            return None, None
        if look_around:
            self._family.refresh()
        spent = self._family.cpu_seconds()
        self._spent_seconds = self._spent_seconds if spent is None else spent
        return spent, self._family.resident_bytes()

    def _absent(self, load: Load) -> tuple[str, ...]:
        """Names of what this machine does not show; of a process, ours stands for the trainer's."""
        ourselves = Family(os.getpid(), self._root)
        shown = {
            "trainer_cpu_seconds": ourselves.cpu_seconds(),
            "trainer_memory_bytes": ourselves.resident_bytes(),
            "read_bytes": ourselves.disk_bytes(),
        }
        ourselves.close()
        return (*(name for name, value in shown.items() if value is None), *load.absent)

    def _tell_lost(self) -> None:
        if self._card.lost and not self._lost_told:
            self._lost_told = True
            self._write({"event": "harness_gpu_lost", "t_ns": self._clocks.now(), "why": self._card.lost})


def _write_nothing(line: Mapping[str, Any]) -> None:
    """Where a line goes before there is a run."""
