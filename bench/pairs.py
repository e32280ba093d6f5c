"""A measurement of the input: the campaigns of host and control in one folder, run in pairs, and what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from bench import campaign
from bench.campaign import ENDED_WELL, Campaign, Configuration
from bench.errors import DataError, Refused, UsageError
from bench.journal import disk_trouble_told
from bench.record import CAMPAIGN_FILE, EVENTS_FILE, fold_file
from bench.record.stalls import STALLS_FILE, StoredStalls, read_stalls, write_stalls
from bench.run_protocol import RunProtocol

#: An input by name, and a seed.
Run = tuple[str, int]


@dataclass(frozen=True)
class Pairs:
    """A measurement's folder, what is compared in it, and the campaign of each input by name."""

    folder: Path
    stored: StoredStalls
    campaigns: Mapping[str, Campaign]

    def left(self) -> tuple[Run, ...]:
        """The runs still to be made, in turn: host memory memory host ..., as whatever drifts weighs on both alike.

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
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        # First of all, so that a folder whose harness is killed here is known for what it is.
        write_stalls(self.stored, self.folder)
        for each in self.campaigns.values():
            with disk_trouble_told(each.folder):
                each.folder.mkdir(exist_ok=True)
            each.sweep()
            each.write()


def choose(
    results: Path,
    out: Path | None,
    wanted: StoredStalls,
    configurations: Mapping[str, Configuration],
    device_name: str,
    now: datetime,
    protocol: RunProtocol,
) -> Pairs:
    """The measurement to make: the one in ``out``, else the newest unfinished one of the same pairs, else a new one.

    Writes nothing. ``configurations`` are those of the inputs, by name. Raises UsageError or Refused where ``out`` is
    something else, DataError where what is in it is damaged.
    """
    now = now.astimezone(timezone.utc)
    created = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    new = replace(wanted, created_utc=created)
    if out is None:
        continued = _newest_unfinished(results, new, configurations, protocol)
        if continued is not None:
            return continued
        folder = campaign.new_folder(results, now, "stalls", wanted.recipe, device_name)
        return _at(folder, new, configurations, protocol)
    names = campaign.names_in(out)
    if not names:
        return _at(out, new, configurations, protocol)
    if STALLS_FILE not in names:
        raise UsageError(f"OUT={out} holds {min(names)!r} and no pairs of inputs; name an empty folder or a new one.")
    found = _at(out, read_stalls(out), configurations, protocol)
    unlike = _differences(found, new)
    if unlike:
        raise Refused(f"OUT={out} holds other pairs: {'; '.join(unlike)}; name another folder.")
    return found


def _at(
    folder: Path, stored: StoredStalls, configurations: Mapping[str, Configuration], protocol: RunProtocol
) -> Pairs:
    campaigns = {
        name: Campaign(folder / name, each, stored.seeds, stored.created_utc, protocol=protocol)
        for name, each in configurations.items()
    }
    return Pairs(folder, stored, campaigns)


def _newest_unfinished(
    results: Path, wanted: StoredStalls, configurations: Mapping[str, Configuration], protocol: RunProtocol
) -> Pairs | None:
    # Names begin with the time in UTC, so their order is that of the measurements.
    for path in sorted(results.glob(f"*/{STALLS_FILE}"), reverse=True):
        try:
            found = _at(path.parent, read_stalls(path.parent), configurations, protocol)
            if not _differences(found, wanted) and found.left():
                return found
        except DataError:
            continue
    return None


def _differences(found: Pairs, wanted: StoredStalls) -> Sequence[str]:
    """In what a measurement is not the one that is wanted, ``found`` having the configurations that are.

    Raises DataError where a ``campaign.json`` in it is damaged.
    """
    mine, theirs = wanted, found.stored
    told = [
        f"{name} {getattr(theirs, name)!r} instead of {getattr(mine, name)!r}"
        for name in ("recipe", "dataset", "epochs", "seeds")
        if getattr(theirs, name) != getattr(mine, name)
    ]
    for each in found.campaigns.values():
        if (each.folder / CAMPAIGN_FILE).is_file():
            begun = campaign.read(each.folder)
            told += each.configuration.differences(begun.configuration) + each.protocol.differences(begun.protocol)
    return list(dict.fromkeys(told))


def _ended_well(side: Campaign, seed: int) -> bool:
    events = side.run_folder(seed) / EVENTS_FILE
    return events.is_file() and fold_file(events).status in ENDED_WELL
