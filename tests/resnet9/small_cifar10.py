"""CIFAR-10 in miniature: 20 images a batch, with files and archives exactly as the official ones are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from resnet9.data import cifar10
from resnet9.data.official import BATCHES, BINARY, PYTHON, Archive, Edition
from resnet9.errors import DataError

BATCH_IMAGES = 20
#: Two of each class in the test set; training batch i has one more of class i and one less of the next.
CLASS_COUNTS = (*(tuple(2 + (c == i) - (c == i + 1) for c in range(10)) for i in range(5)), (2,) * 10)


def batches(seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels uint8 [20] and pixels uint8 [20, 3072] of each batch."""
    random = np.random.RandomState(seed)
    return [
        (
            random.permutation(np.repeat(np.arange(10, dtype=np.uint8), counts)),
            random.randint(0, 256, (BATCH_IMAGES, 3072), dtype=np.uint8),
        )
        for counts in CLASS_COUNTS
    ]


def content_sha256(content: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """The content hash, from its definition: labels of all batches, then pixels of all batches."""
    joined = b"".join(labels.tobytes() for labels, _ in content) + b"".join(pixels.tobytes() for _, pixels in content)
    return hashlib.sha256(joined).hexdigest()


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as Python 2's ``str``, which is how the official files were written."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        raw = value.encode("ascii") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def pickled(content: object) -> bytes:
    """``content`` as Python 2 and the numpy of its day would have pickled it."""
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def binary_files(content: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, bytes]:
    """The six files of the binary layout."""
    return {
        BINARY.file_name(name): np.hstack([labels[:, None], pixels]).tobytes()
        for name, (labels, pixels) in zip(BATCHES, content, strict=True)
    }


def python_files(content: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, bytes]:
    """The six files of the Python layout."""
    return {
        PYTHON.file_name(name): pickled(
            {
                "batch_label": name,
                "labels": labels.tolist(),
                "data": pixels,
                "filenames": [f"{i:04}.png" for i in range(20)],
            }
        )
        for name, (labels, pixels) in zip(BATCHES, content, strict=True)
    }


@dataclass
class Tar:
    """An archive in the making."""

    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    def add(self, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Tar:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(content), kind, link
        self.members.append((member, content))
        return self

    def bytes(self) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for member, content in self.members:
                tar.addfile(member, io.BytesIO(content))
        return stream.getvalue()


def tar_of(files: dict[str, bytes], folder: str) -> Tar:
    """The files in an order of their own and with the extras, as in the official archives."""
    tar = Tar().add(folder, kind=tarfile.DIRTYPE)
    for name in sorted(files, key=lambda name: hashlib.md5(name.encode()).digest()):
        tar.add(f"{folder}/{name}", files[name])
    return tar.add(f"{folder}/batches.meta.txt", b"airplane\n").add(f"{folder}/readme.html", b"<html>")


def binary_tar(content: list[tuple[np.ndarray, np.ndarray]]) -> Tar:
    """The archive of the binary layout, not yet packed."""
    return tar_of(binary_files(content), BINARY.folder)


def python_tar(content: list[tuple[np.ndarray, np.ndarray]]) -> Tar:
    """The archive of the Python layout, not yet packed."""
    return tar_of(python_files(content), PYTHON.folder)


def publish(folder: Path, tar: bytes, like: Archive = BINARY) -> tuple[Path, Edition]:
    """Put an archive of these tar bytes into ``folder``; in the edition returned it is the official one."""
    packed = gzip.compress(tar, 1, mtime=0)
    path = folder / like.name
    path.write_bytes(packed)
    known = replace(like, size_bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest())
    return path, edition(known)


def edition(*archives: Archive, **more: Any) -> Edition:
    """The miniature edition, with these archives as the official ones."""
    return Edition(archives=archives or (BINARY, PYTHON), class_counts=CLASS_COUNTS, **more)


def unpack(folder: Path, content: list[tuple[np.ndarray, np.ndarray]]) -> Path:
    """The unpacked binary layout in ``folder``."""
    return _write(folder / BINARY.folder, binary_files(content))


def unpack_pickles(folder: Path, files: dict[str, bytes], *archives: Archive) -> Edition:
    """Write these files of the Python layout to ``folder``; in the edition returned their MD5s are the published ones.

    ``batches.meta``, which every real copy has, is there too, and is no pickle.
    """
    _write(folder, {**files, "batches.meta": b"not to be read", "readme.html": b"<html>"})
    return edition(*archives, batch_md5={name: hashlib.md5(data).hexdigest() for name, data in files.items()})


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def refusal(where: Path, edition: Edition) -> str:
    """The sentence with which ``where`` is refused: one line, one exit code."""
    with pytest.raises(DataError) as caught:
        cifar10.load(where, edition)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    return str(caught.value)
