"""Temporary folders, removed after their ``with`` or, if the process was killed, at the next start."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

_PREFIX = "resnet9-bench-scratch-"
#: From its making to its lock a folder takes microseconds.
_SECONDS_TO_BE_LOCKED = 60


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for the ``with``, and remove those that killed processes of this user left.

    It is locked, not marked by process id, which would mean nothing in another container.
    """
    _sweep()
    with TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made:
        descriptor = os.open(made, os.O_RDONLY)
        try:
            # Without locks a stale folder cannot be recognised, so it is kept.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield Path(made)
        finally:
            os.close(descriptor)


def _sweep() -> None:
    for path in Path(gettempdir()).glob(f"{_PREFIX}*"):
        if _is_stale(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_stale(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False  # somebody else's, or gone meanwhile
    try:
        status = os.fstat(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return mine and time.time() - status.st_mtime > _SECONDS_TO_BE_LOCKED
