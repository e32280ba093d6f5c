"""One `bench run`: its plan, its campaign, its runs and their report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.analysis import wall_clock
from bench.campaign import campaign as campaigns
from bench.campaign import custom_campaign, dataset, dataset_export, outcomes, plan, reproductions
from bench.campaign.campaign import Campaign, Ending
from bench.campaign.custom_campaign import CustomTrainer
from bench.campaign.dataset import Data
from bench.campaign.plan import GpuWatch, Plan, RunOptions
from bench.campaign.runner import configuration_of, open_runner
from bench.containers import selection
from bench.containers.selection import ContainerOptions
from bench.dawnbench.claims import check
from bench.launch.conditions import WarmUp
from bench.probes.device import Device
from bench.record import RunConditions, load_campaign
from bench.record.claims import Claims
from bench.report import campaign_files
from bench.system import locks, signals
from bench.system.paths import display_path, make_folder
from resnet9 import recipe as recipes
from resnet9.data.dataset import SYNTHETIC
from resnet9.recipe import Recipe


@dataclass(frozen=True)
class Request:
    """What a command was given: ``results`` is where new campaigns go, ``began_ns`` when it started (CLOCK_MONOTONIC).

    ``claims`` are of the DAWNBench pair, ``allowed`` what that may be made from (`bench.dawnbench.publish`).
    """

    options: RunOptions
    containers: ContainerOptions
    conditions: RunConditions
    claims: Mapping[str, Any]
    allowed: Mapping[str, bool]
    results: Path
    began_ns: int
    out: Path | None = None
    watch: str | None = None
    trainer: str | None = None
    target: float | None = None
    timeout: int | None = None


def run(request: Request) -> int:
    """Run a campaign or continue it, write and print its report, and return the exit code."""
    check(**request.claims)
    device = selection.device(request.options.device)
    watched = plan.watched(request.watch, device)
    chosen, todo = planned(request.options, device, request.trainer, request.target)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(device.key), f"the device {device.name}"),
    ):
        if todo.notice:
            click.echo(todo.notice)
        todo = replace(todo, placed=selection.placed(request.containers, device, custom=todo.custom is not None))
        data = dataset.load(todo.data)
        claims = Claims(**request.claims)
        campaign = choose(request.results, request.out, todo, chosen, data, claims, request.conditions)
        make_folder(campaign.folder)
        with (
            locks.held(campaign.folder / locks.FOLDER_LOCK, display_path(campaign.folder)),
            dataset_export.added(data, wanted=todo.custom is not None) as given,
        ):
            ending = make_runs(campaign, todo, given, request.timeout, watched, request.began_ns)
            return report(ending, campaign, request, publishes=data.state != SYNTHETIC)


def report(ending: Ending[int | WarmUp], campaign: Campaign, request: Request, *, publishes: bool) -> int:
    """Write and print what a campaign gave, with a DAWNBench pair where it ``publishes``; return the exit code."""
    # Read again, as a published pair is made from the events only.
    made = campaign_files.build(load_campaign(campaign.folder), notes_on=reproductions.notes)
    made.write()
    page = made.write_page()
    if any(each.status == "done" for each in made.records):
        made.show(sys.stdout)
    if ending.exit_code:
        code, sentence = conclude(ending, campaign)
        click.echo(sentence, err=True)
        return code
    shown = display_path(campaign.folder)
    click.echo(f"Tables, records and logs are in {shown}.\n{page}")
    if publishes:
        click.echo(made.write_pair(campaign.recipe, shown, any(request.claims.values()), **request.allowed))
    return 0


def planned(
    options: RunOptions, where: Device, trainer: str | None, target: float | None
) -> tuple[Recipe | CustomTrainer, Plan]:
    """Return the recipe or the custom trainer, and its plan."""
    if trainer is not None:
        return custom_campaign.planned(trainer, options, where, target)
    custom_campaign.no_target(target)
    name = plan.recipe_name(options, where)
    chosen = recipes.load(name)
    return chosen, plan.complete(options, where, plan.absolute(name), chosen.dataset)


def choose(
    results: Path,
    out: Path | None,
    todo: Plan,
    chosen: Recipe | CustomTrainer,
    data: Data,
    claims: Claims,
    protocol: RunConditions,
) -> Campaign:
    """Return the campaign to run or to continue, with the recipe's table in it (`bench.campaign.campaign.choose`)."""
    configuration, now = configuration_of(todo, chosen, data), datetime.now(UTC)
    made = campaigns.choose(
        results, out, configuration, todo.seeds, claims, todo.device.name, now, protocol, only=todo.seeds_named
    )
    # A custom trainer has no table; its records have its report.
    return replace(made, recipe={} if isinstance(chosen, CustomTrainer) else asdict(chosen))


def make_runs(
    campaign: Campaign, todo: Plan, data: Data, timeout: int | None, watched: GpuWatch, began_ns: int
) -> Ending[int | WarmUp]:
    """Make the runs that are left, after the warm-up runs; ``began_ns`` is when the command was started."""
    left = campaign.to_run()
    earlier = wall_clock.sessions_seconds(campaign.every_record()) if left else None
    session = {"session_began_ns": began_ns, "earlier_sessions_seconds": earlier}
    with open_runner(len(left), timeout, campaign.protocol, watched, session=session) as runner:
        runner.display.say(_introduction(campaign, left))
        campaign.sweep()
        campaign.write()
        with outcomes.finished(campaign.write):
            runs: list[int | WarmUp] = [*campaigns.warm_ups(campaign.protocol, left), *left]
            return campaigns.run(runs, lambda run: runner.make(campaign, todo, data, run))


def _introduction(campaign: Campaign, left: tuple[int, ...]) -> str:
    recipe, folder = campaign.configuration.recipe, display_path(campaign.folder)
    done = [str(seed) for seed in campaign.seeds if campaign.done(seed)]
    to_run = ", ".join(map(str, left))
    if not left:
        return f"{recipe}, continuing {folder}: seed {', '.join(done)} kept, none to run"
    how = campaign.protocol.sentence()
    if not done:
        return f"{recipe} with seed {to_run}, into {folder}; {how}"
    return f"{recipe}, continuing {folder}: seed {', '.join(done)} kept, {to_run} to run; {how}"


def conclude(ending: Ending[int | WarmUp], campaign: Campaign) -> tuple[int, str]:
    """Return the exit code and message of an interruption; raise the error of any other early end."""
    left = ", ".join(map(str, campaign.to_run()))
    kept = f"What is finished is kept in {display_path(campaign.folder)}; the same command again runs seed {left}."
    return outcomes.raise_for_outcome(ending, kept, lambda seed: f"seed {seed}")
