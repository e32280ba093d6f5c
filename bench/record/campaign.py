"""A campaign's folder: the one model, reader and writer of ``campaign.json``, and its runs."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from bench.errors import DataError
from bench.record.build import EVENTS_FILE
from bench.record.claims import Claims
from bench.record.event_lines import MOST_LINE_BYTES, Unreadable, decoded, text
from bench.record.files import build_record_from, load_versioned, readable, seed_of
from bench.record.model import RECORD_FILE, STATUSES, Record
from bench.record.telemetry import TELEMETRY_FILE
from bench.record.ticks import MOST_BYTES
from bench.system import files as disk
from bench.system import json_schema
from bench.system.json_schema import NOT_STORED

CAMPAIGN_FILE = "campaign.json"
_BUILT_IN = "resnet9"
#: The usual limit of a run's last line; the message of a failed trainer may be longer.
_TAIL_BYTES = 1 << 14


@dataclass(frozen=True)
class Configuration:
    """The settings that all runs of a campaign share; runs that differ in any are never combined."""

    recipe: str
    recipe_sha256: str
    dataset: str
    dataset_sha256: str
    dataset_state: str
    input: str
    precision: str
    device: str
    trainer: str
    target_percent: float
    threads: int
    #: The container image, by name and digest; empty for runs without a container.
    image: str = ""

    def differences(self, other: Configuration) -> list[str]:
        """Return the keys in which ``other`` differs, each with both values; of a recipe's hashes, what they mean."""
        mine, theirs = asdict(self), asdict(other)
        keys = [key for key in mine if mine[key] != theirs[key]]
        found = [f"{key} {theirs[key]!r} instead of {mine[key]!r}" for key in keys if key != "recipe_sha256"]
        if "recipe_sha256" in keys and not {"recipe", "trainer"} & {*keys}:
            what = "the recipe's numbers" if self.trainer == _BUILT_IN else "the trainer's command, folder or files"
            found.insert(0, f"{what} are not those it was begun with")
        return found


@dataclass(frozen=True)
class RunConditions:
    """The conditions of a campaign's runs; runs under other conditions are not combined with them.

    ``warm_up`` runs are made and discarded before the first seed each time a command starts; ``idle_seconds`` lie at
    least between the end of a run and the start of the next; ``kernel_cache`` is ``kept``, or ``cold`` for an empty one
    at each run; ``telemetry`` says whether the machine is sampled meanwhile.
    """

    warm_up: int = 1
    idle_seconds: float = 0.0
    kernel_cache: str = "kept"
    telemetry: bool = True

    def differences(self, other: RunConditions) -> list[str]:
        """Return the keys in which ``other`` differs, each with both values."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{key} {theirs[key]!r} instead of {mine[key]!r}" for key in mine if mine[key] != theirs[key]]

    def sentence(self, warmed: str = "") -> str:
        """Return the conditions in words, for the first line of a campaign; ``warmed`` is what a warm-up run trains."""
        runs = {0: "no warm-up run", 1: "1 warm-up run"}.get(self.warm_up, f"{self.warm_up} warm-up runs")
        cache = "kernel cache empty at each run" if self.kernel_cache == "cold" else "kernel cache kept"
        off = "" if self.telemetry else ", telemetry off"
        of = f" of {warmed}" if warmed and self.warm_up else ""
        return f"{runs}{of} first, {self.idle_seconds:g} s idle between runs, {cache}{off}"


#: The conditions of a campaign whose file states none.
UNSTATED = RunConditions(warm_up=0, idle_seconds=0.0, kernel_cache="unstated", telemetry=False)


@dataclass(frozen=True)
class CampaignFile:
    """The content of ``campaign.json``, its keys in the order of the file.

    ``seeds`` is the plan: every seed that was ever requested, done or not. ``recipe`` is the recipe's whole table and
    ``protocol`` the conditions of its runs; the oldest files have neither.
    """

    schema: int
    configuration: Configuration
    seeds: tuple[int, ...]
    created_utc: str | None = None
    claims: Claims = field(default_factory=Claims)
    recipe: dict[str, Any] = field(default_factory=dict)
    protocol: RunConditions = UNSTATED
    status: str = field(default="unfinished", compare=False)
    folder: Path = field(default=Path(), metadata=NOT_STORED)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the campaign in ``folder`` without its runs. Raises DataError where its file is missing or damaged."""
        return replace(load_versioned(cls, folder / CAMPAIGN_FILE), folder=folder)

    def write_file(self, status: str) -> None:
        """Write ``campaign.json``. Raises EnvironmentProblem if writing fails."""
        disk.replace_file(self.folder / CAMPAIGN_FILE, json_schema.dump(replace(self, status=status)))


@dataclass(frozen=True)
class StoredRun:
    """A run's folder and the record of its events."""

    folder: Path
    record: Record


