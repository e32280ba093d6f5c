"""``ablation.json``: what an ablation compares, as it was declared before its first run, and the records beneath it.

An ablation's folder holds one campaign a variant, in a folder of the variant's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import DataError
from bench.record.files import CAMPAIGN_FILE, load_campaign, load_versioned
from bench.record.model import Record
from bench.system import json_schema as schema
from bench.system.files import replace_file

ABLATION_FILE = "ablation.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Variant:
    """One side of a comparison: ``name`` is its folder, ``against`` the name of what it is compared with, empty for the
    base.

    ``decides``: ``accuracy`` or ``images_per_second``. ``view``: the view its accuracy is judged in. ``changes``: what
    differs from the reference, one text a key.
    """

    name: str
    technique: str
    recipe: str
    recipe_sha256: str
    input: str
    epochs: float
    view: str
    decides: str
    against: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class StoredAblation:
    """A declaration as it is run; the base is the first of ``variants``.

    ``sha256`` is the identity of what is compared. ``spread_percent`` is the assumed standard deviation of accuracy
    between seeds in points, ``throughput_spread`` that of images/s, relative. ``configuration``: the base's.
    """

    schema: int
    set: str
    sha256: str
    title: str
    question: str
    proxy: str
    spread_percent: float
    spread_source: str
    throughput_spread: float
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    configuration: dict[str, Any]
    created_utc: str = ""
    status: str = "unfinished"

    @property
    def comparisons(self) -> tuple[Variant, ...]:
        """The variants that are compared with something."""
        return tuple(each for each in self.variants if each.against)


def read_ablation(folder: Path) -> StoredAblation:
    """What ``ablation.json`` in ``folder`` says. Raises DataError where it is missing or damaged."""
    path = folder / ABLATION_FILE
    stored = load_versioned(StoredAblation, path)
    names = [each.name for each in stored.variants]
    # Names become paths, and a comparison needs both its sides.
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    spreads = (stored.spread_percent, stored.throughput_spread)
    lost = [each.against for each in stored.variants if each.against and each.against not in names]
    if wrong or lost or len(set(names)) < len(names) or not names or min(spreads) <= 0:
        what = f"it has no variant {lost[0]!r}" if lost else "its variants have no names of their own"
        what = "a spread is not above 0" if min(spreads) <= 0 else what
        raise DataError(f"{path} is damaged: {what}; take the file from a backup, or remove the folder and run again.")
    return stored


def load_ablation(folder: Path) -> tuple[StoredAblation, dict[str, tuple[Record, ...]]]:
    """An ablation and the records of each variant, by name, folded anew from their events.

    A variant that has not begun has none. Raises DataError where something in the folder is damaged.
    """
    stored = read_ablation(folder)
    begun = [each.name for each in stored.variants if (folder / each.name / CAMPAIGN_FILE).is_file()]
    records = {name: load_campaign(folder / name).records for name in begun}
    return stored, {each.name: records.get(each.name, ()) for each in stored.variants}


def write_ablation(stored: StoredAblation, folder: Path) -> None:
    """Put ``ablation.json`` in place. Raises EnvironmentProblem where the disk does not take it."""
    replace_file(folder / ABLATION_FILE, schema.dump(stored))
