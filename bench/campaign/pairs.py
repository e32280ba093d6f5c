"""Pairs of runs: two campaigns in one folder, a run of each with every seed, and which of the pairs are left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from bench.campaign import campaign
from bench.campaign.campaign import ENDED_WELL, Campaign, Configuration
from bench.errors import DataError, Refused, UsageError
from bench.launch.conditions import RunConditions
from bench.record import CAMPAIGN_FILE, EVENTS_FILE, build_record_from
from bench.record.ab import AB_FILE, StoredAB, read_ab, write_ab
from bench.record.stalls import STALLS_FILE, StoredStalls, read_stalls, write_stalls
from bench.system import files as disk
from bench.system.files import wrap_disk_errors

#: A side by name, and a seed.
Run = tuple[str, int]
#: What is stored of the pairs.
Stored = TypeVar("Stored", StoredStalls, StoredAB)


@dataclass(frozen=True)
class Kind(Generic[Stored]):
    """What pairs are made for: the ``file`` that says what they compare, ``word`` in the name of a new folder.

    ``none`` and ``other`` are what a folder is told to hold that cannot be continued; pairs whose stored ``keys``
    differ are others.
    """

    file: str
    word: str
    none: str
    other: str
    keys: tuple[str, ...]
    read: Callable[[Path], Stored]
    write: Callable[[Stored, Path], None]


#: The host's input and its control.
STALLS: Kind[StoredStalls] = Kind(
    STALLS_FILE, "stalls", "no pairs of inputs", "other pairs", ("recipe", "dataset", "epochs", "seeds"),
    read_stalls, write_stalls,
)  # fmt: skip
#: Two sides of which a person says how they differ.
AB: Kind[StoredAB] = Kind(
    AB_FILE, "ab", "no A/B", "another A/B", ("recipe", "dataset", "epochs", "seeds", "sides"), read_ab, write_ab
)


@dataclass(frozen=True)
class Side:
    """How the runs of one side are made; ``recipe`` is the recipe's whole table."""

    configuration: Configuration
    protocol: RunConditions
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pairs(Generic[Stored]):
    """The folder of pairs, what is compared in it, and the campaign of each side by name."""

    folder: Path
    kind: Kind[Stored]
    stored: Stored
    campaigns: Mapping[str, Campaign]

    def left(self) -> tuple[Run, ...]:
        """The runs still to be made, in turn: A B B A A B ..., as whatever drifts weighs on both sides alike.

        A run without its partner is made again with it: hours may lie between the two.
        """
        names = tuple(self.campaigns)
        turns = [(turn, seed) for turn, seed in enumerate(self.stored.seeds) if not self.done(seed)]
        return tuple((name, seed) for turn, seed in turns for name in (names[::-1] if turn % 2 else names))

    def done(self, seed: int) -> bool:
        """Both runs of a pair ended well, or were ended after enough epochs."""
        return all(_ended_well(each, seed) for each in self.campaigns.values())

    def prepare(self) -> None:
        """Make the folders, remove what a killed harness left half-written, and write what is to be done.

        Only for who holds the folder's lock. Raises EnvironmentProblem where the disk does not take it.
        """
        disk.remove_parts(self.folder)
        # First of all, so that a folder whose harness is killed here is known for what it is.
        self.kind.write(self.stored, self.folder)
        for each in self.campaigns.values():
            with wrap_disk_errors(each.folder):
                disk.make_folder(each.folder, exist_ok=True)
            each.sweep()
            each.write()


def choose(
    results: Path,
    out: Path | None,
    kind: Kind[Stored],
    wanted: Stored,
    sides: Mapping[str, Side],
    device_name: str,
    now: datetime,
) -> Pairs[Stored]:
    """The pairs to make: those in ``out``, else the newest unfinished ones of the same kind, else new ones.

    Writes nothing. Raises UsageError or Refused where ``out`` is something else, DataError where what is in it is
    damaged.
    """
    now = now.astimezone(UTC)
    new = replace(wanted, created_utc=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    if out is None:
        continued = _newest_unfinished(results, kind, new, sides)
        if continued is not None:
            return continued
        return _at(campaign.new_folder(results, now, kind.word, wanted.recipe, device_name), kind, new, sides)
    names = campaign.names_in(out)
    if not names:
        return _at(out, kind, new, sides)
    if kind.file not in names:
        raise UsageError(f"OUT={out} holds {min(names)!r} and {kind.none}; name an empty folder or a new one.")
    found = _at(out, kind, kind.read(out), sides)
    unlike = _differences(found, new)
    if unlike:
        raise Refused(f"OUT={out} holds {kind.other}: {'; '.join(unlike)}; name another folder.")
    return found


def _at(folder: Path, kind: Kind[Stored], stored: Stored, sides: Mapping[str, Side]) -> Pairs[Stored]:
    campaigns = {
        name: Campaign(
            folder / name,
            side.configuration,
            stored.seeds,
            stored.created_utc,
            recipe=side.recipe,
            protocol=side.protocol,
        )
        for name, side in sides.items()
    }
    return Pairs(folder, kind, stored, campaigns)


def _newest_unfinished(
    results: Path, kind: Kind[Stored], wanted: Stored, sides: Mapping[str, Side]
) -> Pairs[Stored] | None:
    for path in campaign.newest_first(results, kind.file):
        try:
            found = _at(path.parent, kind, kind.read(path.parent), sides)
            if not _differences(found, wanted) and found.left():
                return found
        except DataError:
            continue
    return None


def _differences(found: Pairs[Stored], wanted: Stored) -> Sequence[str]:
    """In what pairs are not those that are wanted, ``found`` having the configurations that are.

    Raises DataError where a ``campaign.json`` in them is damaged.
    """
    theirs = found.stored
    told = [
        f"{name} {getattr(theirs, name)!r} instead of {getattr(wanted, name)!r}"
        for name in found.kind.keys
        if getattr(theirs, name) != getattr(wanted, name)
    ]
    for each in found.campaigns.values():
        if (each.folder / CAMPAIGN_FILE).is_file():
            begun = campaign.read(each.folder)
            told += each.configuration.differences(begun.configuration) + each.protocol.differences(begun.protocol)
    return list(dict.fromkeys(told))


def _ended_well(side: Campaign, seed: int) -> bool:
    events = side.run_folder(seed) / EVENTS_FILE
    return events.is_file() and build_record_from(events).status in ENDED_WELL
