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

from bench.errors import DataError
from bench.record import seal
from bench.record.build import EVENTS_FILE, build_record
from bench.record.event_lines import MOST_EVENT_BYTES, lines_of
from bench.record.model import RECORD_FILE, SCHEMA, Record
from bench.record.telemetry import TELEMETRY_FILE
from bench.record.ticks import TelemetrySample
from bench.record.ticks import read as read_ticks
from bench.system import files as disk
from bench.system import json_schema as schema
from bench.system.files import replace_file
from bench.system.json_schema import NOT_STORED

CAMPAIGN_FILE = "campaign.json"
#: A campaign.json of a thousand seeds has 20 kB. A record.json that is larger is not read, and its run folded again.
MOST_JSON_BYTES = 64 << 20
_SEED_FOLDER = re.compile(r"seed-(\d{1,18})")


@dataclass(frozen=True)
class StoredRun:
    """The record of a run, and the ``sources`` (``bench.record.seal``) it was folded from.

    ``sealed`` says that ``record.json`` holds this very record, its verdict included.
    """

    folder: Path
    record: Record
    sources: str
    sealed: bool = False


@dataclass(frozen=True)
class StoredCampaign:
    """A campaign folder as it was read: ``campaign.json`` and the records of its seeds, in order of the seeds.

    ``seeds`` is the plan: every seed that was asked for. ``recipe`` is the recipe's whole table; files written before
    it was kept have none.
    """

    schema: int
    configuration: dict[str, Any]
    seeds: tuple[int, ...]
    status: str
    created_utc: str | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    folder: str = field(default="", metadata=NOT_STORED)
    runs: tuple[StoredRun, ...] = field(default=(), metadata=NOT_STORED)
    #: Folders of seeds that have no events, which no table can tell of.
    without_events: tuple[str, ...] = field(default=(), metadata=NOT_STORED)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of the runs, each with the verdict that was kept with it, if any."""
        return tuple(run.record for run in self.runs)

    @property
    def left(self) -> tuple[int, ...]:
        """The seeds of the plan that have no finished run."""
        done = {record.seed for record in self.records if record.status == "done"}
        return tuple(seed for seed in self.seeds if seed not in done)

    @property
    def path(self) -> Path:
        return Path(self.folder)


def seed_folder(campaign: Path, seed: int) -> Path:
    """Where a seed's files are: ``seed-007`` in the campaign's folder."""
    return campaign / f"seed-{seed:03d}"


def write(record: Record, path: Path) -> None:
    """Write a record as ``record.json``. Raises EnvironmentProblem where the disk does not take it."""
    replace_file(path, schema.dump(record))


def write_run(run: StoredRun, record: Record, durable: bool = True) -> None:
    """Write the ``record`` of a run, judged by now, into its folder and seal it; what is there already is left alone.

    Thousands are written faster where they need not be ``durable``: what a power cut takes is folded again.

    Raises EnvironmentProblem where the disk does not take it.
    """
    if run.sealed and run.record == record:
        return
    body = schema.dump(record).encode("ascii")
    replace_file(run.folder / RECORD_FILE, body, durable)
    with contextlib.suppress(OSError):  # Gone or closed by now: without a seal it is folded again, no more.
        if seal.sources(run.folder) == run.sources:
            replace_file(run.folder / seal.SEAL_FILE, seal.text(run.folder, run.sources, body), durable=False)


def read(path: Path) -> Record:
    """Read a ``record.json``. Raises DataError for a file that is missing, half written, or of a newer schema."""
    record = load_versioned(Record, path)
    if not record.holds_together:
        raise DataError(f"{path} is damaged: it holds an evaluation that cannot be; {_rebuild(path)}.")
    return record


def build_record_from(path: Path) -> Record:
    """The record of the run whose ``events.jsonl`` is at ``path``, with the ``telemetry.csv`` beside it.

    Raises DataError where the events cannot be read; a ``telemetry.csv`` that cannot be used is told in the record.
    """
    named = _SEED_FOLDER.fullmatch(path.parent.name)
    try:
        with open(path, "rb", opener=disk.plainly) as stream:
            disk.refuse_larger(stream.fileno(), MOST_EVENT_BYTES, path)
            return build_record(
                lines_of(stream), int(named[1]) if named else None, _ticks(path.with_name(TELEMETRY_FILE))
            )
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}).") from None


def _ticks(path: Path) -> Iterator[TelemetrySample] | None:
    return read_ticks(path) if os.path.lexists(path) else None


def load_run(folder: Path, *, rebuild: bool = False) -> StoredRun:
    """A run by its record where that is sealed, else, or where ``rebuild`` is asked for, folded from its events.

    Raises DataError where they cannot be read.
    """
    with _unreadable_told():
        sources = seal.sources(folder)
    kept = None if rebuild else seal.sealed_record(folder, sources)
    return StoredRun(
        folder, build_record_from(folder / EVENTS_FILE) if kept is None else kept, sources, kept is not None
    )


def load_campaign(folder: Path, *, rebuild: bool = False) -> StoredCampaign:
    """Read a campaign's folder, each record folded from its events, or read where it is sealed as their fold.

    ``rebuild`` believes no seal, for what is published or ranked: who can edit a record can seal it, too. Raises
    DataError where it is no campaign, or where a file or a folder in it is not what its name says or may not be read.
    """
    with _unreadable_told():
        return _load_campaign(folder, rebuild)


def holds(folder: Path, name: str) -> bool:
    """Whether a folder holds a file of this name. Raises DataError where that may not be known."""
    with _unreadable_told():
        return (folder / name).is_file()


@contextlib.contextmanager
def _unreadable_told() -> Iterator[None]:
    """Raise DataError for what the disk does not give."""
    try:
        yield
    except OSError as error:
        advice = "; let it be read (chmod u+rX), or ask its owner to" if isinstance(error, PermissionError) else ""
        raise DataError(f"cannot read {error.filename} ({error.strerror}){advice}.") from None


def _load_campaign(folder: Path, rebuild: bool) -> StoredCampaign:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give a campaign's folder, such as one under results/.")
    if not (folder / CAMPAIGN_FILE).is_file():
        raise DataError(f"{folder} is no campaign: it has no {CAMPAIGN_FILE}; give one of the folders under results/.")
    _refuse_odd(folder, folder / CAMPAIGN_FILE)
    stored = load_versioned(StoredCampaign, folder / CAMPAIGN_FILE)
    seeds = _seed_folders(folder)
    runs, without_events = [], []
    for seed, place in seeds.items():
        _refuse_odd(folder, *(place / name for name in (EVENTS_FILE, TELEMETRY_FILE, RECORD_FILE, seal.SEAL_FILE)))
        if not (place / EVENTS_FILE).is_file():
            without_events.append(place.name)
            continue
        run = load_run(place, rebuild=rebuild)
        if run.record.seed != seed:
            raise DataError(
                f"{place / EVENTS_FILE} is of seed {run.record.seed} and its folder is of seed {seed}; give the folder "
                f"the name {seed_folder(folder, run.record.seed or 0).name} again, or move it out of {folder}."
            )
        runs.append(run)
    return replace(stored, folder=str(folder), runs=tuple(runs), without_events=tuple(without_events))


def _seed_folders(campaign: Path) -> dict[int, Path]:
    """The folders of the seeds, in order of the seeds. Raises DataError where two are of one seed."""
    found: dict[int, Path] = {}
    for place in sorted(each for each in campaign.iterdir() if _SEED_FOLDER.fullmatch(each.name)):
        seed = int(place.name.removeprefix("seed-"))
        if seed in found:
            raise DataError(
                f"{found[seed]} and {place.name} are both of seed {seed}; move one of them out of {campaign}."
            )
        found[seed] = place
    return dict(sorted(found.items()))


def _refuse_odd(campaign: Path, *paths: Path) -> None:
    """Raise DataError for a path that is there and no file, or leads out of the campaign's folder.

    What is read elsewhere would not be published with the folder, and a pipe would be waited for.
    """
    inside = campaign.resolve()
    for path in paths:
        if (path.is_symlink() or path.parent.is_symlink()) and not path.resolve().is_relative_to(inside):
            raise DataError(f"{path} is a link out of {campaign}; put what it leads to in its place.")
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no file that could be read; remove it, or put the file in its place.")


def load_versioned(shape: type[schema.Shape], path: Path) -> schema.Shape:
    """A JSON file as a ``shape``. Raises DataError where it is missing, cut off, damaged or of a newer schema."""
    try:
        body = json.loads(disk.read_bytes(path, MOST_JSON_BYTES), parse_constant=_no_constant)
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
