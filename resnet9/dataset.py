"""A dataset in memory, and the one function that finds it: real CIFAR-10 on disk or the built-in stand-in."""

from __future__ import annotations

import hashlib
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
    ``train_labels`` uint8 [N] and ``test_labels`` uint8 [M] index ``class_names``. ``state`` is ``canonical`` (from the
    official archive, checksum verified), ``unverified`` (right shapes, labels and class counts) or ``synthetic``.
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


def source(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> tuple[str, tuple[Path, ...]]:
    """The state that ``load`` would give the dataset at ``where`` once it has passed its checks, and its files.

    Nothing is read but names and sizes. Raises DataError where nothing is there.
    """
    if where == SYNTHETIC:
        return SYNTHETIC, ()
    from resnet9 import cifar10

    found = cifar10.find(Path(default if where is None else where))
    return found.state, (found.path,) if found.path.is_file() else tuple(sorted(found.path.glob("*.bin")))


def describe(where: str | Path | None = None, default: Path = DEFAULT_FOLDER) -> str:
    """One line on the dataset at ``where``, from names and sizes alone: it costs no time, and ``load`` may still refuse
    what is there.

    Raises DataError where nothing is there.
    """
    if where == SYNTHETIC:
        return "the built-in stand-in for CIFAR-10"
    from resnet9 import cifar10

    source = cifar10.find(Path(default if where is None else where))
    kind = "an unpacked folder" if source.archive is None else "an official archive"
    return f"CIFAR-10 at {source.path} ({kind}, {source.state} once it has passed its checks)"
