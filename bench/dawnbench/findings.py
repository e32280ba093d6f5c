"""What is wrong with a DAWNBench pair, as findings that can be printed anywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["compat", "full"]
LEVELS: tuple[Level, ...] = ("compat", "full")
#: Longer values are cut in a sentence: a finding is read on a terminal.
SHOWN_CHARACTERS = 60
#: The longest sentence of another program.
SENTENCE_CHARACTERS = 300


@dataclass(frozen=True)
class Finding:
    """One broken rule: its level, id, file and line, what was found, and what to do."""

    level: Level
    rule: str
    where: str
    sentence: str
    fix: str


def shown(value: object) -> str:
    """Return an untrusted value as short, printable ASCII, control characters and lone surrogates escaped."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return json.dumps(value[:SHOWN_CHARACTERS]) + "..." * (len(value) > SHOWN_CHARACTERS)
    text = json.dumps(value)
    return text[:SHOWN_CHARACTERS] + "..." * (len(text) > SHOWN_CHARACTERS)


def sentence(text: str) -> str:
    """Return another program's sentence as printable ASCII without its full stop, cut if too long."""
    words = " ".join(text.split()).rstrip(".")
    plain = words if words.isascii() and words.isprintable() else ascii(words)[1:-1]
    return plain if len(plain) <= SENTENCE_CHARACTERS else f"{plain[:SENTENCE_CHARACTERS]}..."


def printable(path: Path | str) -> str:
    """Return a file's name or path fit for any terminal, whatever bytes it has."""
    text = str(path)
    return text if text.isascii() and text.isprintable() else ascii(text)
