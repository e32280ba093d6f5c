"""The content of a verified archive, unpacked next to it: the next run need not inflate 170 MB inside its clock.

``cifar10.u8`` is all labels, then all pixels, in the order of the content hash, so that ``sha256sum cifar10.u8`` gives
that hash. ``cifar10.json`` says which archive it came from and what the hash must be. Both can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import numpy as np

from resnet9.data import batch
from resnet9.data.official import Archive
from resnet9.errors import DataError

DATA_FILE, NOTE_FILE = "cifar10.u8", "cifar10.json"
#: A note is a few hundred bytes; whatever else bears its name is not read.
NOTE_MOST_BYTES = 4096


def read(folder: Path, archive: Archive, labels: np.ndarray, pixels: np.ndarray) -> str | None:
    """Fill labels uint8 [N] and pixels uint8 [N, 3072] from the unpacked copy of ``archive`` in ``folder``.

    Returns the content hash the copy must have, for the caller to check, or None where there is no copy of this archive
    to use.
    """
    path = folder / DATA_FILE
    try:
        expected = _expected_hash(folder / NOTE_FILE, archive)
        if expected is None or not path.is_file() or path.stat().st_size != labels.nbytes + pixels.nbytes:
            return None
        with open(path, "rb", buffering=0) as file:
            batch.fill(file, labels, str(path))
            batch.fill(file, pixels, str(path))
    except (OSError, DataError):
        return None
    return expected


def _expected_hash(note: Path, archive: Archive) -> str | None:
    """The content hash in the note, where it is about this archive."""
    if not note.is_file() or note.stat().st_size > NOTE_MOST_BYTES:
        return None
    try:
        content = json.loads(note.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("archive_sha256") != archive.sha256:
        return None
    expected = content.get("content_sha256")
    return expected if isinstance(expected, str) else None


def write(folder: Path, archive: Archive, labels: np.ndarray, pixels: np.ndarray, content_sha256: str) -> None:
    """Keep an unpacked copy in ``folder``; where it cannot be written (mounted read-only, disk full) nothing is left
    behind.

    Processes that write at once write the same bytes, each under a name of its own; the note comes last and is put in
    place whole.
    """
    note = {"archive": archive.name, "archive_sha256": archive.sha256, "content_sha256": content_sha256}
    parts = {name: folder / f"{name}.{os.getpid()}.part" for name in (DATA_FILE, NOTE_FILE)}
    try:
        with open(parts[DATA_FILE], "wb") as file:
            file.write(labels.data)
            file.write(pixels.data.cast("B"))
        parts[NOTE_FILE].write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        for name in (DATA_FILE, NOTE_FILE):
            parts[name].replace(folder / name)
    except OSError:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink()
