"""Locks: one campaign per folder and one per device, as two at once would disturb each other's times."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import EnvironmentProblem, Refused
from bench.system.files import wrap_disk_errors

FOLDER_LOCK = ".lock"


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` within the ``with``; the kernel releases it if the process dies.

    ``what`` begins the sentence of Refused, raised where another process holds it. The file is removed at the end.
    """
    descriptor = _locked(path, what)
    try:
        with wrap_disk_errors(path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        # Removed while held: a process waiting with the old file open notices in _locked.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, what: str) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            advice = "make its folder writable, or name another with OUT=/path"
            raise EnvironmentProblem(f"cannot make the lock {path} ({error.strerror})", advice) from error
        status = os.fstat(descriptor)
        # Any other kind of file, or a hard link, must not be emptied.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(descriptor)
            raise EnvironmentProblem(f"{path} is not a lock file", "remove it, or name another folder with OUT=/path")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise Refused(f"{what} is in use by {holder}", "wait for it or stop it") from None
            raise EnvironmentProblem(
                f"cannot lock {path} ({error.strerror})", "name a folder on a local disk with OUT=/path"
            ) from error
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return f"another campaign (process {number})" if number.isdecimal() else "another campaign"


def device_lock(device: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the lock file of ``cpu`` or of a GPU, in a temporary folder of this user.

    Raises EnvironmentProblem if that folder belongs to another user.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime if os.path.isdir(runtime) and os.access(runtime, os.W_OK) else "/tmp")
    folder = base / f"resnet9-bench-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot make {folder} for locks ({error.strerror})", f"make {base} writable"
        ) from error
    # In /tmp anybody may have been here first, with a folder or a link of theirs.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise EnvironmentProblem(f"{folder} is not yours", "remove it, or set XDG_RUNTIME_DIR to a folder of yours")
    name = re.sub(r"[^a-z0-9]+", "-", device.lower())
    return folder / f"{name}.lock"
