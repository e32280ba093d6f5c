"""CIFAR-10 converted from another form: an unpacked folder in the binary layout, its batches in the official order.

``content.sha256`` next to the batches has the content hash that was written, and comes last: a folder without it, or
with other bytes, is written again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from resnet9.data import cifar10
from resnet9.data.dataset import content_hash
from resnet9.data.official import BATCHES, BINARY, CIFAR10, CLASS_NAMES, GET_IT, Edition
from resnet9.errors import DataError, EnvironmentProblem

NOTE_FILE = "content.sha256"


def is_whole(folder: Path, edition: Edition = CIFAR10) -> bool:
    """Whether ``folder`` holds, byte for byte, what ``write`` has written into it."""
    try:
        expected = (folder / NOTE_FILE).read_bytes().decode("ascii").strip()
        return cifar10.load(folder, edition).sha256 == expected
    except (OSError, ValueError, DataError):
        return False


def write(folder: Path, labels: np.ndarray, pixels: np.ndarray, place: Path, edition: Edition = CIFAR10) -> None:
    """Write labels uint8 [N] and pixels uint8 [N, 3072] (channel before row and column) as the six files of ``folder``.

    The training images are whole batches in any order, before the test images. Processes that write at once write the
    same bytes, each under names of its own. Raises DataError where the labels are not those of the official batches
    (``place`` is where they come from), EnvironmentProblem where the folder cannot be written.
    """
    order = _official_order(labels, place, edition)
    labels = labels.reshape(len(BATCHES), -1, 1)[order]
    pixels = pixels.reshape(*labels.shape[:2], -1)[order]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(BATCHES):
            records = np.concatenate([labels[index], pixels[index]], axis=1)
            _replace(folder / BINARY.file_name(name), records.data.cast("B"))
        _replace(folder / NOTE_FILE, f"{content_hash(labels, pixels)}\n".encode("ascii"))
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentProblem(
            f"Cannot write {folder} ({reason})", "make room, then the same command again"
        ) from None


def _official_order(labels: np.ndarray, place: Path, edition: Edition) -> list[int]:
    """The place of each official batch among the batches of ``labels``, by how many of each class it has."""
    blocks = labels.reshape(len(BATCHES), -1)
    # Labels that are no classes make a row longer, which no official one equals.
    found = [tuple(np.bincount(block, minlength=len(CLASS_NAMES)).tolist()) for block in blocks]
    if sorted(found) != sorted(edition.class_counts) or found[-1] != edition.class_counts[-1]:
        rows = f"{edition.batch_images:,} rows"
        raise DataError(
            f"The labels in {place} are not those of the official batches, {rows} each in any order", GET_IT
        )
    return [found.index(counts) for counts in edition.class_counts]


def _replace(path: Path, content: bytes | memoryview) -> None:
    """Put a file in place whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
