"""``ab.json``: what an A/B compares, and where its two sides are.

Its folder holds two campaigns, ``a`` and ``b``, whose runs were made in pairs of one seed.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import DataError
from bench.record.files import load_versioned
from bench.system import json_schema as schema
from bench.system.files import replace_file

AB_FILE = "ab.json"
A, B = "a", "b"
#: The two sides, by the names of their folders.
SIDES = (A, B)


@dataclass(frozen=True)
class StoredSide:
    """What one side was told beside what both share.

    ``settings`` are options by name, ``variables`` those of its trainer's environment as a record may tell them.
    ``configuration`` is everything that its runs were asked to be.
    """

    settings: dict[str, str]
    variables: dict[str, str]
    configuration: dict[str, Any]

    @property
    def words(self) -> str:
        """What was told, as it can be typed, in order of the names; empty for nothing."""
        told = {**self.settings, **self.variables}
        return " ".join(shlex.quote(f"{key}={told[key]}") for key in sorted(told))


@dataclass(frozen=True)
class StoredAB:
    """Pairs of runs, one of each side with the same seed.

    ``epochs``: after which each run is ended; None for a recipe's whole schedule.
    """

    schema: int
    recipe: str
    dataset: str
    epochs: int | None
    seeds: tuple[int, ...]
    a: StoredSide
    b: StoredSide
    created_utc: str = ""

    @property
    def sides(self) -> str:
        """What each side was told, in one line."""
        return f"A {self.a.words or 'nothing'}, B {self.b.words or 'nothing'}"

    @property
    def alike(self) -> bool:
        """Nothing differs between the sides, so the comparison measures its own method."""
        return (self.a.configuration, self.a.variables) == (self.b.configuration, self.b.variables)

    @property
    def left_out(self) -> int:
        """The epochs at the beginning that are no part of the time compared: the first has first-use costs.

        0 where it is all there is, and for a whole schedule.
        """
        return 1 if self.epochs is not None and self.epochs > 1 else 0


def read_ab(folder: Path) -> StoredAB:
    """What ``ab.json`` in ``folder`` says. Raises DataError where it is missing or damaged."""
    path = folder / AB_FILE
    stored = load_versioned(StoredAB, path)
    what = _damage(stored)
    if what:
        raise DataError(f"{path} is damaged: {what}; take the file from a backup, or remove the folder and run again.")
    return stored


def _damage(stored: StoredAB) -> str:
    """What cannot be in an ``ab.json`` whose shape is right; empty for nothing."""
    if stored.schema < 1:
        return f"there is no schema {stored.schema}"
    if not stored.seeds:
        return "it has no seeds"
    if len(set(stored.seeds)) < len(stored.seeds):
        return "it has a seed twice, and a pair is two runs of one seed"
    return "it compares no epoch" if stored.epochs is not None and stored.epochs < 1 else ""


def above(campaign: Path) -> StoredAB | None:
    """The A/B that the folder of a campaign is a side of; None where it is a campaign of its own.

    Raises DataError where the ``ab.json`` above it is damaged.
    """
    folder = campaign.absolute()
    is_side = folder.name in SIDES and (folder.parent / AB_FILE).is_file()
    return read_ab(folder.parent) if is_side else None


def write_ab(stored: StoredAB, folder: Path) -> None:
    """Put ``ab.json`` in place. Raises EnvironmentProblem where the disk does not take it."""
    replace_file(folder / AB_FILE, schema.dump(stored))
