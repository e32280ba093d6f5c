"""The processes that this one is the parent of: what it started itself, and what it was made the parent of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.probes.pseudofile import PAGE

_ENDED = "ZX"


@dataclass(frozen=True)
class Process:
    """A process: its number, the name the kernel has for it (15 characters at most), and whether it still runs.

    One that does not has ended and waits to be reaped.
    """

    pid: int
    name: str
    running: bool = True


def children(root: Path = Path("/")) -> tuple[Process, ...]:
    """The children of this process, of all its threads, in the order of their numbers.

    Reads the parent of every process of the machine, a few microseconds each: /proc/self/task/*/children would
    be quicker, but leaves out some while others end (proc(5)), and not every kernel has it (CONFIG_PROC_CHILDREN).
    """
    found = []
    me = os.getpid()
    try:
        names = os.listdir(root / "proc")
    except FileNotFoundError:
        return ()
    for number in filter(str.isdecimal, names):
        try:
            # No Path: a large machine has thousands of processes, and to put one together takes as long as to read.
            file = os.open(f"{root}/proc/{number}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # gone meanwhile
            continue
        try:
            shown = os.read(file, PAGE)
        except OSError:  # the same
            continue
        finally:
            os.close(file)
        # The name is in parentheses and may hold any character; state and parent come after it (proc(5)).
        before, _, after = shown.decode("utf-8", "replace").rpartition(")")
        state, parent, *_ = after.split()
        if int(parent) == me:
            found.append(Process(int(number), before.partition("(")[2], state not in _ENDED))
    return tuple(sorted(found, key=lambda each: each.pid))
