"""What was published after, or beside, the board: each record with its hardware and what its clock leaves out.

``later.json`` has facts that their authors state, read at the commit or the page named in ``source``. No two of these
clocks are one, nor any of them the board's, so they stand beside a place and are no part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.errors import DataError
from bench.record.files import load_versioned

FILE = Path(__file__).with_name("later.json")
_DATE = re.compile(r"(\d{4}(-\d{2}-\d{2})?)?")


@dataclass(frozen=True)
class LaterRecord:
    """A published time to ``target_percent``; ``bound`` where its author says "under" this many seconds.

    ``date`` is the day of publication, or of the state that was read (yyyy-mm-dd, or a year; empty: not dated).
    """

    name: str
    hardware: str
    framework: str
    seconds: float
    target_percent: float
    accuracy: str
    date: str
    left_out: str
    source: str
    bound: bool = False


@dataclass(frozen=True)
class _Stored:
    schema: int
    records: tuple[LaterRecord, ...]


@cache
def records() -> tuple[LaterRecord, ...]:
    """All of them, by target, and of one target the fastest first."""
    return tuple(sorted(load(FILE), key=lambda each: (each.target_percent, each.seconds)))


def load(path: Path) -> tuple[LaterRecord, ...]:
    """The records of a file, in its order. Raises DataError, naming the record, for one that cannot be."""
    stored = load_versioned(_Stored, path).records
    for each in stored:
        if not (each.seconds > 0 and 94 <= each.target_percent < 100 and _DATE.fullmatch(each.date)):
            raise DataError(f"{path}: {each.name} has a time, a target or a date that cannot be.")
        if not all((each.name, each.hardware, each.framework, each.accuracy, each.left_out, each.source)):
            raise DataError(f"{path}: {each.name or 'a record'} lacks a text; a record without source is no record.")
    return stored
