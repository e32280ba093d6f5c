"""``python -m bench run``: run a campaign, or continue an unfinished one, and write its results."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli.options import claims as claims_options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import PERCENT
from bench.system import paths
from bench.system.paths import RESULTS

if TYPE_CHECKING:
    from bench.campaign.campaign import Campaign, Ending
    from bench.campaign.custom_campaign import CustomTrainer
    from bench.campaign.dataset import Data
    from bench.campaign.plan import GpuWatch, Plan, RunOptions
    from bench.launch.conditions import RunConditions, WarmUp
    from bench.probes.device import Device
    from bench.record import Record
    from resnet9.recipe import Recipe


@click.command("run")
@options.variable("RECIPE", "its name, or FILE.json:TABLE  [default: resnet9 on a GPU, else smoke]")
@options.variable("SEEDS", "how many, 5, or which, 0,3  [default: 5, of smoke 2]")
@options.data
@options.input_
@options.precision
@options.device
@containers.options
@options.variable("OUT", "the campaign's folder  [default: a new one in results/]")
@options.variable("TRAINER", "a program of your own that trains, in place of a recipe (docs/guide/custom-trainers.md)")
@options.variable("TARGET", "percent it has to reach, with TRAINER  [default: 94]", type=PERCENT)
@options.threads
@click.option("--smoke", is_flag=True, help="a short campaign on built-in data, whatever the machine")
@options.timeout
@conditions.options
@click.option("--allow-unverified-data", is_flag=True, help="write a DAWNBench pair from data nobody verified")
@click.option("--allow-uncommitted-code", is_flag=True, help="write a DAWNBench pair from code without a known commit")
@claims_options.options
def command(
    recipe: str | None, seeds: str | None, data: str | None, input: str | None, precision: str | None,
    device: str | None, trainer: str | None, target: float | None, threads: int | None, smoke: bool,
    timeout: int | None, out: str | None, warm_up: int | None, idle: float | None, cache: str | None,
    telemetry: str | None, watch: str | None, where: str | None, image: str | None, docker: str | None,
    docker_flags: str | None, allow_unverified_data: bool, allow_uncommitted_code: bool, **claims: Any,
) -> int:  # fmt: skip
    """Run a campaign: one recipe, several seeds, one process each; then its tables and its DAWNBench pair.

    An unfinished campaign of the same configuration is continued: what is finished is kept, and no seed that was asked
    for is dropped from its plan.
    """
    from bench.campaign import dataset as _dataset
    from bench.campaign import dataset_export, plan
    from bench.containers import selection
    from bench.dawnbench.claims import check
    from bench.record.claims import Claims
    from bench.system import locks, signals
    from resnet9.data import dataset

    # `python -m bench` says when it was started; what calls the command otherwise starts it now.
    began_ns = click.get_current_context().obj or time.monotonic_ns()
    check(**claims)
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    wishes = plan.RunOptions(recipe, seeds, data, input, precision, device, threads, smoke)
    trains_on = selection.device(device)
    watched = plan.watched(watch, trains_on)
    chosen, todo = _planned(wishes, trains_on, trainer, target)
    asked = selection.ContainerOptions(where, image, docker, docker_flags)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(trains_on.key), f"the device {trains_on.name}"),
    ):
        if todo.notice:
            click.echo(todo.notice)
        todo = replace(todo, placed=selection.placed(asked, trains_on, own=todo.own is not None))
        loaded = _dataset.load(todo.data)
        campaign = _choose(todo, chosen, loaded, Path(out) if out else None, Claims(**claims), protocol)
        paths.make_folder(campaign.folder)
        with (
            locks.held(campaign.folder / locks.FOLDER_LOCK, paths.display_path(campaign.folder)),
            dataset_export.added(loaded, wanted=todo.own is not None) as given,
        ):
            ending = _run(campaign, todo, given, timeout, watched, began_ns)
            records, page = _show(campaign)
            if ending.exit_code:
                return _why(ending, campaign)
            click.echo(f"Tables, records and logs are in {paths.display_path(campaign.folder)}.")
            click.echo(page)
            if loaded.state != dataset.SYNTHETIC:
                allowed = {
                    "allow_unverified_data": allow_unverified_data,
                    "allow_uncommitted_code": allow_uncommitted_code,
                }
                click.echo(_pair(campaign, records, allowed, asked=any(claims.values())))
            return 0


def _planned(
    wishes: RunOptions, where: Device, trainer: str | None, target: float | None
) -> tuple[Recipe | CustomTrainer, Plan]:
    """What is trained, a recipe or a person's own trainer, and the plan for it."""
    from bench.campaign import custom_campaign, plan
    from resnet9 import recipe as recipes

    if trainer is not None:
        return custom_campaign.planned(trainer, wishes, where, target)
    custom_campaign.no_target(target)
    name = plan.recipe_name(wishes, where)
    chosen = recipes.load(name)
    return chosen, plan.complete(wishes, where, plan.absolute(name), chosen.dataset)


