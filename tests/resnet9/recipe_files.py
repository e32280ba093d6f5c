"""Recipe files to read, made by a test."""

from __future__ import annotations

import json
from pathlib import Path


def write(folder: Path, tables: object, name: str = "mine.json") -> Path:
    """A recipe file of these tables, or of this very text."""
    path = folder / name
    path.write_text(tables if isinstance(tables, str) else json.dumps(tables))
    return path


def mine(parent: str = "page24", **changes: object) -> dict[str, object]:
    """A file with one table that changes a shipped recipe."""
    return {"mine": {"extends": parent, **changes}}
