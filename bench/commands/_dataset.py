"""The dataset of a campaign, checked before a trainer is started on it; downloaded where none was named or is there."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bench import execute
from bench.errors import DataError
from bench.trainers import ROOT
from resnet9 import dataset


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
    """The dataset ``named`` (``synthetic`` or a path), or CIFAR-10 where the checkout keeps it.

    Raises the trainer's DataError where what is there is damaged, SystemExit where a download fails.
    """
    where = named if named == dataset.SYNTHETIC else str(Path(named or ROOT / dataset.DEFAULT_FOLDER).absolute())
    if named is None:
        _fetch_unless_there(where)
    found = dataset.load(where)
    # The images go here; of the labels the few that predictions are counted against stay.
    return Data(where, found.name, found.state, found.sha256, found.test_labels.tobytes())


def _fetch_unless_there(folder: str) -> None:
    try:
        dataset.describe(folder)
    except Exception as error:
        if getattr(error, "exit_code", None) != DataError.exit_code:
            raise
        code = execute.call([sys.executable, "-m", "resnet9", "data", folder], ROOT)
        if code:  # It has said why, on our terminal.
            raise SystemExit(code) from None
