"""A file of /proc or /sys that is read again and again."""

from __future__ import annotations

import os
from pathlib import Path

#: What one read of a file of the kernel gives at most: it fills a page (seq_file, fs/seq_file.c).
PAGE = 4096


class PseudoFile:
    """A small file of the kernel, kept open and read from its beginning, at half the cost of opening it each time."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = None

    def read(self, size: int = PAGE) -> bytes:
        """Return its contents now, empty where it could not be opened or its subject is gone."""
        if self._file is None:
            return b""
        try:
            return os.pread(self._file, size, 0)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file; it reads as empty from now on."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
