"""What the trainer's process and its live descendants have used, read cheaply enough for four times a second.

The kernel adds the time of a child to its parent's account when the parent waits for it (``cutime`` in
/proc/PID/stat). So a live child is counted by itself, one that was waited for within its parent, and none twice. A
child that nobody waits for takes its time with it. Fields and files: proc(5).
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.probes.pseudofile import PseudoFile

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: utime, stime, cutime and cstime, counted from the field after the name, which may hold spaces.
_TIMES = slice(11, 15)


class _Member:
    """The files of one process. An opened file stays that process's, whoever gets its number later."""

    def __init__(self, root: Path, pid: int) -> None:
        folder = root / "proc" / str(pid)
        self.stat = PseudoFile(folder / "stat")
        self.io = PseudoFile(folder / "io")
        # Of the main thread, which starts the workers of every trainer we know; a file for each thread costs too much.
        self.children = PseudoFile(folder / "task" / str(pid) / "children")

    def cpu_ticks(self) -> int | None:
        """CPU time, its own and of the children it has waited for; None where the process is gone."""
        times = self.stat.read().rpartition(b")")[2].split()[_TIMES]
        return sum(map(int, times)) if len(times) == 4 else None

    def disk_bytes(self) -> int | None:
        """Bytes that it had fetched from a disk, and the children it has waited for."""
        for line in self.io.read().splitlines():
            name, _, value = line.partition(b": ")
            if name == b"read_bytes":
                return int(value)
        return None

    def close(self) -> None:
        for file in (self.stat, self.io, self.children):
            file.close()


class Family:
    """A process and its live descendants; ``pids`` are theirs, the process itself first."""

    def __init__(self, pid: int, root: Path = Path("/")) -> None:
        self._pid, self._root = pid, root
        self._statm = PseudoFile(root / "proc" / str(pid) / "statm")
        self._members = {pid: _Member(root, pid)}

    @property
    def pids(self) -> frozenset[int]:
        """The numbers of all that were alive when last looked at."""
        return frozenset(self._members)

    def refresh(self) -> None:
        """Look for descendants that are new. Who was one stays one, also where the parent between has ended."""
        unasked = list(self._members.values())
        while unasked:
            for pid in map(int, unasked.pop().children.read().split()):
                if pid not in self._members:
                    self._members[pid] = _Member(self._root, pid)
                    unasked.append(self._members[pid])

    def cpu_seconds(self) -> float | None:
        """CPU time that the family has spent so far; None where the process itself cannot be read."""
        while True:
            # Parents first, and all again where one has ended meanwhile: it may have passed on its time in between.
            spent = {pid: member.cpu_ticks() for pid, member in self._members.items()}
            if spent[self._pid] is None:
                return None
            if not self._drop([pid for pid, ticks in spent.items() if ticks is None]):
                return sum(ticks for ticks in spent.values() if ticks is not None) / _TICKS_PER_SECOND

    def disk_bytes(self) -> int | None:
        """Bytes that had to come from a disk and not from the page cache; None where the process may not be asked."""
        own, *others = [member.disk_bytes() for member in self._members.values()]
        return None if own is None else own + sum(filter(None, others))

    def resident_bytes(self) -> int | None:
        """Memory of the process itself; None once it has ended, when the kernel shows 0."""
        words = self._statm.read().split()
        return int(words[1]) * _PAGE_BYTES or None if len(words) > 1 else None

    def close(self) -> None:
        """Give all descriptors back."""
        self._statm.close()
        for member in self._members.values():
            member.close()

    def _drop(self, pids: list[int]) -> bool:
        for pid in pids:
            self._members.pop(pid).close()
        return bool(pids)
