"""A dataset in memory, and the one function that finds it: real CIFAR-10 on disk or the built-in stand-in."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resnet9.errors import DataError

if TYPE_CHECKING:
    from resnet9.cifar10 import Source

#: What stands for the built-in stand-in where a path could stand.
SYNTHETIC = "synthetic"
#: The layout that the trainer does not read, and the harness converts.
PARQUET = "parquet"
#: The checkout's own folder for the downloaded archive, relative to the checkout.
DEFAULT_FOLDER = Path("data")


@dataclass(frozen=True)
class Dataset:
    """Images and labels, ready to train on.

    ``train_images`` uint8 [N, 32, 32, 3] and ``test_images`` uint8 [M, 32, 32, 3] are NHWC, RGB, C-contiguous;
    ``train_labels`` uint8 [N] and ``test_labels`` uint8 [M] index ``class_names``. ``state`` is ``canonical`` (from an
    official archive or pickles with verified checksums, or with the pinned content hash), ``unverified`` (right shapes,
    labels and class counts) or ``synthetic``.
    ``sha256`` is the content hash of ``content_hash``.
    """

    name: str
    state: str
    sha256: str
    train_images: np.ndarray = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test_images: np.ndarray = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        counts = f"{len(self.train_labels):,} + {len(self.test_labels):,} images"
        return f"{self.name}, {self.state}, {counts}, sha256 {self.sha256}"


def content_hash(labels: np.ndarray, pixels: np.ndarray) -> str:
    """Sha256 (hexadecimal) of labels uint8 [N], then pixels uint8 [N, 3, 32, 32] or [N, 3072]: channel before row and
    column.

    Training images come before test images. The hash names the content whatever the layout it was read from.
    """
    digest = hashlib.sha256(labels.data)
    digest.update(pixels.data)
    return digest.hexdigest()


def is_address(where: str | Path) -> bool:
    """Whether ``where`` is the address of something to download, not a path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", str(where), re.IGNORECASE) is not None


def download(address: str, folder: Path = DEFAULT_FOLDER) -> Path:
    """The official archive at an https:// address, downloaded into ``folder`` if it is not there already.

    Raises DataError for another address or other bytes, EnvironmentProblem where the folder cannot be written.
    """
    from resnet9 import fetch

    return fetch.mirror(address, folder, report=fetch.progress())


def load(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> Dataset:
    """The dataset at ``where``: ``"synthetic"``, an archive, a folder holding one, or an unpacked folder.

    None looks in ``default``. Raises DataError where nothing is there or what is there is damaged.
    """
    # Imported here because both build a Dataset and so import this module.
    if where == SYNTHETIC:
        from resnet9 import synthetic

        return synthetic.make()
    from resnet9 import cifar10

    return cifar10.load(_path(where, default))


def find(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> Source:
    """Where CIFAR-10 lies at ``where``, in which form and files, and the state that ``load`` would give it.

    Nothing is read but names and sizes. Raises DataError where nothing is there.
    """
    from resnet9 import cifar10

    return cifar10.find(_path(where, default))


def source(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> tuple[str, tuple[Path, ...]]:
    """The state that ``load`` would give the dataset at ``where`` once it has passed its checks, and the files that it
    would read.

    Nothing is read but names and sizes. Raises DataError where nothing is there.
    """
    if where == SYNTHETIC:
        return SYNTHETIC, ()
    found = find(where, default)
    return found.state, () if found.form.layout == PARQUET else found.files  # a run reads the converted copy


def describe(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> str:
    """One line on the dataset at ``where``, from names and sizes alone: it costs no time, and ``load`` may still refuse
    what is there.

    Raises DataError where nothing is there.
    """
    if where == SYNTHETIC:
        return "the built-in stand-in for CIFAR-10"
    found = find(where, default)
    return f"CIFAR-10 at {found.path} ({found.form.title}, {found.state} once it has passed its checks)"


def _path(where: str | Path | None, default: Path) -> Path:
    """The path of ``where``, its ``~`` expanded. Raises DataError for an address: nothing is downloaded in passing."""
    if where is None:
        return default
    if is_address(where):
        raise DataError(f"{where} is no path", f"type `make data DATA={where}` to download it, then leave DATA out")
    return Path(os.path.expanduser(where))
