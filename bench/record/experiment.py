"""Experiments: what is compared in one folder, arms x seeds, as ``ab.json``, ``ablation.json`` or ``stalls.json`` says.

An experiment's folder holds one campaign an arm, in a folder of the arm's name.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from bench.errors import DataError
from bench.record.campaign import CAMPAIGN_FILE, load_campaign
from bench.record.files import holds, load_versioned
from bench.record.model import Record
from bench.system import json_schema as schema
from bench.system.files import replace_file

AB_FILE, ABLATION_FILE, STALLS_FILE = "ab.json", "ablation.json", "stalls.json"
A, B = "a", "b"
#: The two arms of an A/B, by the names of their folders.
SIDES = (A, B)
HOST, MEMORY = "host", "memory"
#: The arms of a measurement of the input: the host's input and its control, whose batches are ready in memory.
INPUTS = (HOST, MEMORY)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class _Experiment:
    """What the kinds of experiments share.

    ``file`` holds the experiment, ``word`` is in the name of a new folder, ``what`` names the kind in a sentence.
    In ``paired`` experiments a run counts only with that of the other arm with the same seed. Experiments whose
    ``keys`` differ are not one. Each run is ended after ``epochs``, None for a recipe's whole schedule.
    """

    file: ClassVar[str]
    word: ClassVar[str]
    what: ClassVar[str]
    paired: ClassVar[bool] = True
    keys: ClassVar[tuple[str, ...]]

    def differences(self, wanted: Any) -> list[str]:
        """Return the keys in which ``wanted`` differs, each with both values."""
        return [
            f"{key} {getattr(self, key)!r} instead of {getattr(wanted, key)!r}"
            for key in self.keys
            if getattr(self, key) != getattr(wanted, key)
        ]


@dataclass(frozen=True)
class StoredSide:
    """The settings of one side of an A/B beyond those that both share.

    ``settings`` are options by name, ``variables`` those of its trainer's environment as a record may publish them.
    ``configuration`` is the whole configuration of its runs.
    """

    settings: dict[str, str]
    variables: dict[str, str]
    configuration: dict[str, Any]

    @property
    def words(self) -> str:
        """Settings and variables as they can be typed, in order of the names; empty for none."""
        given = {**self.settings, **self.variables}
        return " ".join(shlex.quote(f"{key}={given[key]}") for key in sorted(given))


@dataclass(frozen=True)
class StoredAB(_Experiment):
    """Pairs of runs, one of each side with the same seed.

    ``epochs``: after which each run is ended; None for a recipe's whole schedule.
    """

    file = AB_FILE
    word = "ab"
    what = "an A/B"
    keys = ("recipe", "dataset", "epochs", "seeds", "sides")

    schema: int
    recipe: str
    dataset: str
    epochs: int | None
    seeds: tuple[int, ...]
    a: StoredSide
    b: StoredSide
    created_utc: str = ""

    @property
    def name(self) -> str:
        return self.recipe

    @property
    def arms(self) -> tuple[str, ...]:
        return SIDES

    @property
    def sides(self) -> str:
        """The settings of each side, in one line."""
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

    def damage(self) -> str:
        """Return what is wrong with the values of a valid file, or an empty text."""
        if self.schema < 1:
            return f"there is no schema {self.schema}"
        if not self.seeds:
            return "it has no seeds"
        if len(set(self.seeds)) < len(self.seeds):
            return "it has a seed twice, and a pair is two runs of one seed"
        return "it compares no epoch" if self.epochs is not None and self.epochs < 1 else ""


@dataclass(frozen=True)
class StoredStalls(_Experiment):
    """Pairs of runs, one of each input with the same seed; each run ends after ``epochs`` epochs, if not before."""

    file = STALLS_FILE
    word = "stalls"
    what = "a measurement of the input"
    keys = ("recipe", "dataset", "epochs", "seeds")

    schema: int
    recipe: str
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    created_utc: str = ""

    @property
    def name(self) -> str:
        return self.recipe

    @property
    def arms(self) -> tuple[str, ...]:
        return INPUTS

    def damage(self) -> str:
        """Return what is wrong with the values of a valid file, or an empty text."""
        if not self.seeds:
            return "it has no seeds"
        return "it compares no epoch after the first" if self.epochs < 2 else ""


@dataclass(frozen=True)
class Variant:
    """One arm of an ablation: ``name`` is its folder, ``against`` the name of its reference, empty for the base.

    ``decides``: ``accuracy`` or ``images_per_second``. ``view``: the view in which its accuracy is evaluated.
    ``changes``: what differs from the reference, one text a key.
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
class StoredAblation(_Experiment):
    """A declared set of variants; the base is the first of ``variants``.

    ``sha256`` is the identity of what is compared. ``spread_percent`` is the assumed standard deviation of accuracy
    between seeds in points, ``throughput_spread`` that of images/s, relative. ``configuration``: the base's.
    """

    file = ABLATION_FILE
    word = "ablate"
    what = "an ablation"
    paired = False
    keys = ("set",)
    epochs = None

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
    def name(self) -> str:
        return self.set

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.variants)

    @property
    def comparisons(self) -> tuple[Variant, ...]:
        """The variants that are compared with something."""
        return tuple(each for each in self.variants if each.against)

    def differences(self, wanted: Any) -> list[str]:
        """Return the keys in which ``wanted`` differs, each with both values."""
        found = super().differences(wanted)
        if found:
            return found
        mine, theirs = self.configuration, wanted.configuration
        found = [
            f"{key} {mine.get(key)!r} instead of {theirs[key]!r}" for key in theirs if theirs[key] != mine.get(key)
        ]
        if not found and self.sha256 != wanted.sha256:
            return [f"another version of the set {wanted.set!r}"]
        return found

    def damage(self) -> str:
        """Return what is wrong with the values of a valid file, or an empty text."""
        if min(self.spread_percent, self.throughput_spread) <= 0:
            return "a spread is not above 0"
        unknown = [each.against for each in self.comparisons if each.against not in self.arms]
        if unknown:
            return f"it has no variant {unknown[0]!r}"
        # Names become paths.
        named = self.arms and len(set(self.arms)) == len(self.arms) and all(map(_NAME.fullmatch, self.arms))
        return "" if named else "its variants have no names of their own"


