"""One file of CIFAR-10, in the binary layout or in the Python one, read into arrays that the caller owns."""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO

import numpy as np

from resnet9.data.official import GET_IT, PIXEL_BYTES, RECORD_BYTES
from resnet9.errors import DataError

#: Records read at a time: 1.5 MB stays in the second-level cache between the read and the two copies out of it
#: (0.06 s for the whole dataset, 0.13 s with a whole file at a time).
PIECE_RECORDS = 500
#: A batch in the Python layout holds file names besides labels and pixels; the official ones take 3,104 bytes an image.
PYTHON_MOST_BYTES = 3_200


def most_bytes(layout: str, images: int) -> int:
    """The largest size a file of ``images`` images can have; in the binary layout also the only one."""
    return RECORD_BYTES * images if layout == "binary" else PYTHON_MOST_BYTES * images + 4096


def read(layout: str, stream: BinaryIO, place: str, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Fill labels uint8 [n] and pixels uint8 [n, 3072] (channel before row and column) from a stream of n images.

    ``place`` names the file in an error. The Python layout is pickle: give it only bytes whose checksum was verified.
    Raises DataError where the stream is no such file.
    """
    if layout == "binary":
        _read_binary(stream, place, labels, pixels)
    else:
        _read_python(stream, place, labels, pixels)


def _read_binary(stream: BinaryIO, place: str, labels: np.ndarray, pixels: np.ndarray) -> None:
    piece = np.empty((PIECE_RECORDS, RECORD_BYTES), np.uint8)
    for begin in range(0, len(labels), PIECE_RECORDS):
        part = slice(begin, min(begin + PIECE_RECORDS, len(labels)))
        records = piece[: part.stop - begin]
        fill(stream, records, place)
        labels[part] = records[:, 0]
        pixels[part] = records[:, 1:]


def fill(stream: BinaryIO, array: np.ndarray, place: str) -> None:
    """Fill a C-contiguous uint8 array from the stream. Raises DataError where the stream ends before."""
    left = array.data.cast("B")
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise DataError(f"{place} ends {len(left):,} bytes early", GET_IT)
        left = left[count:]


class _NumpyOnly(pickle.Unpickler):
    """Builds arrays and the plain types that pickle knows by itself; any other name in the stream is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        # numpy 2 moved the function and kept the old name in files, so it is taken from an array instead of imported.
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _read_python(stream: BinaryIO, place: str, labels: np.ndarray, pixels: np.ndarray) -> None:
    # The official files were written by Python 2, whose text is bytes.
    try:
        content = _NumpyOnly(stream, encoding="bytes").load()
    except Exception as error:  # unpickling a damaged stream can raise anything
        raise DataError(f"{place} cannot be unpickled ({error})", GET_IT) from None
    data = content.get(b"data") if isinstance(content, dict) else None
    classes = content.get(b"labels") if isinstance(content, dict) else None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), PIXEL_BYTES):
        raise DataError(f"{place} has no uint8 array `data` of {len(labels):,} x {PIXEL_BYTES:,}", GET_IT)
    if not isinstance(classes, list) or len(classes) != len(labels):
        raise DataError(f"{place} has no list `labels` of {len(labels):,}", GET_IT)
    if not all(isinstance(label, int) and 0 <= label <= 255 for label in classes):
        raise DataError(f"{place} has labels that are no classes", GET_IT)
    labels[:] = classes
    pixels[:] = data
