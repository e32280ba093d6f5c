"""Safe files in untrusted folders: no write follows a link, no read blocks, and every read has a limit.

A results folder may be unpacked, shared, or mounted into a container whose program is not ours. A link planted below
it leads no write out of it; a pipe or a huge file is an error. Everything that ``bench`` writes into results
goes through ``replace_file``, ``creating`` and ``make_folder``, everything it reads there through ``plainly``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from bench.errors import DataError, EnvironmentProblem

#: What a folder of results is known by; the last three hold campaigns of their own, a folder each.
MARKS = ("campaign.json", "ab.json", "ablation.json", "stalls.json")
#: How far a file may lie below the folder that a person named; `a/dawnbench/CIFAR10/train/NAME.json` is five levels.
_DEEPEST = 8
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ADVICE = {
    errno.ENOSPC: "free some space, or name a folder on another disk with OUT=/path",
    errno.EDQUOT: "free some of your quota, or name a folder on another disk with OUT=/path",
    errno.EFBIG: "raise the file size limit (ulimit -f), or name a folder on another disk with OUT=/path",
    errno.ENAMETOOLONG: "name a folder with a shorter path with OUT=/path",
}


@contextlib.contextmanager
def wrap_disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing to ``path`` into EnvironmentProblem with advice."""
    try:
        yield
    except OSError as error:
        advice = (
            _ADVICE.get(error.errno or 0)
            or f"{_owner_advice(path, error)}name a folder you can write to with OUT=/path"
        )
        raise EnvironmentProblem(f"cannot write to {path} ({error.strerror or error})", advice) from error


def _owner_advice(path: Path, error: OSError) -> str:
    """Return what to type if a folder is another user's, as after a run as root, else an empty text."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return ""
    there = next((folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder)), path)
    try:
        owner = os.lstat(there).st_uid
    except OSError:
        return ""
    if owner == os.getuid():
        return ""
    whose = "root" if owner == 0 else f"user {owner}"
    return f'it belongs to {whose}, so type `sudo chown -R "$USER" {shlex.quote(str(there))}`, or '


def replace_file(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Replace a file atomically: write a temporary file, sync if ``durable``, rename. An identical file is kept.

    A link or a pipe of that name is replaced, not followed. Raises EnvironmentProblem if the write fails (an old file
    stays as it was), DataError if a folder below the results is a link.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with wrap_disk_errors(path), _folder_of(path) as folder:
        if _holds(folder, path.name, data):
            return
        # An unpredictable name, so that no link can be planted there.
        part = f".{path.name}.{secrets.token_hex(8)}.part"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(part, flags, 0o666, dir_fd=folder), "wb") as stream:
                stream.write(data)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
            raise
        if durable:
            with contextlib.suppress(OSError):  # Some file systems cannot sync a folder; the file is safe by then.
                os.fsync(folder)


def _holds(folder: int, name: str, data: bytes) -> bool:
    with contextlib.suppress(OSError), open(_opened(name, os.O_RDONLY, folder), "rb") as stream:
        return os.fstat(stream.fileno()).st_size == len(data) and stream.read(len(data) + 1) == data
    return False


def creating(path: str, flags: int) -> int:
    """For ``open(path, "x", opener=creating)``: a new file, no link followed below the results folder.

    Raises OSError, FileExistsError among it, and DataError where a folder below the results is a link.
    """
    with _folder_of(Path(path)) as folder:
        return os.open(Path(path).name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)


def plainly(path: str, flags: int) -> int:
    """For ``open(path, opener=plainly)``: a plain file, opened without waiting, no link followed below the results.

    Raises OSError for a pipe, a device, a folder or a link, and DataError where a folder below the results is a link.
    """
    try:
        with _folder_of(Path(path)) as folder:
            return _opened(Path(path).name, flags, folder)
    except OSError as error:
        error.filename = str(path)
        raise


def _opened(name: str, flags: int, folder: int) -> int:
    try:
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from None
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a plain file")
    return file


def read_bytes(path: Path, most: int) -> bytes:
    """Return the bytes of a plain file (``plainly``) of at most ``most`` bytes. Raises OSError for a larger one."""
    with open(path, "rb", opener=plainly) as stream:
        refuse_larger(stream.fileno(), most, path)
        data = stream.read(most + 1)
    return data[:most]


def end_of(path: Path, most: int) -> bytes:
    """Return the last ``most`` bytes of a plain file; empty if it cannot be read."""
    with contextlib.suppress(OSError), open(path, "rb", opener=plainly) as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
        return stream.read(most)
    return b""


def refuse_larger(file: int, most: int, path: Path) -> None:
    """Raise OSError where an open file has more than ``most`` bytes."""
    if os.fstat(file).st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20:,} MiB, and none of ours comes near that", str(path))


def make_folder(path: Path, exist_ok: bool = False) -> None:
    """Make a folder and its parents; below the results folder no link is followed.

    Raises OSError, FileExistsError among it, and DataError where a folder below the results is a link.
    """
    try:
        with _folder_of(path, make=True) as folder:
            os.mkdir(path.name, dir_fd=folder)
    except FileExistsError:
        if not exist_ok:
            raise
        with _folder_of(path / "inside"):
            pass


def rename(path: Path, name: str) -> None:
    """Give what is at ``path`` another name in its folder. Raises OSError, and DataError as ``make_folder`` does."""
    with _folder_of(path) as folder:
        os.rename(path.name, name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(folder: Path, name: str) -> None:
    """Remove a file, a link or a pipe of this name from ``folder``, where it is there. Raises OSError and DataError."""
    with _folder_of(folder / name) as handle, contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=handle)


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half-written in ``folder``, which may not be there, or be a link."""
    with contextlib.suppress(OSError, DataError), _folder_of(folder / "inside") as handle:
        for name in os.listdir(handle):
            if name.startswith(".") and name.endswith(".part"):
                os.unlink(name, dir_fd=handle)


def results_folder(path: Path) -> Path:
    """Return the outermost folder of results above ``path``, or its parent."""
    above = path.absolute().parents[:_DEEPEST]
    return next((each for each in reversed(above) if any(os.path.lexists(each / mark) for mark in MARKS)), above[0])


@contextlib.contextmanager
def _folder_of(path: Path, make: bool = False) -> Iterator[int]:
    """Open the folder of ``path``. From the results folder on, each is opened from the one above it.

    The results folder itself may be a link. ``make`` creates missing folders.
    """
    place = results_folder(path)
    handle = _outermost(place, make)
    try:
        for name in path.absolute().parent.relative_to(place).parts:
            place /= name
            inner = _inner(handle, place, make)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _outermost(place: Path, make: bool) -> int:
    try:
        return os.open(place, _FOLDER)
    except FileNotFoundError:
        if not make:
            raise
    place.mkdir(parents=True, exist_ok=True)
    return os.open(place, _FOLDER)


def _inner(handle: int, place: Path, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(place.name, dir_fd=handle)
    try:
        return os.open(place.name, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
    except OSError:
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(os.stat(place.name, dir_fd=handle, follow_symlinks=False).st_mode):
                raise DataError(
                    f"{place} is a link, which nothing is read or written through",
                    "put the folder it leads to in its place",
                ) from None
        raise
