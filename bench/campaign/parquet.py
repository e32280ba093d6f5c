"""The Parquet files of the Hugging Face hub's cifar10, converted once to an unpacked folder that a trainer reads.

Files, rows and images are checked before they are decoded: their sizes are capped, and an image is a PNG of 32 x 32
pixels, RGB. pyarrow and Pillow are imported where a file is converted.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench.errors import DataError
from bench.report.formats.parquet import require
from resnet9.data import converted
from resnet9.data.official import CIFAR10, CLASS_NAMES, PIXEL_BYTES, SIDE, Edition

#: The limit of a PNG of 32 x 32 pixels: 3.1 kB without compression, and metadata.
MOST_PNG_BYTES = 8192
#: Signature and header of such a PNG: 8 bits a channel, RGB.
PNG_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBB", SIDE, SIDE, 8, 2)
LFS_POINTER = b"version https://git-lfs"
CHUNK_BYTES = 1 << 20


def folder_of(place: Path, files: Sequence[Path], kept: Path, edition: Edition = CIFAR10) -> Path:
    """Return the folder below ``kept`` with the images of ``files`` in the binary layout; convert them if needed.

    Its name is made from the bytes of the files. Raises DataError if they are not the hub's cifar10, and
    EnvironmentProblem if they cannot be converted here.
    """
    most_bytes = edition.images * MOST_PNG_BYTES
    if sum(path.stat().st_size for path in files) > most_bytes:
        raise _refused(place, f"has Parquet files of more than {most_bytes:,} bytes")
    folder = kept / f"parquet-{_key(files)}"
    if converted.is_whole(folder, edition):
        return folder
    require()
    click.echo(f"Converting the Parquet files in {place} to the binary layout in {folder}, once.", err=True)
    labels = np.empty(edition.images, np.uint8)
    pixels = np.empty((edition.images, PIXEL_BYTES), np.uint8)
    for split, part in (("train", slice(0, edition.train_images)), ("test", slice(edition.train_images, None))):
        _fill([path for path in files if _split(path) == split], place, split, labels[part], pixels[part])
    converted.write(folder, labels, pixels, place, edition)
    return folder


def _key(files: Sequence[Path]) -> str:
    digest = sha256()
    for path in files:
        with _read_errors(path), open(path, "rb") as stream:
            digest.update(f"{_split(path)} {path.stat().st_size} ".encode())
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _split(path: Path) -> str:
    """Return ``train`` or ``test``, from the beginning of the file's name, else from its folder's."""
    return next((split for split in ("train", "test") if path.name.startswith(f"{split}-")), path.parent.name)


def _fill(files: Sequence[Path], place: Path, split: str, labels: np.ndarray[Any, Any], pixels: Any) -> None:
    """Fill labels uint8 [n] and pixels uint8 [n, 3072] with the rows of a split, in their order."""
    at = 0
    for path in files:
        with _read_errors(path):
            for label, png in _rows(path, len(labels)):
                if at < len(labels):
                    labels[at], pixels[at] = _label(label, path, at), _pixels(png, path, at)
                at += 1
    if at != len(labels):
        raise _refused(place, f"has {at:,} {split} rows instead of {len(labels):,}")


def _rows(path: Path, most_rows: int) -> Iterator[tuple[object, object]]:
    """Yield label and PNG of each row of a file. Raises DataError for other columns or a file too large."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    with open(path, "rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise DataError(f"{path} is a Git LFS pointer, not the file", f"type `git lfs pull` in {path.parent}")
    with pyarrow.parquet.ParquetFile(path) as file:
        schema, about = file.schema_arrow, file.metadata
        image, label = (schema.field(name).type if name in schema.names else None for name in ("img", "label"))
        if (
            image is None or label is None or not pyarrow.types.is_struct(image) or not pyarrow.types.is_integer(label)
            or image.get_field_index("bytes") < 0
        ):  # fmt: skip
            raise _refused(path, "has no columns `img`, with `bytes`, and `label`, a whole number")
        unpacked = sum(about.row_group(index).total_byte_size for index in range(about.num_row_groups))
        if about.num_rows > most_rows or unpacked > most_rows * MOST_PNG_BYTES + CHUNK_BYTES:
            raise _refused(path, f"has {about.num_rows:,} rows in {unpacked:,} bytes, too many")
    # A value shared by many rows is read once: else 1 kB of dictionary encoding could fill the memory.
    with pyarrow.parquet.ParquetFile(path, read_dictionary=["img.bytes"]) as file:
        for batch in file.iter_batches(batch_size=500, columns=["img.bytes", "label"]):
            images = batch.column("img")
            values = pyarrow.compute.binary_length(images.field("bytes").dictionary)
            if (pyarrow.compute.max(values).as_py() or 0) > MOST_PNG_BYTES:
                raise _refused(path, f"has an image of more than {MOST_PNG_BYTES:,} bytes")
            labels, shown = batch.column("label").to_pylist(), images.to_pylist()
            yield from zip(labels, (image and image["bytes"] for image in shown), strict=True)


def _label(label: object, path: Path, row: int) -> int:
    if not isinstance(label, int) or not 0 <= label < len(CLASS_NAMES):
        raise _refused(path, f"has the label {label} in row {row:,}, not one of 0 to {len(CLASS_NAMES) - 1}")
    return label


def _pixels(png: object, path: Path, row: int) -> np.ndarray[Any, Any]:
    from PIL import Image

    if not isinstance(png, bytes) or not png.startswith(PNG_HEADER) or len(png) > MOST_PNG_BYTES:
        raise _refused(path, f"has in row {row:,} no PNG of {SIDE} x {SIDE} pixels, RGB")
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return np.asarray(image, np.uint8).transpose(2, 0, 1).reshape(PIXEL_BYTES)


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        why = str(error).split("\n")[0][:200] or type(error).__name__
        raise _refused(path, f"cannot be read ({why})") from None


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{path} {why}, so it is not the Hugging Face hub's cifar10", "give DATA=/path to another copy")
