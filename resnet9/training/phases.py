"""The phases of a training process: contiguous stretches, each ended by the beginning of the next."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from bench.protocol import STARTED_VARIABLE, Phase, Writer

#: From the start of a container to that of the process in it: more than a slow disk needs.
LONGEST_START_NS = 600_000_000_000


class PhaseLog:
    """Names what the process is doing from its start; reports each phase to the harness when it has ended.

    Phases that end before the harness has been greeted are held back until ``release``. What is printed and sent at
    the end of an epoch is charged to the phase that follows, so reporting never makes a training time shorter than it
    was.
    """

    def __init__(self, writer: Writer, first: str = "import") -> None:
        self._writer = writer
        self._name, self._epoch = first, None  # type: tuple[str, float | None]
        self._began_ns = began_ns()
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


def began_ns(environ: Mapping[str, str] = os.environ) -> int:
    """Where the first phase begins: when the harness started this run, which in a container is some time before this
    process began, and without a harness when it began.
    """
    own_ns = process_start_ns()
    try:
        started_ns = int(environ[STARTED_VARIABLE])
    except (KeyError, ValueError):
        return own_ns
    # A variable that an earlier run left behind in a shell is of another day, or of another boot.
    return started_ns if 0 <= own_ns - started_ns < LONGEST_START_NS else own_ns


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
