"""Records published outside the board, each with its hardware and what its clock leaves out.

``later.json`` has facts stated by their authors, read at the commit or the page named in ``source``. Their clocks
differ from each other and from the board's, so they are shown next to a position and do not change it.
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
    """Return all records, by target, the fastest first."""
    return tuple(sorted(load(FILE), key=lambda each: (each.target_percent, each.seconds)))


def load(path: Path) -> tuple[LaterRecord, ...]:
    """Return the records of a file, in its order. Raises DataError, naming the record, for an invalid one."""
    stored = load_versioned(_Stored, path).records
    for each in stored:
        if not (each.seconds > 0 and 94 <= each.target_percent < 100 and _DATE.fullmatch(each.date)):
            raise DataError(f"{path}: {each.name} has a time, a target or a date that cannot be.")
        if not all((each.name, each.hardware, each.framework, each.accuracy, each.left_out, each.source)):
            raise DataError(f"{path}: {each.name or 'a record'} lacks a text", "every record needs its source")
    return stored