def _choose(todo: Plan, chosen: Any, data: Data, out: Path | None, claims: Any, protocol: RunConditions) -> Campaign:
    from bench.campaign import campaign
    from bench.campaign import runner as _runs

    configuration = _runs.configuration_of(todo, chosen, data)
    now = datetime.now(UTC)
    made = campaign.choose(
        RESULTS, out, configuration, todo.seeds, claims, todo.device.name, now, protocol, only=todo.seeds_named
    )
    # Of a person's own trainer there is no table; what it says of itself is in every record.
    return replace(made, recipe=asdict(chosen) if todo.own is None else {})


def _run(
    campaign: Campaign, todo: Plan, data: Data, timeout: int | None, watched: GpuWatch, began_ns: int
) -> Ending[int | WarmUp]:
    from bench.analysis import wall_clock
    from bench.campaign import campaign as campaigns
    from bench.campaign import outcomes
    from bench.campaign import runner as _runs
    from bench.campaign.records import write_missing_records

    left = campaign.to_run()
    earlier = wall_clock.sessions_seconds(campaign.every_record()) if left else None
    session = {"session_began_ns": began_ns, "earlier_sessions_seconds": earlier}
    with _runs.open_runner(len(left), timeout, campaign.protocol, watched, session=session) as runner:
        runner.display.say(_introduction(campaign, left))
        campaign.sweep()
        write_missing_records(campaign)
        campaign.write()
        with outcomes.finished(campaign.write):
            runs: list[int | WarmUp] = [*campaigns.warm_ups(campaign.protocol, left), *left]
            return campaigns.run(runs, lambda run: runner.make(campaign, todo, data, run))


def _introduction(campaign: Campaign, left: tuple[int, ...]) -> str:

    recipe, folder = campaign.configuration.recipe, paths.display_path(campaign.folder)
    done = [str(seed) for seed in campaign.seeds if campaign.done(seed)]
    to_run = ", ".join(map(str, left))
    if not left:
        return f"{recipe}, continuing {folder}: seed {', '.join(done)} kept, none to run"
    how = campaign.protocol.sentence()
    if not done:
        return f"{recipe} with seed {to_run}, into {folder}; {how}"
    return f"{recipe}, continuing {folder}: seed {', '.join(done)} kept, {to_run} to run; {how}"


def _show(campaign: Campaign) -> tuple[tuple[Record, ...], str]:
    """Write the tables and the page and print the summary; the judged records, and where the page is."""
    from bench.campaign import reproductions
    from bench.report import campaign_files

    records, page = campaign_files.write_all(campaign.folder, reproductions.notes)
    if any(each.status == "done" for each in records):
        notes = reproductions.notes(records)
        campaign_files.show(records, campaign.seeds, sys.stdout, campaign.claims.cost_per_hour, notes)
    return records, page


def _why(ending: Ending[int | WarmUp], campaign: Campaign) -> int:
    """Tell why a campaign did not end well: returns 130 for an interruption, and raises what else it was."""
    from bench.campaign import outcomes

    left = ", ".join(map(str, campaign.to_run()))
    kept = (
        f"What is finished is kept in {paths.display_path(campaign.folder)}; the same command again runs seed {left}."
    )
    code, sentence = outcomes.raise_for_outcome(ending, kept, lambda seed: f"seed {seed}")
    click.echo(sentence, err=True)
    return code


def _pair(campaign: Campaign, records: tuple[Record, ...], allowed: dict[str, bool], asked: bool) -> str:
    """Write the DAWNBench pair or say why there is none; a refusal is an error only where a pair was asked for."""
    from bench.dawnbench import publish
    from bench.errors import Refused

    try:
        return publish.write_dawnbench(
            campaign.folder,
            records,
            campaign.claims,
            dict(campaign.recipe),
            paths.display_path(campaign.folder),
            plan=campaign.seeds,
            **allowed,
        )
    except Refused as why:
        if asked:
            raise
        return f"No DAWNBench pair: {why}"
