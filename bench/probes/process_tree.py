"""What the trainer's process and its live descendants have used, read cheaply enough for four times a second.

The kernel adds the time of a child to that of its parent when the parent waits for it (``cutime`` in /proc/PID/stat).
So a live child is counted by itself, one that was waited for within its parent, and none twice. The time of a child
that is not waited for is lost. Fields and files: proc(5).

However many children a trainer has, this takes a dozen descriptors and about a millisecond: the files of the process
and of HELD_OPEN descendants stay open, those of more are opened for every reading, and those beyond MOST_DESCENDANTS
are not read, so their time counts as that of the rest of the machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from bench.probes.ownership import Ownership
from bench.probes.pseudofile import PAGE, PseudoFile

#: A kept file is read in 5 us, one that is opened for it in 8 us.
HELD_OPEN, MOST_DESCENDANTS = 8, 128
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: utime, stime, cutime and cstime, and the start, counted from the field after the name, which may hold spaces.
_TIMES, _START = slice(11, 15), 19
_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class _Gone(Exception):
    """The process is over and was waited for."""


class _Member:
    """The files of one process: ``stat`` is kept open where it is ``held``, the others are opened for every reading.

    A file kept open stays that of the process even if its number is reused; an opened one is checked by the start time.
    """

    def __init__(self, root: Path, pid: int, held: bool) -> None:
        self.held = held
        folder = f"{root}/proc/{pid}"  # No Path: to put one together takes as long as to read the file.
        self._stat_path, self._io_path = f"{folder}/stat", f"{folder}/io"
        self._statm_path, self._status_path = f"{folder}/statm", f"{folder}/status"
        # Of the main thread alone, which starts the workers of known trainers; a file for each thread costs too much.
        self._children_path = f"{folder}/task/{pid}/children"
        self._stat: int | None = None
        self._start: bytes | None = None
        if held:
            try:
                self._stat = os.open(self._stat_path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:  # Then it is opened for every reading.
                self._stat = None

    def cpu_ticks(self) -> int | None:
        """CPU time, its own and of the children it has waited for; None where it cannot be read now.

        Raises _Gone where the process is.
        """
        try:
            shown = _look(self._stat_path) if self._stat is None else os.pread(self._stat, PAGE, 0)
        except (FileNotFoundError, ProcessLookupError):
            raise _Gone from None
        except OSError:
            return None
        words = shown.rpartition(b")")[2].split()
        if len(words) <= _START or words[_START] != (self._start or words[_START]):
            raise _Gone
        self._start = words[_START]
        return sum(map(int, words[_TIMES]))

    def children(self) -> list[int]:
        """Its children, as many as one read gives (some 700); none where they cannot be read."""
        try:
            return [int(pid) for pid in _look(self._children_path).split()]
        except OSError:
            return []

    def disk_bytes(self) -> int | None:
        """Bytes read from a disk by it and by the children it has waited for."""
        try:
            lines = _look(self._io_path).splitlines()
        except OSError:
            return None
        for line in lines:
            name, _, value = line.partition(b": ")
            if name == b"read_bytes":
                return int(value)
        return None

    def resident_bytes(self) -> int | None:
        """Its memory now."""
        try:
            words = _look(self._statm_path).split()
        except OSError:
            return None
        return int(words[1]) * _PAGE_BYTES if len(words) > 1 else None

    def peak_bytes(self) -> int | None:
        """The most memory it ever had (VmHWM)."""
        try:
            found = _PEAK.search(_look(self._status_path))
        except OSError:
            return None
        return int(found[1]) * 1024 if found else None

    def close(self) -> None:
        if self._stat is not None:
            os.close(self._stat)
            self._stat = None


class ProcessTree:
    """A process and its live descendants; ``pids`` are theirs, the process itself first.

    ``is_client``: the process is the client of a container engine; the tree then are the processes that were given the
    client's ``BENCH_EVENTS``, and their descendants, and all values are None until one is found and after all have
    ended. A value is None where a file cannot be read, also for lack of descriptors; nothing is raised.
    """

    def __init__(self, pid: int, root: Path = Path("/"), is_client: bool = False) -> None:
        self._pid, self._root, self._is_client = pid, root, is_client
        self._elsewhere: set[int] = set()
        self._statm = PseudoFile(root / "proc" / str(pid) / "statm")
        self._members = {pid: _Member(root, pid, held=True)}
        self.ownership = Ownership(pid, root)

    @property
    def pids(self) -> frozenset[int]:
        """The process and its known descendants, MOST_DESCENDANTS at most."""
        return frozenset(self._members)

    def refresh(self) -> None:
        """Look for new descendants. A known one stays one, also where the parent between has ended."""
        if self._is_client and not self._elsewhere:
            for pid in self.ownership.elsewhere():
                if pid not in self._members and len(self._members) <= MOST_DESCENDANTS:
                    self._members[pid] = self._meet(pid)
                    self._elsewhere.add(pid)
        unasked = list(self._members.values())
        while unasked and len(self._members) <= MOST_DESCENDANTS:
            for pid in unasked.pop().children():
                if pid not in self._members and len(self._members) <= MOST_DESCENDANTS:
                    self._members[pid] = self._meet(pid)
                    unasked.append(self._members[pid])

    def cpu_seconds(self) -> float | None:
        """Return the CPU time of all so far; None where that of one cannot be read, or the process is gone."""
        while True:
            # Parents first, and all again where one has ended meanwhile, as its time may have moved to its parent.
            spent: list[int | None] = []
            gone: list[int] = []
            for pid, member in self._members.items():
                try:
                    spent.append(member.cpu_ticks())
                except _Gone:
                    gone.append(pid)
            if self._pid in gone:
                return None
            if self._is_client and self._elsewhere <= {*gone}:
                self._forget(gone)
                return None
            if not gone:
                return sum(filter(None, spent)) / _TICKS_PER_SECOND if None not in spent else None
            self._forget(gone)

    def _forget(self, gone: Iterable[int]) -> None:
        for pid in gone:
            self._members.pop(pid).close()
            self._elsewhere.discard(pid)

    def disk_bytes(self) -> int | None:
        """Return bytes read from a disk, not the page cache; None where the process may not be read."""
        if self._is_client:
            read = [member.disk_bytes() for member in self._contained()]
            return None if not read or None in read else sum(filter(None, read))
        own, *others = [member.disk_bytes() for member in self._members.values()]
        return None if own is None else own + sum(filter(None, others))

    def resident_bytes(self) -> int | None:
        """Return the memory of the process itself, in a container of the largest one; None once it has ended."""
        if self._is_client:
            return max(filter(None, (member.resident_bytes() for member in self._contained())), default=None)
        words = self._statm.read().split()
        return int(words[1]) * _PAGE_BYTES or None if len(words) > 1 else None

    def peak_bytes(self) -> int | None:
        """Return the peak memory of the largest process of a container."""
        return max(filter(None, (member.peak_bytes() for member in self._contained())), default=None)

    def _contained(self) -> list[_Member]:
        """The container's first process, found by its environment, and its descendants."""
        return [member for pid, member in self._members.items() if self._elsewhere and pid != self._pid]

    def close(self) -> None:
        """Give all descriptors back."""
        self._statm.close()
        for member in self._members.values():
            member.close()

    def _meet(self, pid: int) -> _Member:
        held = sum(member.held for member in self._members.values()) <= HELD_OPEN
        return _Member(self._root, pid, held)


def _look(path: str) -> bytes:
    """What one read of a file of the kernel gives. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(file, PAGE, 0)
    finally:
        os.close(file)
