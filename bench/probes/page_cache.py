"""How much of a file is in the page cache, found without reading it."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path


def cached_bytes(path: Path) -> int | None:
    """Return the bytes of a file that are in memory, in whole pages; None where the kernel does not say.

    Since Linux 5.2 ``mincore`` reports a file that is neither ours nor writable for us as cached (mincore(2)).
    """
    try:
        with open(path, "rb") as stream:
            about = os.fstat(stream.fileno())
            if about.st_size == 0:
                return 0
            if about.st_uid != os.geteuid() and not os.access(path, os.W_OK):
                return None
            # A private copy, as ctypes only takes the address of writable memory; none of its pages is touched.
            with mmap.mmap(stream.fileno(), about.st_size, access=mmap.ACCESS_COPY) as view:
                return _resident_bytes(view, about.st_size)
    except (OSError, ValueError):
        return None


def _resident_bytes(view: mmap.mmap, size: int) -> int | None:
    page_bytes = mmap.PAGESIZE
    pages = (ctypes.c_ubyte * -(-size // page_bytes))()
    begin = ctypes.c_char.from_buffer(view)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mincore(ctypes.c_void_p(ctypes.addressof(begin)), ctypes.c_size_t(size), pages) != 0:
            return None
    finally:
        del begin  # or the view could not be closed
    return min(size, page_bytes * sum(page & 1 for page in pages))
