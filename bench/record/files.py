"""Records and other JSON files on disk: versioned reading, atomic writing."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bench.errors import DataError
from bench.record.build import build_record
from bench.record.event_lines import MOST_EVENT_BYTES, lines_of
from bench.record.model import RECORD_FILE, SCHEMA, Record
from bench.record.telemetry import TELEMETRY_FILE
from bench.record.ticks import TelemetrySample
from bench.record.ticks import read as read_ticks
from bench.system import files as disk
from bench.system import json_schema as schema
from bench.system.files import replace_file

#: A campaign.json of a thousand seeds has 20 kB.
MOST_JSON_BYTES = 64 << 20
_SEED_FOLDER = re.compile(r"seed-(\d{1,18})")


def seed_of(folder: Path) -> int | None:
    """Return the seed that a run's folder is named after, as ``seed-007``; None for any other name."""
    named = _SEED_FOLDER.fullmatch(folder.name)
    return int(named[1]) if named else None


def write(record: Record, path: Path, durable: bool = True) -> None:
    """Write a record as ``record.json``; many are written faster where they need not survive a power cut.

    Raises EnvironmentProblem where the disk does not take it.
    """
    replace_file(path, schema.dump(record), durable)


def build_record_from(path: Path) -> Record:
    """Return the record of the run whose ``events.jsonl`` is at ``path``, with the ``telemetry.csv`` next to it.

    Raises DataError where the events cannot be read; why a ``telemetry.csv`` cannot be used is in the record.
    """
    try:
        with open(path, "rb", opener=disk.plainly) as stream:
            disk.refuse_larger(stream.fileno(), MOST_EVENT_BYTES, path)
            return build_record(lines_of(stream), seed_of(path.parent), _ticks(path.with_name(TELEMETRY_FILE)))
    except OSError as error:
        raise _unreadable(path, error) from None


def _ticks(path: Path) -> Iterator[TelemetrySample] | None:
    return read_ticks(path) if os.path.lexists(path) else None


def holds(folder: Path, name: str) -> bool:
    """Whether a folder holds a file of this name. Raises DataError where that may not be known."""
    with readable():
        return (folder / name).is_file()


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn an OSError met while reading into DataError: one sentence with what to do about it."""
    try:
        yield
    except OSError as error:
        raise _unreadable(error.filename, error) from None


def _unreadable(path: Path | str, error: OSError) -> DataError:
    if isinstance(error, PermissionError):
        advice = "let it be read (chmod u+rX), or ask its owner to"
    else:
        advice = "put a plain file in its place, or name another folder"
    return DataError(f"cannot read {path} ({error.strerror})", advice)


def load_versioned(shape: type[schema.Shape], path: Path) -> schema.Shape:
    """A JSON file as a ``shape``. Raises DataError where it is missing, cut off, damaged or of a newer schema."""
    try:
        body = json.loads(disk.read_bytes(path, MOST_JSON_BYTES), parse_constant=_no_constant)
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is not whole JSON, as if its writing was cut off", _rebuild(path)) from None
    version = body.get("schema") if isinstance(body, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        newer = f"has schema {version} and this checkout reads up to {SCHEMA}"
        raise DataError(f"{path} {newer}", "update the checkout (git pull)")
    try:
        return schema.load(shape, body)
    except schema.SchemaError as why:
        raise DataError(f"{path} is damaged: {why}", _rebuild(path)) from None


def _rebuild(path: Path) -> str:
    if path.name == RECORD_FILE:
        return f"rebuild it with `python -m bench report {path.parent.parent}`"
    return "take the file from a backup, or move the folder away and run again"


def _no_constant(name: str) -> None:
    raise ValueError(name)
