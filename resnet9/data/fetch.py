"""The official archive, downloaded: resumed after an interruption, verified, and never there half-written.

Bytes are collected in ``NAME.part`` next to the archive. Only a file of the right size and checksum gets the
archive's name, in one step. One process downloads into a folder at a time; another one waits, then finds the work done.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet9.data.archive import verify
from resnet9.data.official import BINARY, CIFAR10, HOME, Archive
from resnet9.errors import DataError, EnvironmentProblem

CHUNK_BYTES = 1 << 18
#: Where else to get CIFAR-10 from.
ELSEWHERE = (
    "give DATA=/path to a copy (an official archive, ~/.keras/datasets, a torchvision root, or the Parquet files of "
    "the Hugging Face hub's cifar10) or DATA=https://... of a mirror of an official archive"
)
Report = Callable[[int, int], None]
Opener = Callable[..., Any]


@dataclass(frozen=True)
class Patience:
    """When to give a source up.

    No byte comes for ``silence_seconds``: the connection is broken. Fewer than ``least_bytes_per_second`` come over
    ``window_seconds`` (the archive would take an hour): it is slow. ``breaks`` broken connections in a row that brought
    less than ``useful_bytes`` each: it is down. Between two connections lie ``pause_seconds``.
    """

    silence_seconds: float = 20.0
    window_seconds: float = 30.0
    least_bytes_per_second: float = 50_000.0
    useful_bytes: int = 1 << 20
    breaks: int = 3
    pause_seconds: float = 1.0


class _Broken(Exception):
    """The connection ended early or never came about; what has arrived is kept, and it may be tried again."""


class _Unusable(Exception):
    """The answer does not fit the bytes at hand: start again from nothing."""


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to https:// alone."""

    def redirect_request(self, *request: Any) -> urllib.request.Request | None:
        """The request for the new address, the last of the arguments. Raises URLError where that is not https://."""
        if not request[-1].startswith("https://"):
            raise urllib.error.URLError("it redirects to an address that is not https://")
        return super().redirect_request(*request)


def https_only(request: urllib.request.Request, timeout: float) -> Any:
    """The answer to a request, as ``urlopen`` gives it; no redirect leads away from https://."""
    return urllib.request.build_opener(HttpsOnly).open(request, timeout=timeout)


def mirror(
    address: str,
    folder: Path,
    opener: Opener = https_only,
    report: Report | None = None,
    patience: Patience = Patience(),
    archives: Sequence[Archive] = CIFAR10.archives,
) -> Path:
    """The path of the verified archive in ``folder``, downloaded from an https:// ``address`` if it is not there yet.

    The file's name (``binary`` or ``python``), else its length, says which archive it is meant to be; the checksum
    decides. Raises DataError for an address that cannot be meant and as ``fetch`` does.
    """
    official = f"give DATA=https://host/{BINARY.name}, or DATA=/path"
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        login = "@" in parts.netloc
    except ValueError:
        usable = login = False
    if login:
        raise DataError(f"{shown(address)} is given with a login, and none is sent to any source", official)
    if not usable:
        raise DataError(f"{shown(address)} is no https:// address, and data is downloaded from no other", official)
    name = parts.path.rpartition("/")[2].lower()
    archive = next((known for known in archives if known.layout in name), None)
    if archive is None:
        size = _offered_bytes(address, opener, patience)
        archive = next((known for known in archives if known.size_bytes == size), None)
    if archive is None:
        sizes = " or ".join(f"{known.size_bytes:,}" for known in archives)
        raise DataError(f"{shown(address)} has no official archive: its length is not {sizes} bytes", official)
    return fetch(folder, archive, address, opener, report, patience)


def shown(address: str) -> str:
    """An address as a message may show it: without a login, and without a query, which may hold a key."""
    bare, query, _ = address.partition("?")
    scheme, slashes, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}{'?...' if query else ''}"


