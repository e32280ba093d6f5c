"""A dataset as one file that a program in any language can read, for custom trainers (BENCH_DATA_FLAT)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.system import tempdirs
from bench.system.files import wrap_disk_errors
from resnet9.data import dataset, sources

if TYPE_CHECKING:
    from bench.campaign.dataset import Data

#: The trainer's copy next to a verified archive has this form (resnet9.data.unpacked).
_UNPACKED = "cifar10.u8"


@contextmanager
def added(data: Data, wanted: bool) -> Iterator[Data]:
    """Yield the dataset, with its file if ``wanted``."""
    if not wanted:
        yield data
        return
    with file_of(data) as flat:
        yield replace(data, flat=flat)


@contextmanager
def file_of(data: Data) -> Iterator[Path]:
    """Yield a file with all labels, then all pixels, whose sha256 is the content hash.

    It is the one next to the archive, or a temporary one. Raises EnvironmentProblem if it cannot be written.
    """
    kept = _beside(data.where) / _UNPACKED
    if data.where != dataset.SYNTHETIC and kept.is_file() and _sha256(kept) == data.sha256:
        yield kept
        return
    with tempdirs.folder() as folder:
        path = folder / f"{data.name}.u8"
        with wrap_disk_errors(path):
            _write(data.where, path)
        yield path


def _beside(where: str) -> Path:
    return Path(where) if Path(where).is_dir() else Path(where).parent


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _write(where: str, path: Path) -> None:
    found = sources.load(where)
    parts = [found.train_labels, found.test_labels]
    # As published: channel before row and column.
    parts += [images.transpose(0, 3, 1, 2) for images in (found.train_images, found.test_images)]
    with open(path, "xb") as stream:
        stream.writelines(part.tobytes() for part in parts)
