"""What a trainer has started and left behind, wherever it moved to: found, and ended.

A process whose parent ends is given to the nearest ancestor that reaps orphans, whatever session or group it moved to
and whatever is in its environment (PR_SET_CHILD_SUBREAPER, prctl(2), Linux 3.4). While a run lasts that is the harness,
so a daemon of the trainer's shows as a child of the harness as soon as the trainer is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from types import TracebackType

from bench.launch import child_processes
from bench.probes import ownership

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
#: SIGKILL takes a millisecond or two. What goes on longer is stuck in a driver, belongs to another user, or begets
#: faster than it can be killed.
_SECONDS_TO_DIE = 2.0
_LOOK_EVERY_SECONDS = 0.002


class Orphans:
    """Within ``with``, this process is the parent of every orphan among its descendants.

    Children that were there before are not meant: somebody else of this process has started them. The first process of
    a container (``is_init``) is given what ``docker exec`` leaves behind, too; so there only those are meant that were
    started with ``events`` as their ``BENCH_EVENTS``. ``adopted`` is False where the kernel did not agree, and then
    what is left behind is not known.
    """

    def __init__(self, events: Path, is_init: bool | None = None) -> None:
        self._events = events
        self._is_init = os.getpid() == 1 if is_init is None else is_init

    def __enter__(self) -> Orphans:
        self._libc, before = ctypes.CDLL(None), ctypes.c_int()
        self._libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
        self._reaped_before = before.value
        self.adopted = self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self._others = {each.pid for each in child_processes.children()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._libc.prctl(_PR_SET_CHILD_SUBREAPER, self._reaped_before, 0, 0, 0)

    def running(self) -> tuple[child_processes.Process, ...]:
        """Those that are there and run; the trainer itself is among them while it lives."""
        return tuple(each for each in self._all() if each.running)

    def end(self) -> tuple[child_processes.Process, ...]:
        """Kill and reap them, and what they leave behind in turn, and return those that had to be killed.

        For when the trainer is reaped. Gives up after 2 s: what is stuck in the kernel or another user's is left.
        """
        killed: dict[int, child_processes.Process] = {}
        until = time.monotonic() + _SECONDS_TO_DIE
        while (found := self._all()) and time.monotonic() < until:
            for each in found:
                with contextlib.suppress(OSError):
                    if each.running:
                        killed.setdefault(each.pid, each)
                        os.kill(each.pid, signal.SIGKILL)
                    else:
                        os.waitpid(each.pid, os.WNOHANG)
            if all(each.running for each in found):
                time.sleep(_LOOK_EVERY_SECONDS)
        return tuple(killed.values())

    def _all(self) -> tuple[child_processes.Process, ...]:
        found = (each for each in child_processes.children() if each.pid not in self._others)
        return tuple(each for each in found if not each.running or self._is_meant(each.pid))

    def _is_meant(self, pid: int) -> bool:
        return not self._is_init or ownership.was_started_with(pid, self._events)
