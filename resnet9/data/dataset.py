"""A dataset in memory: real CIFAR-10 or the synthetic one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    pass

#: The value of DATA= for the synthetic dataset.
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
