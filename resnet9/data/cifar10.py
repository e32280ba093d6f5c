"""CIFAR-10 on disk: find it, read it, and believe nothing that can be checked.

An official archive (either layout) whose published checksum matches gives ``canonical`` data, and so do unpacked
pickles whose published MD5s all match. An unpacked folder in the binary layout gives ``unverified`` data, unless its
content hash is the pinned one; sizes, labels and class counts are checked. Parquet files are found here, and converted
by the harness.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from resnet9.data import archive, batch, unpacked
from resnet9.data.dataset import Dataset, content_hash
from resnet9.data.official import (
    BATCHES,
    BINARY,
    CIFAR10,
    CLASS_NAMES,
    GET_IT,
    PIXEL_BYTES,
    PYTHON,
    SIDE,
    UNPACKED,
    Archive,
    Edition,
    Unpacked,
)
from resnet9.errors import DataError

#: Images turned at a time: 0.8 MB stays in the second-level cache while it is read three times.
PIECE_IMAGES = 250


@dataclass(frozen=True)
class Source:
    """Where CIFAR-10 lies and in which form; ``files`` are those that are there, ``path`` is the archive or the folder
    they lie in.

    ``state`` is what the data will be once its checks have passed.
    """

    path: Path
    form: Archive | Unpacked
    state: str
    files: tuple[Path, ...]


def find(where: Path, edition: Edition = CIFAR10) -> Source:
    """The archive or folder at or in ``where``, found by name and size alone; an archive is preferred to a folder next
    to it.

    Raises DataError where nothing is there that could be read.
    """
    try:
        if where.is_file():
            return Source(where, _archive_named(where, edition), Archive.state, (where,))
        # An unpacked folder is preferred to a truncated archive next to it.
        found = _archive_in(where, edition) or _unpacked_in(where, edition) or _broken_archive_in(where, edition)
        if found is not None:
            return found
        for known in edition.archives:
            part = where / f"{known.name}.part"
            if part.is_file():
                go_on = "type `make data` to go on with it, or give DATA=/path"
                raise DataError(f"The download {part} was interrupted", go_on)
    except OSError as error:
        raise DataError(f"Cannot look for CIFAR-10 at {where} ({error.strerror or error})", "give DATA=/path") from None
    unread = re.search(r"\$\w+|\$\{\w+\}|(?:(?<=/)|^)~\w*(?=/|$)", str(where))
    if unread:  # In quotes, or behind a `=`, a shell leaves it as it is.
        raise DataError(f"No CIFAR-10 at {where}", f"{unread[0]} was not replaced: write the path out, as DATA=/path")
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


def _archive_in(folder: Path, edition: Edition) -> Source | None:
    """The archive of exact size in a folder: by its name, else by the size, as Keras has names of its own for it."""
    if not folder.is_dir():
        return None
    for known in edition.archives:
        if (path := folder / known.name).is_file() and path.stat().st_size == known.size_bytes:
            return Source(path, known, known.state, (path,))
    by_size = {known.size_bytes: known for known in edition.archives}
    with contextlib.suppress(OSError):  # what else lies there may not be for us to look at
        for path in sorted(folder.iterdir()):
            if path.suffix != ".part" and path.is_file() and (found := by_size.get(path.stat().st_size)):
                return Source(path, found, found.state, (path,))
    return None


def _broken_archive_in(folder: Path, edition: Edition) -> Source | None:
    """An archive by its name, whatever its size: reading it says what is wrong."""
    named = ((folder / known.name, known) for known in edition.archives)
    return next((Source(path, known, known.state, (path,)) for path, known in named if path.is_file()), None)


def _unpacked_in(where: Path, edition: Edition) -> Source | None:
    """The first of the known forms that has a file in one of its folders."""
    for form in UNPACKED:
        for pattern in form.folders:
            for folder in sorted(where.glob(pattern)) if pattern else (where,):
                matches = [path for files in form.files for path in sorted(folder.glob(files)) if path.is_file()]
                if matches:
                    pinned = form.layout == "binary" and edition.canonical_sha256 is not None
                    return Source(folder, form, "canonical" if pinned else form.state, tuple(matches))
    return None


def load(where: Path, edition: Edition = CIFAR10) -> Dataset:
    """CIFAR-10 from an archive, from an unpacked folder in the binary or the Python layout, or from a folder that holds
    one of them.

    Gives 50,000 + 10,000 images, uint8 NHWC, in the dataset's own order. Raises DataError where anything is not as it
    should be.
    """
    source = find(where, edition)
    if source.form.layout == "parquet":
        convert = f"type `make data DATA={where}` to convert it, then give DATA= the folder that it prints"
        raise DataError(f"{source.path} holds Parquet files, which the trainer does not read", convert)
    labels = np.empty(edition.images, np.uint8)
    pixels = np.empty((edition.images, PIXEL_BYTES), np.uint8)
    state = source.form.state
    try:
        if isinstance(source.form, Archive):
            digest = _read_archive(source.path, source.form, edition, labels, pixels)
        else:
            _read_folder(source.path, source.form.layout, edition, labels, pixels)
            _check_labels(labels, edition, source.path)
            digest = content_hash(labels, pixels)
            if digest == edition.canonical_sha256:
                state = "canonical"
    except OSError as error:
        raise DataError(f"Cannot read {error.filename or source.path} ({error.strerror or error})", GET_IT) from None
    images = _turn(pixels)
    train = edition.train_images
    return Dataset(
        name="cifar10",
        state=state,
        sha256=digest,
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:],
        test_labels=labels[train:],
        class_names=CLASS_NAMES,
    )


def _read_archive(path: Path, known: Archive, edition: Edition, labels: np.ndarray, pixels: np.ndarray) -> str:
    """Fill the arrays from an archive, or from the unpacked copy next to it, and return the content hash."""
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


def _read_folder(folder: Path, layout: str, edition: Edition, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Fill the arrays from the six files of an unpacked folder."""
    like = BINARY if layout == "binary" else PYTHON
    images = edition.batch_images
    paths = [folder / like.file_name(name) for name in BATCHES]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}", _way_out(folder, edition))
    most = batch.most_bytes(layout, images)
    for path in paths if layout == "binary" else ():
        size = path.stat().st_size
        if size != most:
            raise DataError(f"{path} has {size:,} bytes instead of {most:,} ({images:,} images)", GET_IT)
    for index, (name, path) in enumerate(zip(BATCHES, paths, strict=True)):
        part = slice(index * images, (index + 1) * images)
        with open(path, "rb", buffering=0 if layout == "binary" else -1) as file:
            stream = file if layout == "binary" else _verified(file, path, name, most, edition)
            batch.read(layout, stream, str(path), labels[part], pixels[part])


def _verified(file: BinaryIO, path: Path, name: str, most: int, edition: Edition) -> BinaryIO:
    """The bytes of a pickled batch, whose MD5 is the published one: they are unpickled from memory, so that they are
    the ones that were verified. Raises DataError.
    """
    content = file.read(most + 1)
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    expected = edition.batch_md5.get(name)
    if len(content) <= most and found == expected:
        return io.BytesIO(content)
    has = f"MD5 {found} instead of {expected}" if len(content) <= most else f"more than {most:,} bytes"
    wrong = f"{path} has {has}, so it is not the official {name} and its pickle is not read"
    raise DataError(wrong, _way_out(path.parent, edition))


def _way_out(folder: Path, edition: Edition) -> str:
    """What to type if an unpacked folder cannot be used; an archive next to it or in the place of Keras 3, is named."""
    instead = f"DATA= the path of {PYTHON.name} or of an unpacked {BINARY.folder}"
    with contextlib.suppress(OSError):
        found = [near for parent in folder.resolve().parents[:2] if (near := _archive_in(parent, edition))]
        instead = f"DATA={found[0].path}" if found else instead
    return f"give {instead}, or type `make data` to download the official archive"


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
