"""The sampler's time: when its ticks are due, what is read on which of them, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clocks:
    """Nanoseconds of CLOCK_MONOTONIC, as events have them, and of the CPU time of the thread that samples."""

    now: Clock = time.monotonic_ns
    cpu: Clock = time.thread_time_ns


class Schedule:
    """Ticks that are due at ``start + k x period``, and what is done on every nth of them, for each n of ``every``."""

    def __init__(self, period_ns: int, every: Iterable[int] = ()) -> None:
        self.period_ns = period_ns
        self._start_ns: int | None = None
        self._number = 0
        self._next_turn = dict.fromkeys(every, 0)

    def begin(self, now_ns: int) -> tuple[int, int]:
        """The number of the tick that begins now and when it was due; the first sets the start."""
        if self._start_ns is None:
            self._start_ns = now_ns
        return self._number, self._start_ns + self._number * self.period_ns

    def turns(self) -> frozenset[int]:
        """Each n of which this tick is the first since the last multiple, also where that one was missed."""
        due = [every for every, number in self._next_turn.items() if self._number >= number]
        for every in due:
            self._next_turn[every] = (self._number // every + 1) * every
        return frozenset(due)

    def next_due(self, now_ns: int) -> int:
        """When the next tick is due; those whose time has passed are missed."""
        assert self._start_ns is not None
        self._number = max(self._number, (now_ns - self._start_ns) // self.period_ns) + 1
        return self._start_ns + self._number * self.period_ns


class Cost:
    """The cost of reading and writing, in microseconds of CPU time and of wall-clock time.

    The cost of writing a line cannot be in that line; it is carried over to the next.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._cpu_ns = self._wall_ns = 0
        self._carried_cpu_ns = self._carried_wall_ns = 0

    def begin(self) -> int:
        """Begin to count, and return the time (CLOCK_MONOTONIC)."""
        self._wall_ns, self._cpu_ns = self._clocks.now(), self._clocks.cpu()
        return self._wall_ns

    def so_far(self) -> tuple[float, float]:
        """Return CPU and wall-clock time since ``begin`` with what was carried over; the rest until ``end`` is carried
        over to the next.
        """
        cpu_ns, wall_ns = self._clocks.cpu(), self._clocks.now()
        spent_us = (
            (cpu_ns - self._cpu_ns + self._carried_cpu_ns) / 1000,
            (wall_ns - self._wall_ns + self._carried_wall_ns) / 1000,
        )
        self._cpu_ns, self._wall_ns = cpu_ns, wall_ns
        return spent_us

    def end(self) -> int:
        """Carry over the rest, and return the time (CLOCK_MONOTONIC)."""
        cpu_ns, wall_ns = self._clocks.cpu(), self._clocks.now()
        self._carried_cpu_ns, self._carried_wall_ns = cpu_ns - self._cpu_ns, wall_ns - self._wall_ns
        return wall_ns


Clock = Callable[[], int]
