"""Records and campaigns on disk: versioned reading, and writing that a reader never sees half done."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import DataError, EnvironmentProblem
from bench.record import schema
from bench.record.folding import fold
from bench.record.shape import SCHEMA, Record
from bench.record.telemetry import TELEMETRY_FILE
from bench.record.ticks import Tick
from bench.record.ticks import read as read_ticks

CAMPAIGN_FILE = "campaign.json"
EVENTS_FILE = "events.jsonl"
RECORD_FILE = "record.json"
_SEED_FOLDER = re.compile(r"seed-(\d{1,18})")


@dataclass(frozen=True)
class StoredCampaign:
    """A campaign folder as it was read: ``campaign.json`` and the records of its seeds, in order of the seeds.

    ``recipe`` is the recipe's whole table; files written before it was kept have none.
    """

    schema: int
    configuration: dict[str, Any]
    seeds: tuple[int, ...]
    status: str
    created_utc: str | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    records: tuple[Record, ...] = ()

    @property
    def path(self) -> Path:
        return Path(self.folder)


def seed_folder(campaign: Path, seed: int) -> Path:
    """Where a seed's files are: ``seed-007`` in the campaign's folder."""
    return campaign / f"seed-{seed:03d}"


def replace_file(path: Path, content: str | bytes) -> None:
    """Put a file in place whole and durable: written beside it, synced, renamed. One with this content is left alone.

    Raises EnvironmentProblem where the disk does not take it; an old file stays as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        advice = "free some space or name a folder you can write to with OUT=/path"
        raise EnvironmentProblem(f"cannot write {path} ({error.strerror}); {advice}.") from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # Some file systems cannot sync a folder; the file itself is safe by then.
            os.fsync(handle)
    finally:
        os.close(handle)


def write(record: Record, path: Path) -> None:
    """Write a record as ``record.json``. Raises EnvironmentProblem where the disk does not take it."""
    replace_file(path, schema.dump(record))


def read(path: Path) -> Record:
    """Read a ``record.json``. Raises DataError for a file that is missing, half written, or of a newer schema."""
    record = load_versioned(Record, path)
    indices = (record.crossing_index, *(each.index for each in record.recounts))
    if any(each.total < 1 for each in record.epochs) or not all(_within(index, record.epochs) for index in indices):
        raise DataError(f"{path} is damaged: it holds an evaluation that cannot be; {_rebuild(path)}.")
    return record


def _within(index: int | None, items: tuple[object, ...]) -> bool:
    return index is None or 0 <= index < len(items)


def fold_file(path: Path) -> Record:
    """The record of the run whose ``events.jsonl`` is at ``path``, with the ``telemetry.csv`` beside it.

    Raises DataError where the events cannot be read; a ``telemetry.csv`` that cannot be used is told in the record.
    """
    named = _SEED_FOLDER.fullmatch(path.parent.name)
    try:
        with open(path, "rb") as stream:
            return fold(stream, int(named[1]) if named else None, _ticks(path.with_name(TELEMETRY_FILE)))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}).") from None


def _ticks(path: Path) -> Iterator[Tick] | None:
    return read_ticks(path) if path.exists() else None


def load_campaign(folder: Path) -> StoredCampaign:
    """Read a campaign's folder, each record folded anew from its events. Raises DataError where it is no campaign."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give a campaign's folder, such as one under results/.")
    if not (folder / CAMPAIGN_FILE).is_file():
        raise DataError(f"{folder} is no campaign: it has no {CAMPAIGN_FILE}; give one of the folders under results/.")
    stored = load_versioned(StoredCampaign, folder / CAMPAIGN_FILE)
    named = {int(match[1]): each for each in folder.iterdir() if (match := _SEED_FOLDER.fullmatch(each.name))}
    records = [fold_file(named[seed] / EVENTS_FILE) for seed in sorted(named) if (named[seed] / EVENTS_FILE).is_file()]
    return replace(stored, folder=str(folder), records=tuple(records))


def load_versioned(shape: type[schema.Shape], path: Path) -> schema.Shape:
    """A JSON file as a ``shape``. Raises DataError where it is missing, cut off, damaged or of a newer schema."""
    try:
        body = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is not whole JSON, as if its writing was cut off; {_rebuild(path)}.") from None
    version = body.get("schema") if isinstance(body, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        newer = f"has schema {version} and this checkout reads up to {SCHEMA}"
        raise DataError(f"{path} {newer}; update the checkout (git pull).")
    try:
        return schema.load(shape, body)
    except schema.SchemaError as why:
        raise DataError(f"{path} is damaged: {why}; {_rebuild(path)}.") from None


def _rebuild(path: Path) -> str:
    if path.name == RECORD_FILE:
        return f"rebuild it with `python -m bench report {path.parent.parent}`"
    return "take the file from a backup, or remove the folder and run again"


def _no_constant(name: str) -> None:
    raise ValueError(name)