def _offered_bytes(address: str, opener: Opener, patience: Patience) -> int | None:
    """The length that a source states for a file, of which nothing is read; None where it states none."""
    try:
        with opener(_request(address), timeout=patience.silence_seconds) as answer:
            length = answer.headers.get("Content-Length", "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error or type(error).__name__
        raise DataError(f"Cannot download {shown(address)}: {why}", f"check the address, or {ELSEWHERE}") from None
    return int(length) if length.strip().isdecimal() and len(length) < 20 else None


def _request(address: str, begin: int = 0) -> urllib.request.Request:
    """The request for the bytes of a file from ``begin`` on."""
    headers = {"User-Agent": "resnet9", "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    return urllib.request.Request(address, headers=headers)


def progress() -> Report:
    """A report that prints a line on standard error each tenth of the way."""
    shown = -1

    def report(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth != shown:
            shown = tenth
            print(f"downloading CIFAR-10: {done / 1e6:.0f} of {total / 1e6:.0f} MB", file=sys.stderr, flush=True)

    return report


def fetch(
    folder: Path,
    archive: Archive = BINARY,
    address: str | None = None,
    opener: Opener = https_only,
    report: Report | None = None,
    patience: Patience = Patience(),
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """The path of the verified archive in ``folder``, downloaded from ``address`` (default: the official one) if it is
    not there already.

    ``report`` is called with bytes there and bytes in all. ``opener`` is called as ``urlopen(request,
    timeout=seconds)``; ``clock`` gives seconds. Raises DataError where the source is down, slow or wrong,
    EnvironmentProblem where the folder cannot be written or is full.
    """
    final = folder / archive.name
    part = final.with_name(f"{archive.name}.part")
    again = "`make data`" if address is None else f"`make data DATA={shown(address)}`"
    url = HOME + archive.name if address is None else address
    download = _Download(archive, url, again, part, opener, report, patience, clock)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(final.with_name(f"{archive.name}.lock")):
            if not _is_whole(final, archive):
                download.run()
                part.replace(final)
                _settle(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = f"The disk of {folder} has no room for the {archive.size_bytes:,} bytes of {archive.name}"
            raise EnvironmentProblem(full, f"make room and type {again} to go on, or give DATA=/path") from None
        reason = error.strerror or error
        raise EnvironmentProblem(f"Cannot write {archive.name} into {folder} ({reason})", "give DATA=/path") from None
    return final


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds ``path``, and hold it."""
    with open(path, "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_whole(path: Path, archive: Archive) -> bool:
    """Whether ``path`` is the archive; a file that is there and is not will be replaced."""
    if not path.exists():
        return False
    with open(path, "rb") as file:
        try:
            verify(file, path, archive)
        except DataError:
            return False
    return True


def _settle(folder: Path) -> None:
    """Make the new name last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class _Download:
    """Fills ``part`` with the archive at ``url``; ``again`` is the command that goes on after a failure."""

    archive: Archive
    url: str
    again: str
    part: Path
    opener: Opener
    report: Report | None
    patience: Patience
    clock: Callable[[], float]

    def run(self) -> None:
        """Until ``part`` is the whole archive; what has the right size and a wrong checksum is fetched once more from
        nothing."""
        for last in (False, True):
            self._fill()
            try:
                with open(self.part, "rb") as file:
                    verify(file, self.part, self.archive)
                    os.fsync(file.fileno())
            except DataError:
                self.part.unlink()
                if last:
                    wrong = f"{shown(self.url)} gave bytes with the wrong sha256, and again after a clean retry"
                    raise DataError(wrong, f"try later, or {ELSEWHERE}") from None
            else:
                return

    def _there(self) -> int:
        """Bytes in ``part``."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _fill(self) -> None:
        """Ask for what is missing until nothing is, as long as each connection brings something new."""
        breaks = restarts = 0
        while (before := self._there()) != self.archive.size_bytes:
            if before > self.archive.size_bytes:
                self.part.unlink()
                continue
            try:
                self._ask(before)
            except _Unusable as why:
                self.part.unlink(missing_ok=True)
                restarts += 1
                if restarts > 1:
                    raise self._give_up(str(why)) from None
            except _Broken as why:
                breaks = 0 if self._there() - before >= self.patience.useful_bytes else breaks + 1
                if breaks >= self.patience.breaks:
                    raise self._give_up(str(why)) from None
                time.sleep(self.patience.pause_seconds)

    def _ask(self, begin: int) -> None:
        """One request for the bytes from ``begin`` on, written to ``part`` as they come."""
        with self._open(_request(self.url, begin)) as answer:
            self._check_length(answer, begin)
            # 200 to a request for a range: the source cannot resume and sends everything.
            begin = begin if answer.status == http.client.PARTIAL_CONTENT else 0
            with open(self.part, "r+b" if begin else "wb") as file:
                file.seek(begin)
                self._copy(answer, file, begin)

    def _open(self, request: urllib.request.Request) -> Any:
        """The answer to a request, with its errors sorted into those worth another try and the others."""
        try:
            return self.opener(request, timeout=self.patience.silence_seconds)
        except urllib.error.HTTPError as error:
            why = f"it answered {error.code} {error.reason}"
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _Unusable(why) from None
            raise self._give_up(why) from None
        except urllib.error.URLError as error:
            raise _Broken(str(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a host name that cannot be
            raise _Broken(str(error) or type(error).__name__) from None

    def _check_length(self, answer: Any, begin: int) -> None:
        """Refuse an answer that is not the rest of the archive, before its first byte is read."""
        size = self.archive.size_bytes
        if answer.status == http.client.PARTIAL_CONTENT:
            said = answer.headers.get("Content-Range", "")
            if not begin or said.strip() not in (f"bytes {begin}-{size - 1}/{size}", f"bytes {begin}-{size - 1}/*"):
                raise _Unusable(f"a request for bytes from {begin:,} on was answered with the range {said[:100]!r}")
        elif answer.status != http.client.OK:
            raise self._give_up(f"it answered {answer.status}")
        else:
            length = answer.headers.get("Content-Length")
            if length is not None and length.strip() != str(size):
                raise self._give_up(f"it offers {length[:30]} bytes, the official archive has {size:,}")
        if shutil.disk_usage(self.part.parent).free + self._there() < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _copy(self, answer: Any, file: Any, there: int) -> None:
        """Write the answer's bytes, and watch that they keep coming. ``there`` bytes are in ``part`` already."""
        size, patience = self.archive.size_bytes, self.patience
        window_began, window_from = self.clock(), there
        while True:
            try:
                # read1 returns what one receive brought: a source that drips is noticed, not waited for.
                chunk = answer.read1(CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise _Broken(str(error) or type(error).__name__) from None
            if not chunk:
                break
            if there + len(chunk) > size:
                file.truncate(0)
                raise self._give_up(f"it sent more than the {size:,} bytes of the official archive")
            file.write(chunk)
            there += len(chunk)
            if self.report is not None:
                self.report(there, size)
            passed = self.clock() - window_began
            if passed >= patience.window_seconds:
                rate = (there - window_from) / passed
                if rate < patience.least_bytes_per_second:
                    file.flush()
                    raise self._give_up(f"it is slow: {rate / 1000:,.1f} kB/s over {passed:.0f} s")
                window_began, window_from = self.clock(), there
        if there < size:
            raise _Broken(f"the connection ended after {there:,} of {size:,} bytes")

    def _give_up(self, why: str) -> DataError:
        there = self._there()
        percent = 100 * there // self.archive.size_bytes
        again = f"type {self.again} to go on from {percent} %" if there else f"type {self.again} to try again"
        return DataError(f"Cannot download {shown(self.url)}: {why}", f"{again}, or {ELSEWHERE}")
