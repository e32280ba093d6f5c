"""Whose a process on the card is that is not among the descendants of the trainer that are followed.

A child of another thread than the trainer's main one, or one of very many, is not among them. It is the trainer's where
it is in the trainer's session, or was started with the ``BENCH_EVENTS`` that the trainer was started with. So is the
process of a trainer in a container that a daemon starts (``docker run``), a descendant of the daemon: but only where
the variable was passed on unchanged, and where we may read its environment, as root or as the same user. Files and
fields: proc(5).
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
    """Whose a process is: ``HIDDEN`` where we may not look, ``GONE`` where there is no such process to be seen."""

    TRAINER = "trainer"
    SOMEBODY_ELSE = "somebody else"
    HIDDEN = "hidden"
    GONE = "gone"


class Ownership:
    """What is known of the owners of processes; each process is asked once, for as long as it is asked about."""

    def __init__(self, trainer: int, root: Path = Path("/")) -> None:
        """``trainer`` leads its session; its environment is read now, as it may rewrite it or end, and again whenever
        it is needed and was not yet there: the kernel shows none while a program is being put in place.
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
        """The owner of each of these processes; what was known of others is forgotten, as their numbers may be anew."""
        owners = {}
        for pid in pids:
            known = self._known.get(pid, Owner.GONE)
            owners[pid] = self._ask(pid) if known is Owner.GONE else known
        self._known = owners
        return owners

    def elsewhere(self) -> tuple[int, ...]:
        """The processes that were started with the trainer's ``BENCH_EVENTS``, it and its session left out: where it is
        the client of a container engine, those in the container. None where its environment could not be read.

        Every process of the machine is asked, which takes a few microseconds each.
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

    def _ask(self, pid: int) -> Owner:
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
        if not environ:  # It is about to go: there is no memory any more.
            return Owner.GONE
        mark = self._wanted
        if mark is None:
            return Owner.HIDDEN
        return Owner.TRAINER if _mark(environ) == mark else Owner.SOMEBODY_ELSE


def was_started_with(pid: int, events: Path, root: Path = Path("/")) -> bool:
    """Whether a process was started with ``events`` as its ``BENCH_EVENTS``; False also where we may not look."""
    try:
        environ = (root / "proc" / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return _mark(environ) == _MARK + os.fsencode(events)


def _mark(environ: bytes) -> bytes | None:
    """The setting of ``BENCH_EVENTS`` in an environment, None where there is none."""
    return next((setting for setting in environ.split(b"\0") if setting.startswith(_MARK)), None)
