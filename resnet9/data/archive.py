"""An official archive: its checksum, and its files read one after the other, never unpacked to disk."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from resnet9.data import batch
from resnet9.data.official import BATCHES, GET_IT, Archive, Edition
from resnet9.errors import DataError

CHUNK_BYTES = 1 << 20
#: What tarfile, gzip and zlib raise on damaged bytes; the arithmetic ones come from sizes and times that no number
#: holds.
DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, ArithmeticError, LookupError, RecursionError)


def read(path: Path, archive: Archive, edition: Edition, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Fill labels uint8 [N] and pixels uint8 [N, 3072] from an archive, in the dataset's own order.

    The checksum is verified first, and what is read are the very bytes that were verified. Raises DataError.
    """
    with open(path, "rb") as file:
        content = io.BytesIO(file.read(archive.size_bytes + 1))
    verify(content, path, archive)
    content.seek(0)
    _read_members(content, path, archive, edition, labels, pixels)


def verify(file: BinaryIO, path: Path, archive: Archive) -> None:
    """Raise DataError unless the open ``file`` is the archive, byte for byte; ``path`` is its name in the sentence."""
    size = file.seek(0, io.SEEK_END)
    if size != archive.size_bytes:
        raise DataError(f"{path} has {size:,} bytes, the official {archive.name} has {archive.size_bytes:,}", GET_IT)
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    if digest.hexdigest() != archive.sha256:
        found = digest.hexdigest()
        raise DataError(f"{path} has sha256 {found}, the official {archive.name} has {archive.sha256}", GET_IT)


def _read_members(
    file: BinaryIO, path: Path, archive: Archive, edition: Edition, labels: np.ndarray, pixels: np.ndarray
) -> None:
    """Fill the arrays from the members of a verified archive; it is read as warily as if it had not been verified."""
    images = edition.batch_images
    most = batch.most_bytes(archive.layout, images)
    missing = {f"{archive.folder}/{archive.file_name(name)}": index for index, name in enumerate(BATCHES)}
    with _members(file, path, len(BATCHES) * most + CHUNK_BYTES) as tar:
        for member in tar:
            if member.name not in missing:
                _check_extra(member, path, archive)
                continue
            place = f"{member.name} in {path}"
            if not member.isreg() or member.issparse():
                raise DataError(f"{place} is no plain file", GET_IT)
            if member.size > most or (archive.layout == "binary" and member.size != most):
                most_said = f"{most:,}" if archive.layout == "binary" else f"at most {most:,}"
                raise DataError(f"{place} has {member.size:,} bytes instead of {most_said}", GET_IT)
            begin = missing.pop(member.name) * images
            part = slice(begin, begin + images)
            stream = tar.extractfile(member)
            assert stream is not None  # it is a plain file
            batch.read(archive.layout, stream, place, labels[part], pixels[part])  # type: ignore[arg-type]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}", GET_IT)


def _check_extra(member: tarfile.TarInfo, path: Path, archive: Archive) -> None:
    """The official archives hold their folder, a readme and the names of the classes next to the batches; nothing else
    may be there."""
    extras = {"readme.html", "batches.meta.txt", "batches.meta"}
    if member.isdir() and member.name == archive.folder:
        return
    if member.isreg() and not member.issparse() and member.name in {f"{archive.folder}/{name}" for name in extras}:
        return
    raise DataError(f"{path} holds {member.name[:200]!r}, which the official {archive.name} does not", GET_IT)


@contextmanager
def _members(file: BinaryIO, path: Path, most_bytes: int) -> Iterator[tarfile.TarFile]:
    """The members in the order of the stream. Damage becomes a DataError; no more than ``most_bytes`` are ever
    inflated."""
    try:
        inflated = _Inflated(file, most_bytes)
        with tarfile.open(fileobj=inflated, mode="r|", bufsize=CHUNK_BYTES) as tar:  # type: ignore[call-overload]
            yield tar
    except DAMAGE as error:
        raise DataError(f"{path} is damaged ({error or type(error).__name__})", GET_IT) from None


class _Inflated:
    """The bytes of a gzip file, up to a limit, so that a small archive cannot inflate without end.

    zlib checks length and checksum by itself; gzip.GzipFile does so in Python, and took 0.5 s more for the dataset.
    """

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self.file, self.left = file, most_bytes
        self.member = self._new_member()

    @staticmethod
    def _new_member() -> zlib._Decompress:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def read(self, size: int) -> bytes:
        """At least one byte and at most ``size``; none at the end. Raises EOFError, ValueError or zlib.error on
        damage."""
        data = b""
        while not data:
            packed = self.member.unconsumed_tail or self.member.unused_data or self.file.read(CHUNK_BYTES)
            if self.member.eof:
                if not packed:
                    return b""
                self.member = self._new_member()
            elif not packed:
                raise EOFError("it ends early")
            data = self.member.decompress(packed, size)
        self.left -= len(data)
        if self.left < 0:
            raise ValueError("it inflates to more than the dataset")
        return data
