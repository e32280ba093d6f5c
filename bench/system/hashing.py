"""Hashed identifiers."""

from __future__ import annotations

import hashlib


def hashed(text: str) -> str:
    """Return the first 16 hexadecimal digits of the sha256 of ``text``, an anonymous identifier."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
