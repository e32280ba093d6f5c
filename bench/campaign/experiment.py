"""The experiment engine: arms x seeds, their runs interleaved in one folder.

An arm is a campaign in a folder of its name. See also ``bench.record.experiment`` and ``bench.report.experiments``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import click

from bench.campaign import campaign as campaigns
from bench.campaign import dataset
from bench.campaign.campaign import ENDED_WELL, Campaign
from bench.campaign.outcomes import finished, raise_for_outcome
from bench.campaign.runner import Runner, configuration_of, open_runner
from bench.containers import selection
from bench.errors import DataError, Refused, UsageError
from bench.launch.conditions import WarmUp
from bench.record import CAMPAIGN_FILE, SCHEMA, Configuration, RunConditions, load_campaign, run_status
from bench.record.experiment import Stored, StoredAblation, read_experiment, write_experiment
from bench.report import campaign_files, experiments
from bench.report.text import counted
from bench.system import files as disk
from bench.system import locks, signals
from bench.system.files import wrap_disk_errors
from bench.system.paths import display_path, make_folder

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison
    from bench.campaign.campaign import Ending
    from bench.campaign.dataset import Data
    from bench.campaign.plan import GpuWatch, Plan
    from bench.containers.launch_spec import ContainerTarget
    from bench.launch.launch import Outcome
    from bench.probes.device import Device
    from resnet9.recipe import Recipe

#: An arm's name and a seed, or a warm-up run.
Turn = tuple[str, int] | WarmUp


@dataclass(frozen=True)
class Arm:
    """How the runs of one arm are made.

    ``warmed`` arms have a warm-up run. ``label`` names the arm in a sentence, ``title`` in the line before its runs.
    """

    plan: Plan
    recipe: Recipe
    conditions: RunConditions
    containers: selection.ContainerOptions
    warmed: bool = False
    label: str = ""
    title: str = ""


@dataclass(frozen=True)
class Design(Generic[Stored]):
    """The arms of an experiment by name, and their description.

    ``stored`` returns the content of the experiment's file, ``introduction`` the lines to print before the first run.
    ``all_needed`` is that of ``bench.campaign.campaign.run``.
    """

    arms: Mapping[str, Arm]
    stored: Callable[[Mapping[str, Arm], Mapping[str, Configuration]], Stored]
    introduction: Callable[[Stored], Sequence[str]]
    all_needed: bool = False


def run(
    design: Design[Stored], device: Device, results: Path, out: Path | None, timeout: int | None, watched: GpuWatch
) -> tuple[int, Comparison | None]:
    """Make the runs of an experiment that are left, write and print its tables.

    Returns the exit code, 0 or that of an interruption, and the comparison of an A/B. Raises the error of failed runs.
    """
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(device.key), f"the device {device.name}"),
    ):
        arms = _placed(design.arms, device)
        data = dataset.load(next(iter(arms.values())).plan.data)
        configurations = {name: configuration_of(arm.plan, arm.recipe, data) for name, arm in arms.items()}
        begun = {
            name: Campaign(SCHEMA, configurations[name], (), recipe=asdict(arm.recipe), protocol=arm.conditions)
            for name, arm in arms.items()
        }
        made = choose(results, out, design.stored(arms, configurations), begun, device.name, datetime.now(UTC))
        make_folder(made.folder)
        with locks.held(made.folder / locks.FOLDER_LOCK, display_path(made.folder)):
            click.echo("\n".join(design.introduction(made.stored)))
            return _Interleaved(made, arms, data, design.all_needed).run(timeout, watched)


def _placed(arms: Mapping[str, Arm], device: Device) -> dict[str, Arm]:
    """Return the arms with the containers that they run in, each prepared once where several run alike."""
    found: dict[selection.ContainerOptions, ContainerTarget | None] = {}
    alike = len({arm.containers for arm in arms.values()}) == 1
    for arm in arms.values():
        if arm.containers not in found:
            prefix = "" if alike else f"{arm.label}: "
            found[arm.containers] = selection.placed(arm.containers, device, say=partial(_echo, prefix))
    return {name: replace(arm, plan=replace(arm.plan, placed=found[arm.containers])) for name, arm in arms.items()}


def _echo(prefix: str, line: str) -> None:
    click.echo(f"{prefix}{line}")


@dataclass(frozen=True)
class Experiment(Generic[Stored]):
    """An experiment's folder and definition, and the campaign of each arm by name."""

    folder: Path
    stored: Stored
    campaigns: Mapping[str, Campaign]

    def left(self) -> tuple[tuple[str, int], ...]:
        """Return the runs to be made, all arms of a seed before the next seed, so that drift affects all alike.

        Pairs are made in the order A B B A A B ..., and a run without its partner is repeated with it. Elsewhere runs
        that failed before come last.
        """
        if self.stored.paired:
            names = tuple(self.campaigns)
            pairs = [(number, seed) for number, seed in enumerate(self.stored.seeds) if not self._done(seed)]
            return tuple((name, seed) for number, seed in pairs for name in (names[::-1] if number % 2 else names))
        runs = [(name, seed) for seed in self.stored.seeds for name in self.campaigns if not self._done(seed, name)]
        return tuple(sorted(runs, key=lambda run: self.campaigns[run[0]].failed(run[1])))

    def _done(self, seed: int, *names: str) -> bool:
        """Return whether the runs of these arms, or of all, ended well or after enough epochs."""
        folders = (self.campaigns[name].run_folder(seed) for name in names or self.campaigns)
        return all(run_status(each) in ENDED_WELL for each in folders)

    def prepare(self) -> None:
        """Make the folders, remove half-written files, and write the experiment's file.

        The caller holds the folder's lock. Raises EnvironmentProblem if writing fails.
        """
        disk.remove_parts(self.folder)
        # First, so that the folder is recognised even if the harness is killed here.
        self._write_stored()
        for each in self.campaigns.values():
            with wrap_disk_errors(each.folder):
                disk.make_folder(each.folder, exist_ok=True)
            each.sweep()
            each.write()

    def write(self) -> None:
        """Write the experiment's file and each ``campaign.json`` with the present status."""
        for each in self.campaigns.values():
            each.write()
        self._write_stored()

    def _write_stored(self) -> None:
        stored: Any = self.stored
        if isinstance(stored, StoredAblation):
            stored = replace(stored, status="unfinished" if self.left() else "finished")
        write_experiment(stored, self.folder)


