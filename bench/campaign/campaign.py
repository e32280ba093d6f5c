"""A campaign: one configuration and its seeds, which are done and which are left, and how failures end it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from bench.errors import DataError, Refused, UsageError
from bench.launch.conditions import WARM_UP_FOLDER, WarmUp
from bench.launch.fifo import FIFO_FILE
from bench.launch.launch import Outcome
from bench.record import (
    CAMPAIGN_FILE,
    EVENTS_FILE,
    SCHEMA,
    CampaignFile,
    Configuration,
    Record,
    RunConditions,
    build_record_from,
    run_status,
    seed_folder,
)
from bench.record.claims import Claims
from bench.system import files as disk
from bench.system.files import wrap_disk_errors
from bench.system.json_schema import NOT_STORED

#: A trainer that fails twice in a row is likely to fail again.
FAILURES_IN_A_ROW = 2
#: The key of a run: its seed, or more.
Run = TypeVar("Run", bound=Hashable)


@dataclass(frozen=True)
class Campaign(CampaignFile):
    """A campaign to run: which of its seeds are done, by the last event of each, and which are left.

    ``requested`` are the seeds of the plan to run now; None for all.
    """

    requested: tuple[int, ...] | None = field(default=None, metadata=NOT_STORED)

    def run_folder(self, seed: int) -> Path:
        """Return where the files of a seed's run are."""
        return seed_folder(self.folder, seed)

    def done(self, seed: int) -> bool:
        """Return whether the seed has a run that ended well, the target reached or not."""
        return run_status(self.run_folder(seed)) == "done"

    def failed(self, seed: int) -> bool:
        """Return whether the seed has a run that failed by itself."""
        return run_status(self.run_folder(seed)) in ("failed", "timed_out")

    def left(self) -> tuple[int, ...]:
        """Return the seeds of the plan without a finished run, in order."""
        return tuple(seed for seed in self.seeds if not self.done(seed))

    def to_run(self) -> tuple[int, ...]:
        """Return the seeds that are left and are to be run now."""
        return tuple(seed for seed in self.left() if self.requested is None or seed in self.requested)

    def every_record(self) -> Iterator[Record]:
        """Yield the record of every run that was begun here, warm-up runs and those set aside included."""
        folders = sorted(each for name in ("seed-*", f"{WARM_UP_FOLDER}*") for each in self.folder.glob(name))
        for folder in folders:
            with contextlib.suppress(DataError):  # A run set aside may be damaged.
                if (folder / EVENTS_FILE).is_file():
                    yield build_record_from(folder / EVENTS_FILE)

    def write(self) -> None:
        """Write ``campaign.json`` with the status that the folder shows now."""
        self.write_file("unfinished" if self.left() else "finished")

    def sweep(self) -> None:
        """Remove the half-written files of a harness that was killed; the caller holds the folder's lock."""
        for folder in (self.folder, self.folder / WARM_UP_FOLDER, *self.folder.glob("seed-*")):
            disk.remove_parts(folder)

    def make_room(self, seed: int) -> Path:
        """Return the folder for a new run of ``seed``, with the run that did not end well moved aside and kept.

        ``seed-003`` becomes ``seed-003.interrupted-1``, the word being how it ended. Raises EnvironmentProblem if
        the old run cannot be moved.
        """
        return _vacated(self.run_folder(seed))

    def make_room_to_warm_up(self) -> Path:
        """Return the folder for a new warm-up run; an older one is renamed, as ``warm-up.cut_short-1``."""
        return _vacated(self.folder / WARM_UP_FOLDER)


def _vacated(folder: Path) -> Path:
    if folder.exists():
        status = run_status(folder) or "interrupted"
        number = 1 + sum(1 for _ in folder.parent.glob(f"{folder.name}.{status}-*"))
        with wrap_disk_errors(folder):
            # Left by a killed harness; copying or searching the folder would block on it.
            disk.remove(folder, FIFO_FILE)
            disk.rename(folder, f"{folder.name}.{status}-{number}")
    return folder


def newest_unfinished(
    results: Path,
    configuration: Configuration,
    protocol: RunConditions = RunConditions(),  # noqa: B008 (frozen)
    requested: Collection[int] | None = None,
) -> Campaign | None:
    """Return the newest campaign under ``results`` of this configuration and protocol with seeds left to run.

    If ``requested`` is given, it has all of them. Damaged folders and links are skipped.
    """
    for path in newest_first(results, CAMPAIGN_FILE):
        try:
            campaign = Campaign.read(path.parent)
            same = campaign.configuration == configuration and campaign.protocol == protocol
            if same and (left := campaign.left()) and (requested is None or {*left} <= {*requested}):
                return campaign
        except DataError:
            continue
    return None


def newest_first(results: Path, name: str) -> list[Path]:
    """Return the files of this name in the folders of ``results``, links left out, the newest folder first."""
    # Names begin with the time in UTC, so their order is that of the campaigns.
    return sorted((path for path in results.glob(f"*/{name}") if not path.parent.is_symlink()), reverse=True)


