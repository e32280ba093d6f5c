"""The epoch table a training run prints, in the columns of cifar10-fast."""

from __future__ import annotations

from typing import TextIO

COLUMNS = ("epoch", "lr", "train time", "train loss", "train acc", "test time", "test loss", "test acc", "total time")
WIDTH = 12


class EpochTable:
    """Prints a heading once and a row an epoch. Times in seconds, accuracies as fractions; ``total time`` is training
    time so far. ``view`` other than ``plain`` adds a last column with the accuracy in it, where there is one.
    """

    def __init__(self, stream: TextIO, view: str = "plain") -> None:
        self._stream = stream
        self._columns = COLUMNS if view == "plain" else (*COLUMNS, view)
        self._headed = False

    def row(self, values: dict[str, float]) -> None:
        """Print one epoch; ``values`` has every column of COLUMNS. Raises KeyError for one that is missing."""
        if not self._headed:
            print(" ".join(f"{name:>{WIDTH}}" for name in self._columns), file=self._stream)
            self._headed = True
        cells = [f"{values['epoch']:>{WIDTH}g}"] + [f"{values[name]:>{WIDTH}.4f}" for name in COLUMNS[1:]]
        cells += [f"{values[name]:>{WIDTH}.4f}" for name in self._columns[len(COLUMNS) :] if name in values]
        print(" ".join(cells), file=self._stream, flush=True)
