"""The processes that this one is the parent of: what it started itself, and what it was made the parent of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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

    Every process of the machine is asked who its parent is, a few microseconds each: /proc/self/task/*/children would
    be quicker, but leaves out some while others end (proc(5)), and not every kernel has it (CONFIG_PROC_CHILDREN).
    """
    found = []
    for folder in root.glob("proc/[0-9]*"):
        try:
            # The name is in parentheses and may hold any character; state and parent come after it (proc(5)).
            before, after = (folder / "stat").read_text(errors="replace").rsplit(")", 1)
        except OSError:  # gone meanwhile
            continue
        state, parent, *_ = after.split()
        if int(parent) == os.getpid():
            found.append(Process(int(folder.name), before.split("(", 1)[1], state not in _ENDED))
    return tuple(sorted(found, key=lambda each: each.pid))
