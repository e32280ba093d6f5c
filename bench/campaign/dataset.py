"""The dataset of a campaign, checked before a trainer starts; downloaded if none is named and CIFAR-10 is missing."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.campaign import parquet
from bench.system import subprocesses
from bench.system.paths import CHECKOUT
from resnet9.data import dataset, sources
from resnet9.errors import DataError


@dataclass(frozen=True)
class Data:
    """The dataset; the trainer is given ``where``, a custom trainer also ``flat`` (BENCH_DATA_FLAT)."""

    where: str
    name: str
    state: str
    sha256: str
    test_labels: bytes
    flat: Path | None = None


def load(named: str | None) -> Data:
    """Return the dataset ``named`` (``synthetic``, a path or an https:// address), or the checkout's CIFAR-10.

    Raises the trainer's DataError if it is damaged, SystemExit if a download fails.
    """
    if named is None:
        where = str(_kept())
        _fetch_unless_there(where)
    else:
        where = local(named)
    found = sources.load(where)
    # Only the test labels are kept in memory.
    return Data(where, found.name, found.state, found.sha256, found.test_labels.tobytes())


def local(named: str) -> str:
    """Return the trainer's name for the dataset ``named``: ``synthetic``, or the path of an archive or folder.

    An https:// address is downloaded, and Parquet files are converted, into the checkout's data/. Raises DataError if
    there is no dataset, EnvironmentProblem if that fails.
    """
    if named == dataset.SYNTHETIC:
        return named
    if sources.is_address(named):
        return str(sources.download(named, _kept()))
    place = Path(os.path.expanduser(named)).absolute()
    found = sources.find(place)
    if found.form.layout == dataset.PARQUET:
        return str(parquet.folder_of(found.path, found.files, _kept()))
    # A link to an unpacked folder would be broken in a container; an archive's folder has the unpacked copy.
    return str(place if found.path.is_file() else found.path)


def prepare(named: str | None) -> int:
    """Download and verify CIFAR-10, or check the copy ``named``, by the trainer's command; return its exit code."""
    words = [] if named is None else [local(named)]
    return subprocesses.run_attached([sys.executable, "-m", "resnet9", "data", *words], CHECKOUT)


def _kept() -> Path:
    return CHECKOUT / dataset.DEFAULT_FOLDER


def _fetch_unless_there(folder: str) -> None:
    try:
        sources.describe(folder)
    except DataError:
        code = prepare(None)
        if code:  # The command has printed the reason.
            raise SystemExit(code) from None
