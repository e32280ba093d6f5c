"""A dataset in memory, and the one function that finds it: real CIFAR-10 on disk or the built-in stand-in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

#: What stands for the built-in stand-in where a path could stand.
SYNTHETIC = "synthetic"
#: The checkout's own folder for the downloaded archive, relative to the checkout.
DEFAULT_FOLDER = Path("data")


@dataclass(frozen=True)
class Dataset:
    """Images and labels, ready to train on.

    ``train_images`` uint8 [N, 32, 32, 3] and ``test_images`` uint8 [M, 32, 32, 3] are NHWC, RGB, C-contiguous;
    ``train_labels`` uint8 [N] and ``test_labels`` uint8 [M] index ``class_names``. ``state`` is ``canonical`` (from the official
    archive, checksum verified), ``unverified`` (right shapes, labels and class counts) or ``synthetic``. ``sha256`` is the content
    hash: labels (train, test), then pixels (same order, channel before row and column).
    """

    name: str
    state: str
    sha256: str
    train_images: np.ndarray = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test_images: np.ndarray = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)


def load(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> Dataset:
    """The dataset at ``where``: ``"synthetic"``, an archive, a folder holding one, or a folder in the binary layout.

    None looks in ``default``. Raises DataError where nothing is there or what is there is damaged.
    """
    # Imported here because both build a Dataset and so import this module.
    if where == SYNTHETIC:
        from resnet9 import synthetic

        return synthetic.make()
    from resnet9 import cifar10

    return cifar10.load(Path(default if where is None else where))
