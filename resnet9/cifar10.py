"""CIFAR-10 on disk: find it, read it, and believe nothing that can be checked.

An official archive (either layout) is checked against its published checksum and gives ``canonical`` data. An unpacked
folder is read in the binary layout only, because the other one is pickle, and gives ``unverified`` data: sizes, labels
and class counts are checked, and the content hash says which bytes they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnet9 import archive, batch, unpacked
from resnet9.dataset import Dataset, content_hash
from resnet9.errors import DataError
from resnet9.official import BATCHES, BINARY, CIFAR10, CLASS_NAMES, GET_IT, PIXEL_BYTES, PYTHON, SIDE, Archive, Edition

#: Images turned at a time: 0.8 MB stays in the second-level cache while it is read three times.
PIECE_IMAGES = 250


@dataclass(frozen=True)
class Source:
    """Where CIFAR-10 lies: an archive (``archive`` says which) or, where that is None, an unpacked folder."""

    path: Path
    archive: Archive | None

    @property
    def state(self) -> str:
        """What the data will be once its checks have passed."""
        return "unverified" if self.archive is None else "canonical"


def find(where: Path, edition: Edition = CIFAR10) -> Source:
    """The archive or folder at or in ``where``, found by name and size alone; an archive goes before a folder beside
    it.

    Raises DataError where nothing is there that could be read.
    """
    try:
        if where.is_file():
            return Source(where, _archive_named(where, edition))
        for known in edition.archives:
            if (where / known.name).is_file():
                return Source(where / known.name, known)
        for folder in (where / BINARY.folder, where):
            if any((folder / BINARY.file_name(name)).is_file() for name in BATCHES):
                return Source(folder, None)
        for folder in (where / PYTHON.folder, where):
            if any((folder / PYTHON.file_name(name)).is_file() for name in BATCHES):
                raise DataError(
                    f"{folder} is in the Python layout, which is pickle and is read only from the verified archive",
                    f"give DATA= the path of {PYTHON.name}, or of an unpacked {BINARY.folder}",
                )
        for known in edition.archives:
            part = where / f"{known.name}.part"
            if part.is_file():
                go_on = "type `make data` to go on with it, or give DATA=/path"
                raise DataError(f"The download {part} was interrupted", go_on)
    except OSError as error:
        raise DataError(f"Cannot look for CIFAR-10 at {where} ({error.strerror or error})", "give DATA=/path") from None
    raise DataError(f"No CIFAR-10 at {where}", GET_IT)


def _archive_named(path: Path, edition: Edition) -> Archive:
    """Which archive a file is meant to be: by its exact size, else by its name; whether it is that one, the checksum
    says."""
    by_size = {known.size_bytes: known for known in edition.archives}
    by_name = {known.name: known for known in edition.archives}
    known = by_size.get(path.stat().st_size) or by_name.get(path.name)
    if known is None:
        raise DataError(f"{path} is no archive of CIFAR-10 ({' or '.join(by_name)})", GET_IT)
    return known


def load(where: Path, edition: Edition = CIFAR10) -> Dataset:
    """CIFAR-10 from an archive, a folder that holds one, an unpacked folder in the binary layout, or the folder around
    that.

    Gives 50,000 + 10,000 images, uint8 NHWC, in the dataset's own order. Raises DataError where anything is not as it
    should be.
    """
    source = find(where, edition)
    labels = np.empty(edition.images, np.uint8)
    pixels = np.empty((edition.images, PIXEL_BYTES), np.uint8)
    try:
        if source.archive is None:
            _read_folder(source.path, edition, labels, pixels)
            _check_labels(labels, edition, source.path)
            digest = content_hash(labels, pixels)
        else:
            digest = _read_archive(source.path, source.archive, edition, labels, pixels)
    except OSError as error:
        raise DataError(f"Cannot read {error.filename or source.path} ({error.strerror or error})", GET_IT) from None
    images = _turn(pixels)
    train = edition.train_images
    return Dataset(
        name="cifar10",
        state=source.state,
        sha256=digest,
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:],
        test_labels=labels[train:],
        class_names=CLASS_NAMES,
    )


def _read_archive(path: Path, known: Archive, edition: Edition, labels: np.ndarray, pixels: np.ndarray) -> str:
    """Fill the arrays from an archive, or from the unpacked copy beside it, and return the content hash."""
    size = path.stat().st_size
    if size == known.size_bytes:
        expected = unpacked.read(path.parent, known, labels, pixels)
        if expected is not None and content_hash(labels, pixels) == expected:
            _check_labels(labels, edition, path)
            return expected
    archive.read(path, known, edition, labels, pixels)
    _check_labels(labels, edition, path)
    digest = content_hash(labels, pixels)
    unpacked.write(path.parent, known, labels, pixels, digest)
    return digest


def _read_folder(folder: Path, edition: Edition, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Fill the arrays from the six files of an unpacked folder; all of them are looked at before the first is read."""
    images = edition.batch_images
    paths = [folder / BINARY.file_name(name) for name in BATCHES]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}", GET_IT)
    expected = batch.most_bytes("binary", images)
    for path in paths:
        size = path.stat().st_size
        if size != expected:
            raise DataError(f"{path} has {size:,} bytes instead of {expected:,} ({images:,} images)", GET_IT)
    for index, path in enumerate(paths):
        part = slice(index * images, (index + 1) * images)
        with open(path, "rb", buffering=0) as file:
            batch.read("binary", file, str(path), labels[part], pixels[part])


def _check_labels(labels: np.ndarray, edition: Edition, place: Path) -> None:
    """Refuse labels that are no classes, files in each other's place, and sets without the official number of a
    class."""
    rows = labels.reshape(len(BATCHES), edition.batch_images)
    most = len(CLASS_NAMES) - 1
    for name, row in zip(BATCHES, rows, strict=True):
        if row.max() > most:
            image = int(np.argmax(row > most))
            raise DataError(
                f"Image {image} of {name} in {place} has label {row[image]}, not one of 0 to {most}", GET_IT
            )
    counts = np.stack([np.bincount(row, minlength=most + 1) for row in rows])
    official = np.array(edition.class_counts)
    for name, found, expected in zip(BATCHES, counts, official, strict=True):
        others = [BATCHES[other] for other in np.flatnonzero((official == found).all(axis=1))]
        if others and not np.array_equal(found, expected):
            give = "give the files their own names back, or give DATA=/path"
            raise DataError(f"{name} in {place} holds the labels of {others[0]}", give)
    for title, part in (("training", slice(0, -1)), ("test", slice(-1, None))):
        for name, have, want in zip(CLASS_NAMES, counts[part].sum(axis=0), official[part].sum(axis=0), strict=True):
            if have != want:
                raise DataError(f"The {title} set in {place} has {have:,} of class {name} instead of {want:,}", GET_IT)


def _turn(pixels: np.ndarray) -> np.ndarray:
    """Channel-major pixels uint8 [N, 3072] turned in place into images uint8 [N, 32, 32, 3]: a second 184 MB is never
    needed."""
    for begin in range(0, len(pixels), PIECE_IMAGES):
        piece = pixels[begin : begin + PIECE_IMAGES]
        planes = piece.copy().reshape(len(piece), 3, SIDE * SIDE)
        turned = piece.reshape(len(piece), SIDE * SIDE, 3)
        for channel in range(3):
            turned[:, :, channel] = planes[:, channel]
    return pixels.reshape(-1, SIDE, SIDE, 3)