def choose(
    results: Path, out: Path | None, wanted: Stored, arms: Mapping[str, Campaign], device_name: str, now: datetime
) -> Experiment[Stored]:
    """Return the experiment to run: the one in ``out``, else the newest unfinished one like ``wanted``, else a new one.

    Writes nothing. ``arms`` are the campaigns of its arms by name, but for folder, seeds and time. Raises UsageError or
    Refused if ``out`` is something else, DataError if it is damaged.
    """
    now = now.astimezone(UTC)
    new = replace(wanted, created_utc=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    if out is None:
        continued = _newest_unfinished(results, new, arms)
        if continued is not None:
            return continued
        return _at(campaigns.new_folder(results, now, new.word, new.name, device_name), new, arms)
    names = campaigns.names_in(out)
    if not names:
        return _at(out, new, arms)
    noun = new.what.partition(" ")[2]
    if new.file not in names:
        raise UsageError(f"OUT={out} holds {min(names)!r} and no {noun}", "name an empty folder or a new one")
    found = _at(out, read_experiment(out, type(new)), arms)
    differences = _differences(found, new)
    if differences:
        raise Refused(f"OUT={out} holds another {noun}: {'; '.join(differences)}", "name another folder")
    return _grown(found, new)


def _at(folder: Path, stored: Stored, arms: Mapping[str, Campaign]) -> Experiment[Stored]:
    made = {}
    for name, arm in arms.items():
        made[name] = replace(arm, folder=folder / name, seeds=stored.seeds, created_utc=stored.created_utc)
        if (folder / name / CAMPAIGN_FILE).is_file():
            begun = Campaign.read(folder / name)
            made[name] = replace(made[name], created_utc=begun.created_utc, claims=begun.claims)
    return Experiment(folder, stored, made)


def _grown(found: Experiment[Stored], wanted: Stored) -> Experiment[Stored]:
    seeds = tuple(dict.fromkeys((*found.stored.seeds, *wanted.seeds)))
    grown = {name: replace(each, seeds=seeds) for name, each in found.campaigns.items()}
    return Experiment(found.folder, replace(found.stored, seeds=seeds), grown)


def _newest_unfinished(results: Path, wanted: Stored, arms: Mapping[str, Campaign]) -> Experiment[Stored] | None:
    for path in campaigns.newest_first(results, wanted.file):
        try:
            found = _at(path.parent, read_experiment(path.parent, type(wanted)), arms)
            if not _differences(found, wanted) and found.left():
                return _grown(found, wanted)
        except DataError:
            continue
    return None


def _differences(found: Experiment[Stored], wanted: Stored) -> list[str]:
    """Return the differences of an experiment from the requested one, whose configurations ``found`` has.

    Raises DataError if a ``campaign.json`` in it is damaged.
    """
    differences = found.stored.differences(wanted)
    for each in found.campaigns.values():
        if (each.folder / CAMPAIGN_FILE).is_file():
            begun = Campaign.read(each.folder)
            differences += each.configuration.differences(begun.configuration)
            differences += each.protocol.differences(begun.protocol)
    return list(dict.fromkeys(differences))


@dataclass(frozen=True)
class _Interleaved(Generic[Stored]):
    """The runs of an experiment, interleaved, and what is printed about them."""

    made: Experiment[Stored]
    arms: Mapping[str, Arm]
    data: Data
    all_needed: bool

    def run(self, timeout: int | None, watched: GpuWatch) -> tuple[int, Comparison | None]:
        """Make the runs that are left, write and print the tables (``run`` above)."""
        conditions = self.arms[self._warmed[0]].conditions
        with open_runner(len(self.made.left()), timeout, conditions, watched, self.made.stored.epochs) as runner:
            self.made.prepare()
            ending = self._make(runner)
        for each in self.made.campaigns.values():
            campaign_files.build(load_campaign(each.folder)).write()
        comparison = experiments.publish(self.made.folder, sys.stdout)
        return self._conclude(ending), comparison

    @property
    def _warmed(self) -> tuple[str, ...]:
        return tuple(name for name, arm in self.arms.items() if arm.warmed)

    def _make(self, runner: Runner) -> Ending[Turn]:
        left = self.made.left()
        conditions = self.arms[self._warmed[0]].conditions
        how = f"; {conditions.sentence('each side' if len(self._warmed) > 1 else '')}" if left else ""
        runner.display.say(f"{self._introduction(len(left))}{how}")

        def make_run(turn: Turn) -> Outcome:
            name = _arm_of(turn)
            arm, campaign = self.arms[name], self.made.campaigns[name]
            if isinstance(turn, WarmUp):
                return runner.make(campaign, arm.plan, self.data, turn)
            title = f"{arm.title or arm.label or name}, seed {turn[1]} (run {left.index(turn) + 1} of {len(left)})"
            outcome = runner.make(campaign, arm.plan, self.data, turn[1], title)
            if not self.made.stored.paired:  # An unfinished experiment has partial results.
                experiments.publish(self.made.folder, None)
            # Ended by the harness after enough epochs.
            return replace(outcome, status="done") if outcome.status == "cut_short" else outcome

        warm_ups = [each for name in self._warmed for each in campaigns.warm_ups(conditions, left, name)]
        with finished(self.made.write):
            return campaigns.run([*warm_ups, *left], make_run, _arm_of, all_needed=self.all_needed)

    def _conclude(self, ending: Ending[Turn]) -> int:
        """Print the results folder, or why runs were stopped; return the exit code. Raises the error of failed runs."""
        place = display_path(self.made.folder)
        if not ending.exit_code:
            click.echo(f"The table, its records and logs are in {place}.")
            return 0
        left = counted(len(self.made.left()), "run")
        kept = f"What is finished is kept in {place}; the same command again makes the {left} left."
        named = {self._name(run): outcome for run, outcome in ending.outcomes.items()}
        code, sentence = raise_for_outcome(campaigns.Ending(ending.exit_code, named), kept, str)
        click.echo(sentence, err=True)
        return code

    def _introduction(self, left: int) -> str:
        total = sum(len(each.seeds) for each in self.made.campaigns.values())
        folder = display_path(self.made.folder)
        if left == total:
            return f"{counted(left, 'run')} into {folder}"
        return f"continuing {folder}: {counted(total - left, 'run')} kept, {left} to run"

    def _name(self, turn: Turn) -> str:
        label = self.arms[_arm_of(turn)].label or _arm_of(turn)
        if isinstance(turn, WarmUp):
            return f"{label}, {turn}" if len(self._warmed) > 1 else str(turn)
        return f"{label}, seed {turn[1]}"


def _arm_of(turn: Turn) -> str:
    return turn.campaign if isinstance(turn, WarmUp) else turn[0]
