"""The epoch table a training run prints, in the columns of cifar10-fast."""

from __future__ import annotations

from typing import TextIO

COLUMNS = ("epoch", "lr", "train time", "train loss", "train acc", "test time", "test loss", "test acc", "total time")
WIDTH = 12


class EpochTable:
    """Prints a heading once and a row an epoch. Times in seconds, accuracies as fractions; ``total time`` is training
    time so far.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._headed = False

    def row(self, values: dict[str, float]) -> None:
        """Print one epoch; ``values`` has every column. Raises KeyError for one that is missing."""
        if not self._headed:
            print(" ".join(f"{name:>{WIDTH}}" for name in COLUMNS), file=self._stream)
            self._headed = True
        cells = [f"{values['epoch']:>{WIDTH}g}"] + [f"{values[name]:>{WIDTH}.4f}" for name in COLUMNS[1:]]
        print(" ".join(cells), file=self._stream, flush=True)
