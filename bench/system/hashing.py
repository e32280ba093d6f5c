"""Names that identify without telling."""

from __future__ import annotations

import hashlib


def hashed(text: str) -> str:
    """The first 16 hexadecimal digits of the sha256 of ``text``: tells two cards apart and neither which one it is."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
