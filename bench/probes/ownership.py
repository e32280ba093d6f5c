"""Who owns a process on the card that is not among the known descendants of the trainer.

A child of another thread than the trainer's main one, or one of very many, is not among them. It belongs to the trainer
if it is in the trainer's session, or was started with the trainer's ``BENCH_EVENTS``. The latter also finds a trainer
in a container, which is a descendant of the engine's daemon, if the variable was passed on unchanged and we may read
its environment, as root or as the same user. Files and fields: proc(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from bench import protocol

_MARK = f"{protocol.EVENTS_VARIABLE}=".encode()
#: The session's number, counted from the field after the name, which may hold spaces.
_SESSION = 3


class Owner(Enum):
    """Who owns a process: ``HIDDEN`` where we may not look, ``GONE`` where there is no such process."""

    TRAINER = "trainer"
    SOMEBODY_ELSE = "somebody else"
    HIDDEN = "hidden"
    GONE = "gone"


class Ownership:
    """Finds the owners of processes, and remembers them between calls of ``of`` that name the same process."""

    def __init__(self, trainer: int, root: Path = Path("/")) -> None:
        """``trainer`` leads its session. Its environment is read now, as it may rewrite it or end, or, as the kernel
        shows none while a program is being loaded, when it is needed.
        """
        self._trainer, self._root = trainer, root
        self._known: dict[int, Owner] = {}
        self._found_mark = self._read_mark()

    @property
    def _wanted(self) -> bytes | None:
        self._found_mark = self._found_mark or self._read_mark()
        return self._found_mark

    def _read_mark(self) -> bytes | None:
        try:
            return _mark((self._root / "proc" / str(self._trainer) / "environ").read_bytes())
        except OSError:
            return None

    def of(self, pids: Iterable[int]) -> dict[int, Owner]:
        """Return the owner of each process; others are forgotten, as their numbers may be reused."""
        owners = {}
        for pid in pids:
            known = self._known.get(pid, Owner.GONE)
            owners[pid] = self._look_up(pid) if known is Owner.GONE else known
        self._known = owners
        return owners

    def elsewhere(self) -> tuple[int, ...]:
        """Return the processes outside the trainer's session that were started with its ``BENCH_EVENTS``, as those in
        a container are whose client it is; none where its environment could not be read.

        Reads every process of the machine, a few microseconds each.
        """
        mark = self._wanted
        if mark is None:
            return ()
        pids = (int(name) for name in os.listdir(self._root / "proc") if name.isdecimal())
        return tuple(pid for pid in pids if pid != self._trainer and self._was_given(mark, pid))

    def _was_given(self, mark: bytes, pid: int) -> bool:
        folder = f"{self._root}/proc/{pid}"
        try:
            with open(f"{folder}/environ", "rb") as environ:
                if _mark(environ.read()) != mark:
                    return False
            with open(f"{folder}/stat", "rb") as stat:
                words = stat.read().rpartition(b")")[2].split()
        except OSError:  # gone, or another user's
            return False
        return len(words) > _SESSION and int(words[_SESSION]) != self._trainer

    def _look_up(self, pid: int) -> Owner:
        folder = self._root / "proc" / str(pid)
        try:
            words = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if len(words) > _SESSION and int(words[_SESSION]) == self._trainer:
                return Owner.TRAINER
            environ = (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return Owner.GONE
        except OSError:  # another user's, as a rule
            return Owner.HIDDEN
        if not environ:  # It is exiting and has no memory any more.
            return Owner.GONE
        mark = self._wanted
        if mark is None:
            return Owner.HIDDEN
        return Owner.TRAINER if _mark(environ) == mark else Owner.SOMEBODY_ELSE


def was_started_with(pid: int, events: Path, root: Path = Path("/")) -> bool:
    """Return whether a process was started with ``events`` as its ``BENCH_EVENTS``; False where we may not look."""
    try:
        environ = (root / "proc" / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return _mark(environ) == _MARK + os.fsencode(events)


def _mark(environ: bytes) -> bytes | None:
    """The setting of ``BENCH_EVENTS`` in an environment, None where there is none."""
    return next((setting for setting in environ.split(b"\0") if setting.startswith(_MARK)), None)
