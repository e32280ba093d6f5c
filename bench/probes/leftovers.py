"""Processes that are still there though the trainer that started them, or their parents, has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A live process: its number, and the name the kernel has for it (15 characters at most)."""

    pid: int
    name: str


def carrying(variable: str, value: str, root: Path = Path("/")) -> tuple[Process, ...]:
    """The live processes that were started with ``variable`` set to ``value``, as far as we may look.

    A child inherits the variable whatever session or group it moves to, so it tells a run's processes from all others.
    One that has ended and was not collected yet has no environment and is not among them (proc(5)).
    """
    wanted = f"{variable}={value}".encode()
    found = []
    for folder in root.glob("proc/[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(Process(int(folder.name), (folder / "comm").read_text(errors="replace").strip()))
        except OSError:  # another user's, or gone meanwhile
            continue
    return tuple(sorted(found, key=lambda each: each.pid))
