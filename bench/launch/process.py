"""A trainer's process: started so that it does not outlive the harness, signalled with its group, and collected."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
Started = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Exit:
    """What the kernel says about a process that has ended; ``peak_memory_bytes`` is the largest resident set.

    ``reason`` is what is known of why it ended as it did, beyond what it said itself.
    """

    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    reason: str = ""


class Child:
    """A trainer's process and the group it leads. ``is_client``: it only stands for a trainer that runs elsewhere."""

    is_client = False

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def ended(self) -> bool:
        """The process is over. It is not reaped yet, so its number still means this group and nobody else's."""
        return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens where it is gone."""
        if self._popen.returncode is not None:  # Reaped: the number may be anybody's by now.
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def collect(self) -> Exit:
        """Kill what is left of the group and reap the process."""
        self.signal(signal.SIGKILL)
        _, status, usage = os.wait4(self._popen.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._popen.returncode = code
        return Exit(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            # In KiB on Linux (getrusage(2)), and never below what the harness held when it forked.
            peak_memory_bytes=usage.ru_maxrss * 1024,
        )


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    log: IO[bytes],
    make: Callable[[Started], Child] = Child,
) -> Child:
    """Start a trainer in a session of its own, its output in ``log``. Raises OSError where there is no such program."""
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def die_with_the_harness() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died between fork and here, so no signal will come.
            os._exit(1)

    started = subprocess.Popen(
        list(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=die_with_the_harness,
    )  # fmt: skip
    return make(started)


Spawner = Callable[[Sequence[str], Mapping[str, str], Path, IO[bytes]], Child]