StoredExperiment = StoredAB | StoredAblation | StoredStalls
Stored = TypeVar("Stored", bound=StoredExperiment)
KINDS: tuple[type[StoredExperiment], ...] = (StoredAblation, StoredStalls, StoredAB)


def kind_of(folder: Path) -> type[StoredExperiment] | None:
    """Return the kind of experiment whose file is in ``folder``; None where there is none."""
    return next((kind for kind in KINDS if holds(folder, kind.file)), None)


def read_experiment(folder: Path, kind: type[Stored]) -> Stored:
    """Return what the file of this kind in ``folder`` says. Raises DataError where it is missing or damaged."""
    path = folder / kind.file
    stored = load_versioned(kind, path)
    damage = stored.damage()
    if damage:
        raise DataError(
            f"{path} is damaged: {damage}", "take the file from a backup, or move the folder away and run again"
        )
    return stored


def load_experiment(folder: Path, kind: type[Stored]) -> tuple[Stored, dict[str, tuple[Record, ...]]]:
    """Return an experiment and the records of each arm by name; of an arm that has not begun, none.

    Raises DataError where something in the folder is damaged.
    """
    stored = read_experiment(folder, kind)
    begun = {arm for arm in stored.arms if (folder / arm / CAMPAIGN_FILE).is_file()}
    return stored, {arm: load_campaign(folder / arm).records if arm in begun else () for arm in stored.arms}


def write_experiment(stored: StoredExperiment, folder: Path) -> None:
    """Write the experiment's file. Raises EnvironmentProblem if writing fails."""
    replace_file(folder / stored.file, schema.dump(stored))


def ab_of(campaign: Path) -> StoredAB | None:
    """Return the A/B of which the campaign's folder is a side; None where it is a campaign of its own.

    Raises DataError where the ``ab.json`` above it is damaged.
    """
    folder = campaign.absolute()
    is_side = folder.name in SIDES and (folder.parent / AB_FILE).is_file()
    return read_experiment(folder.parent, StoredAB) if is_side else None