@dataclass(frozen=True)
class StoredCampaign(CampaignFile):
    """A campaign with the records of its seeds, in order of the seeds."""

    runs: tuple[StoredRun, ...] = field(default=(), metadata=NOT_STORED)
    #: Folders of seeds that have no events and are in no table.
    without_events: tuple[str, ...] = field(default=(), metadata=NOT_STORED)

    @property
    def records(self) -> tuple[Record, ...]:
        """Return the records of the runs, without verdicts."""
        return tuple(run.record for run in self.runs)

    @property
    def left(self) -> tuple[int, ...]:
        """Return the planned seeds without a finished run."""
        done = {record.seed for record in self.records if record.status == "done"}
        return tuple(seed for seed in self.seeds if seed not in done)


def seed_folder(campaign: Path, seed: int) -> Path:
    """Return where a seed's files are: ``seed-007`` in the campaign's folder."""
    return campaign / f"seed-{seed:03d}"


def run_status(folder: Path) -> str | None:
    """Return how the run in ``folder`` ended, from the last line of its events alone; None where there are no events.

    A run whose last line is not the harness's own end, or is cut off, is ``interrupted``. Raises DataError where the
    events cannot be read.
    """
    path = folder / EVENTS_FILE
    with readable():
        if not path.is_file():
            return None
        last = _last_line(path)
    try:
        end = decoded(last)
    except Unreadable:
        return "interrupted"
    if end.get("event") != "harness_end":
        return "interrupted"
    status = text(end, "status")
    return status if status in STATUSES else "failed"


def _last_line(path: Path) -> bytes:
    with open(path, "rb", opener=disk.plainly) as stream:
        size = os.fstat(stream.fileno()).st_size
        for most in (_TAIL_BYTES, MOST_LINE_BYTES):
            stream.seek(max(0, size - most))
            _, newline, last = stream.read(most).rstrip().rpartition(b"\n")
            if newline or most >= size:
                return last
    return b""  # Longer than any line of the harness.


def load_campaign(folder: Path) -> StoredCampaign:
    """Return the campaign in ``folder`` with a record of each seed, built from its events.

    Raises DataError if it is not a campaign, or if a file or a folder in it is invalid or unreadable.
    """
    with readable():
        return _load_campaign(folder)


def _load_campaign(folder: Path) -> StoredCampaign:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", "give a campaign's folder, such as one under results/")
    if not (folder / CAMPAIGN_FILE).is_file():
        raise DataError(
            f"{folder} is not a campaign: it has no {CAMPAIGN_FILE}", "give one of the folders under results/"
        )
    inside = folder.resolve()
    _refuse_odd(folder, inside, folder / CAMPAIGN_FILE)
    stored = StoredCampaign.read(folder)
    runs, without_events = [], []
    for seed, place in _seed_folders(folder).items():
        _refuse_odd(folder, inside, *(place / name for name in (EVENTS_FILE, TELEMETRY_FILE, RECORD_FILE)))
        if not (place / EVENTS_FILE).is_file():
            without_events.append(place.name)
            continue
        telemetry = place / TELEMETRY_FILE
        if telemetry.exists() and telemetry.stat().st_size > MOST_BYTES:
            raise DataError(f"{telemetry} has more than {MOST_BYTES >> 30} GiB", f"move it out of {folder}")
        record = build_record_from(place / EVENTS_FILE)
        if record.seed != seed:
            raise DataError(
                f"{place / EVENTS_FILE} is of seed {record.seed} and its folder is of seed {seed}",
                f"give the folder the name {seed_folder(folder, record.seed or 0).name} again, or move it out of "
                f"{folder}",
            )
        runs.append(StoredRun(place, record))
    return replace(stored, runs=tuple(runs), without_events=tuple(without_events))


def _seed_folders(campaign: Path) -> dict[int, Path]:
    """Return the folders of the seeds, in order of the seeds. Raises DataError where two are of one seed."""
    found: dict[int, Path] = {}
    for place in sorted(campaign.iterdir()):
        seed = seed_of(place)
        if seed is None:
            continue
        if seed in found:
            raise DataError(
                f"{found[seed]} and {place.name} are both of seed {seed}", f"move one of them out of {campaign}"
            )
        found[seed] = place
    return dict(sorted(found.items()))


def _refuse_odd(campaign: Path, inside: Path, *paths: Path) -> None:
    """Raise DataError for a path that exists and is not a file, or is outside the campaign's folder.

    A file elsewhere would not be published with the folder, and a pipe would block.
    """
    for path in paths:
        if (path.is_symlink() or path.parent.is_symlink()) and not path.resolve().is_relative_to(inside):
            raise DataError(f"{path} is a link out of {campaign}", "put what it leads to in its place")
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is not a readable file", "remove it, or put the file in its place")
