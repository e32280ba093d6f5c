"""CIFAR-10 or the synthetic dataset, found and loaded by what DATA= names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from resnet9.data import cifar10, fetch, synthetic
from resnet9.data.dataset import DEFAULT_FOLDER, PARQUET, SYNTHETIC, Dataset
from resnet9.errors import DataError

if TYPE_CHECKING:
    from resnet9.data.cifar10 import Source


def is_address(where: str | Path) -> bool:
    """Whether ``where`` is the address of something to download, not a path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", str(where), re.IGNORECASE) is not None


def download(address: str, folder: Path = DEFAULT_FOLDER) -> Path:
    """The official archive at an https:// address, downloaded into ``folder`` if it is not there already.

    Raises DataError for another address or other bytes, EnvironmentProblem where the folder cannot be written.
    """

    return fetch.mirror(address, folder, report=fetch.progress())


def load(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> Dataset:
    """The dataset at ``where``: ``"synthetic"``, an archive, a folder holding one, or an unpacked folder.

    None looks in ``default``. Raises DataError where nothing is there or what is there is damaged.
    """
    # Imported here because both build a Dataset and so import this module.
    if where == SYNTHETIC:
        return synthetic.make()

    return cifar10.load(_path(where, default))


def find(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> Source:
    """Where CIFAR-10 lies at ``where``, in which form and files, and the state that ``load`` would give it.

    Nothing is read but names and sizes. Raises DataError where nothing is there.
    """

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
        return "the synthetic dataset"
    found = find(where, default)
    return f"CIFAR-10 at {found.path} ({found.form.title}, {found.state} once it has passed its checks)"


def _path(where: str | Path | None, default: Path) -> Path:
    """The path of ``where``, its ``~`` expanded. Raises DataError for an address: nothing is downloaded in passing."""
    if where is None:
        return default
    if is_address(where):
        raise DataError(f"{where} is no path", f"type `make data DATA={where}` to download it, then leave DATA out")
    return Path(os.path.expanduser(where))