def choose(
    results: Path,
    out: Path | None,
    configuration: Configuration,
    seeds: Iterable[int],
    claims: Claims,
    device_name: str,
    now: datetime,
    protocol: RunConditions = RunConditions(),  # noqa: B008 (frozen)
    *,
    only: bool = False,
) -> Campaign:
    """Return the campaign in ``out``, the newest unfinished one of this configuration and protocol, or a new one.

    Writes nothing. ``device_name`` ends the new folder's name. A plan only grows: ``seeds`` are added to those that the
    campaign was begun with, and with ``only`` no others are run now. Without ``out`` a campaign is continued with
    ``only`` if that completes its plan. Raises UsageError or Refused if ``out`` is something else, DataError if it is
    damaged.
    """
    now = now.astimezone(UTC)
    requested = tuple(seeds)
    found = (
        newest_unfinished(results, configuration, protocol, requested if only else None)
        if out is None
        else _in_folder(out, configuration)
    )
    if found is None:
        folder = out or new_folder(results, now, configuration.recipe, device_name)
        created_utc = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        return Campaign(SCHEMA, configuration, requested, created_utc, claims, protocol=protocol, folder=folder)
    grown = tuple(dict.fromkeys((*found.seeds, *requested)))
    continued = replace(found, seeds=grown, claims=found.claims.updated(claims), requested=requested if only else None)
    differences = protocol.differences(found.protocol)
    if differences and continued.to_run():  # With no runs left, none can differ.
        raise Refused(f"OUT={out} was begun under another protocol: {'; '.join(differences)}", "name another folder")
    return continued


def new_folder(results: Path, now: datetime, *names: str) -> Path:
    """Return a new folder's path, named by the time and the names: ``20240506T070809Z-page24-nvidia-h200``.

    Special characters become a dash. If the folder exists, it is the first of ``...-2``, ``...-3``.
    """
    words = [re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:100] for name in names]
    folder = results / "-".join([f"{now:%Y%m%dT%H%M%SZ}", *filter(None, words)])
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def names_in(out: Path) -> list[str]:
    """Return the names in the folder ``out`` without its lock and half-written files; none if it does not exist.

    Raises UsageError.
    """
    try:
        return [path.name for path in out.iterdir() if path.name != ".lock" and not path.match(".*.part")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"OUT={out} cannot be used as a folder ({error.strerror})", "name another one") from None


def _in_folder(out: Path, configuration: Configuration) -> Campaign | None:
    """Return the campaign in ``out``, or None if it is missing or empty."""
    names = names_in(out)
    if not names:
        return None
    if CAMPAIGN_FILE not in names:
        raise UsageError(f"OUT={out} holds {min(names)!r} and no campaign", "name an empty folder or a new one")
    found = Campaign.read(out)
    differences = configuration.differences(found.configuration)
    if differences:
        raise Refused(f"OUT={out} holds another configuration: {'; '.join(differences)}", "name another folder")
    return found


@dataclass(frozen=True)
class Ending(Generic[Run]):
    """How a campaign ended: the exit code, and the outcomes of its runs by seed."""

    exit_code: int
    outcomes: dict[Run, Outcome]


#: Exit codes of a trainer that end the campaign: usage, and data and environment, which end the other arms, too.
USAGE, DATA_AND_ENVIRONMENT = 2, (3, 4)
#: Statuses of success; only a warm-up run is ever cut short.
ENDED_WELL = ("done", "cut_short")


def warm_ups(protocol: RunConditions, left: Collection[Any], campaign: str = "") -> tuple[WarmUp, ...]:
    """Return the warm-up runs of ``campaign``; none if no runs are ``left``."""
    return tuple(WarmUp(number, campaign) for number in range(1, protocol.warm_up + 1)) if left else ()


def run(
    runs: Iterable[Run],
    make_run: Callable[[Run], Outcome],
    campaign_of: Callable[[Run], Hashable] = lambda _: None,
    *,
    all_needed: bool = False,
) -> Ending[Run]:
    """Make the runs in order, each with its key.

    A failed run costs its seed and the rest goes on. Two failures in a row, or USAGE, end their campaign, which
    ``campaign_of`` returns for a run. DATA_AND_ENVIRONMENT end all campaigns, as does the end of one if ``all_needed``.
    A WarmUp may be cut short, and its failure does not count. Exit codes: 0, 5 if a run failed, one of those three if
    it ended all campaigns, or 130 for an interruption.
    """
    runs, outcomes = tuple(runs), dict[Run, Outcome]()
    alone = len(set(map(campaign_of, runs))) == 1
    in_a_row: dict[Hashable, int] = {}
    for each in runs:
        campaign = campaign_of(each)
        looked_at = in_a_row.values() if all_needed else [in_a_row.get(campaign, 0)]
        if max(looked_at, default=0) >= FAILURES_IN_A_ROW:
            continue
        outcome = outcomes[each] = make_run(each)
        if outcome.status == "interrupted":
            return Ending(130, outcomes)
        failed = outcome.exit_code if outcome.status == "failed" else None
        if failed in DATA_AND_ENVIRONMENT or (failed == USAGE and (alone or all_needed)):
            return Ending(failed, outcomes)
        in_a_row[campaign] = 0 if outcome.status in ENDED_WELL else in_a_row.get(campaign, 0) + 1
        if failed == USAGE:
            in_a_row[campaign] = FAILURES_IN_A_ROW
    counted = [outcome for each, outcome in outcomes.items() if not isinstance(each, WarmUp)]
    skipped = len(outcomes) < len(runs)
    return Ending(5 if skipped or any(outcome.status != "done" for outcome in counted) else 0, outcomes)
