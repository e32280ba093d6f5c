"""The dataset of a campaign, checked before a trainer is started on it; downloaded where none was named or is there."""

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
    """What the harness keeps of the dataset; ``where`` is what the trainer is given, and ``flat`` a trainer that is not
    ours (BENCH_DATA_FLAT).
    """

    where: str
    name: str
    state: str
    sha256: str
    test_labels: bytes
    flat: Path | None = None


def load(named: str | None) -> Data:
    """The dataset ``named`` (``synthetic``, a path or an https:// address), or CIFAR-10 where the checkout keeps it.

    Raises the trainer's DataError where what is there is damaged, SystemExit where a download fails.
    """
    if named is None:
        where = str(_kept())
        _fetch_unless_there(where)
    else:
        where = local(named)
    found = sources.load(where)
    # The images go here; of the labels the few that predictions are counted against stay.
    return Data(where, found.name, found.state, found.sha256, found.test_labels.tobytes())


def local(named: str) -> str:
    """What a trainer is given for the dataset ``named``: ``synthetic``, or the path of an archive or folder that it
    reads.

    What lies at an https:// address is downloaded, and Parquet files are converted, into the checkout's data/. Raises
    DataError where nothing is there, EnvironmentProblem where that cannot be done.
    """
    if named == dataset.SYNTHETIC:
        return named
    if sources.is_address(named):
        return str(sources.download(named, _kept()))
    place = Path(os.path.expanduser(named)).absolute()
    found = sources.find(place)
    if found.form.layout == dataset.PARQUET:
        return str(parquet.folder_of(found.path, found.files, _kept()))
    # An unpacked folder itself, as a link to it in the folder around it leads nowhere in a container; with an archive
    # goes its folder, which has the unpacked copy.
    return str(place if found.path.is_file() else found.path)


def prepare(named: str | None) -> int:
    """Download and verify CIFAR-10, or check the copy that is ``named``, by the trainer's command; its exit code."""
    words = [] if named is None else [local(named)]
    return subprocesses.run_attached([sys.executable, "-m", "resnet9", "data", *words], CHECKOUT)


def _kept() -> Path:
    return CHECKOUT / dataset.DEFAULT_FOLDER


def _fetch_unless_there(folder: str) -> None:
    try:
        sources.describe(folder)
    except DataError:
        code = prepare(None)
        if code:  # It has said why, on our terminal.
            raise SystemExit(code) from None
