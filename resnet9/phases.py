"""The phases of a training process: contiguous stretches, each ended by the beginning of the next."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.protocol import Phase, Writer


class PhaseLog:
    """Names what the process is doing, from its first instant; tells the harness about each phase when it has ended.

    Phases that end before the harness has been greeted are held back until ``release``. What is printed and sent at
    the end of an epoch is charged to the phase that follows, so reporting never makes a training time shorter than it
    was.
    """

    def __init__(self, writer: Writer, first: str = "import") -> None:
        self._writer = writer
        self._name, self._epoch = first, None  # type: tuple[str, float | None]
        self._began_ns = process_start_ns()
        self._held: list[Phase] | None = []

    def next(self, name: str, epoch: float | None = None) -> float:
        """End the running phase and begin ``name`` in the same instant; returns the seconds the ended one took."""
        now_ns = time.monotonic_ns()
        ended = Phase(self._name, self._began_ns, now_ns, self._epoch)
        self._name, self._epoch, self._began_ns = name, epoch, now_ns
        if self._held is not None:
            self._held.append(ended)
        else:
            self._writer.emit(ended)
        return (ended.end_ns - ended.begin_ns) / 1e9

    def close(self) -> None:
        """End the running phase, the last one."""
        self.next("exit")

    def release(self) -> None:
        """Send what was held back; from here on phases are sent as they end."""
        held, self._held = self._held or [], None
        for phase in held:
            self._writer.emit(phase)


def process_start_ns() -> int:
    """When this process began, on CLOCK_MONOTONIC, from /proc (to one clock tick, usually 10 ms); now where /proc is
    not there.

    The kernel counts process starts on CLOCK_BOOTTIME (proc(5), field 22), which differs from CLOCK_MONOTONIC by time
    suspended.
    """
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        since_boot_ns = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        offset_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        return min(since_boot_ns - offset_ns, time.monotonic_ns())
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic_ns()
