"""``stalls.json``: what a measurement of the input compares, and the records beneath it.

Its folder holds two campaigns, one of each input, in folders of their names: the host's and its control's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from bench.record.files import CAMPAIGN_FILE, load_campaign, load_versioned
from bench.record.model import Record
from bench.system import json_schema as schema
from bench.system.files import replace_file

STALLS_FILE = "stalls.json"
HOST, MEMORY = "host", "memory"
#: The two inputs, by the names of their folders.
INPUTS = (HOST, MEMORY)


@dataclass(frozen=True)
class StoredStalls:
    """Pairs of runs, one of each input with the same seed; each run ends after ``epochs`` epochs, if not before."""

    schema: int
    recipe: str
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    created_utc: str = ""


def read_stalls(folder: Path) -> StoredStalls:
    """What ``stalls.json`` in ``folder`` says. Raises DataError where it is missing or damaged."""
    path = folder / STALLS_FILE
    stored = load_versioned(StoredStalls, path)
    if stored.epochs < 2 or not stored.seeds:
        what = "it compares no epoch after the first" if stored.seeds else "it has no seeds"
        raise DataError(f"{path} is damaged: {what}; take the file from a backup, or remove the folder and run again.")
    return stored


def load_stalls(folder: Path) -> tuple[StoredStalls, dict[str, tuple[Record, ...]]]:
    """A measurement and the records of each input, folded anew from their events; none where it has not begun.

    Raises DataError where something in the folder is damaged.
    """
    stored = read_stalls(folder)
    begun = [name for name in INPUTS if (folder / name / CAMPAIGN_FILE).is_file()]
    records = {name: load_campaign(folder / name).records for name in begun}
    return stored, {name: records.get(name, ()) for name in INPUTS}


def write_stalls(stored: StoredStalls, folder: Path) -> None:
    """Put ``stalls.json`` in place. Raises EnvironmentProblem where the disk does not take it."""
    replace_file(folder / STALLS_FILE, schema.dump(stored))
