"""An ablation: the campaigns of its variants in one folder, run in turn by seed, and which of their runs are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.campaign import campaign
from bench.campaign.campaign import Campaign, Configuration
from bench.errors import DataError, Refused, UsageError
from bench.launch.conditions import RunConditions
from bench.record import ABLATION_FILE, CAMPAIGN_FILE, StoredAblation, read_ablation, write_ablation
from bench.record.claims import Claims
from bench.system import files as disk
from bench.system.files import wrap_disk_errors

#: A variant by name, and a seed.
Run = tuple[str, int]


@dataclass(frozen=True)
class Ablation:
    """An ablation's folder, what is compared in it, and the campaign of each variant by name."""

    folder: Path
    stored: StoredAblation
    campaigns: Mapping[str, Campaign]

    def left(self) -> tuple[Run, ...]:
        """The runs still to be made: every variant of a seed before the next seed, so that drift is no difference.

        Those that have failed before come last, so that a variant that cannot be trained keeps no other from its runs.
        """
        left = {name: each.left() for name, each in self.campaigns.items()}
        runs = [(name, seed) for seed in self.stored.seeds for name in left if seed in left[name]]
        return tuple(sorted(runs, key=lambda run: self.campaigns[run[0]].failed(run[1])))

    def prepare(self) -> None:
        """Make the folders, remove what a killed harness left half-written, and write what is to be done.

        Only for who holds the folder's lock. Raises EnvironmentProblem where the disk does not take it.
        """
        disk.remove_parts(self.folder)
        if not (self.folder / ABLATION_FILE).exists():
            # First of all, so that a folder whose harness is killed here is known for what it is.
            write_ablation(self.stored, self.folder)
        for each in self.campaigns.values():
            with wrap_disk_errors(each.folder):
                disk.make_folder(each.folder, exist_ok=True)
            each.sweep()
        self.write()

    def write(self) -> None:
        """Put ``ablation.json`` and each ``campaign.json`` in place, with the status as the folders show it now."""
        for each in self.campaigns.values():
            each.write()
        write_ablation(replace(self.stored, status="unfinished" if self.left() else "finished"), self.folder)


def choose(
    results: Path,
    out: Path | None,
    wanted: StoredAblation,
    configurations: Mapping[str, Configuration],
    device_name: str,
    now: datetime,
    protocol: RunConditions = RunConditions(),  # noqa: B008 (frozen)
) -> Ablation:
    """The ablation to run: the one in ``out``, else the newest unfinished one of the same set, machine and data, else a
    new one.

    Writes nothing. ``configurations`` are those of the variants, by name. Seeds asked for and seeds done make up the
    seeds of each. Raises UsageError or Refused where ``out`` is something else, DataError where it is damaged.
    """
    now = now.astimezone(UTC)
    folder = _newest_unfinished(results, wanted) if out is None else out
    found = None if folder is None else _in_folder(folder, wanted)
    if folder is None:
        folder = campaign.new_folder(results, now, "ablate", wanted.set, device_name)
    campaigns = {
        name: campaign.choose(results, folder / name, each, wanted.seeds, Claims(), device_name, now, protocol)
        for name, each in configurations.items()
    }
    seeds = tuple(dict.fromkeys(seed for each in campaigns.values() for seed in each.seeds))
    created = f"{now:%Y-%m-%dT%H:%M:%SZ}" if found is None else found.created_utc
    return Ablation(folder, replace(wanted, seeds=seeds, created_utc=created), campaigns)


def differences(found: StoredAblation, wanted: StoredAblation) -> list[str]:
    """In what the ablation ``found`` is not the one that is wanted, each with both values."""
    if found.set != wanted.set:
        return [f"set {found.set!r} instead of {wanted.set!r}"]
    mine, theirs = wanted.configuration, found.configuration
    unlike = [f"{key} {theirs.get(key)!r} instead of {mine[key]!r}" for key in mine if mine[key] != theirs.get(key)]
    if not unlike and found.sha256 != wanted.sha256:
        return [f"another version of the set {wanted.set!r}"]
    return unlike


def _newest_unfinished(results: Path, wanted: StoredAblation) -> Path | None:
    for path in campaign.newest_first(results, ABLATION_FILE):
        try:
            found = read_ablation(path.parent)
            if not differences(found, wanted) and _left(path.parent, found):
                return path.parent
        except DataError:
            continue
    return None


def _left(folder: Path, stored: StoredAblation) -> bool:
    names = [each.name for each in stored.variants]
    if not all((folder / name / CAMPAIGN_FILE).is_file() for name in names):
        return True
    return any(campaign.read(folder / name).left() for name in names)


def _in_folder(folder: Path, wanted: StoredAblation) -> StoredAblation | None:
    """The ablation in ``folder``, or None where it is not there yet or empty."""
    names = campaign.names_in(folder)
    if not names:
        return None
    if ABLATION_FILE not in names:
        raise UsageError(f"OUT={folder} holds {min(names)!r} and no ablation; name an empty folder or a new one.")
    found = read_ablation(folder)
    unlike = differences(found, wanted)
    if unlike:
        raise Refused(f"OUT={folder} holds another ablation: {'; '.join(unlike)}; name another folder.")
    return found
