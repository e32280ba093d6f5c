"""``python -m bench run``: run a campaign, or continue an unfinished one, and write its results."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.cli.options import claims as claims_options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import PERCENT
from bench.system import paths
from bench.system.paths import RESULTS


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
@click.option("--smoke", is_flag=True, help="a short campaign on the synthetic dataset, on any machine")
@options.timeout
@conditions.options
@click.option("--allow-unverified-data", is_flag=True, help="write a DAWNBench pair from unverified data")
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

    An unfinished campaign of the same configuration is continued: finished runs and planned seeds are kept.
    """
    from bench.campaign import dataset, dataset_export, plan, reproductions, session
    from bench.containers import selection
    from bench.dawnbench.claims import check
    from bench.record import load_campaign
    from bench.record.claims import Claims
    from bench.report import campaign_files
    from bench.system import locks, signals
    from resnet9.data.dataset import SYNTHETIC

    # `python -m bench` passes its start time; any other caller starts now.
    began_ns = click.get_current_context().obj or time.monotonic_ns()
    check(**claims)
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    wanted = plan.RunOptions(recipe, seeds, data, input, precision, device, threads, smoke)
    trains_on = selection.device(device)
    watched = plan.watched(watch, trains_on)
    chosen, todo = session.planned(wanted, trains_on, trainer, target)
    containers = selection.ContainerOptions(where, image, docker, docker_flags)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(trains_on.key), f"the device {trains_on.name}"),
    ):
        if todo.notice:
            click.echo(todo.notice)
        todo = replace(todo, placed=selection.placed(containers, trains_on, custom=todo.custom is not None))
        loaded = dataset.load(todo.data)
        place = Path(out) if out else None
        campaign = session.choose(RESULTS, place, todo, chosen, loaded, Claims(**claims), protocol)
        paths.make_folder(campaign.folder)
        with (
            locks.held(campaign.folder / locks.FOLDER_LOCK, paths.display_path(campaign.folder)),
            dataset_export.added(loaded, wanted=todo.custom is not None) as given,
        ):
            ending = session.make_runs(campaign, todo, given, timeout, watched, began_ns)
            # Read again, as a published pair is made from the events only.
            made = campaign_files.build(load_campaign(campaign.folder), notes_on=reproductions.notes)
            made.write()
            page = made.write_page()
            if any(each.status == "done" for each in made.records):
                made.show(sys.stdout)
            if ending.exit_code:
                code, sentence = session.conclude(ending, campaign)
                click.echo(sentence, err=True)
                return code
            shown = paths.display_path(campaign.folder)
            click.echo(f"Tables, records and logs are in {shown}.\n{page}")
            if loaded.state != SYNTHETIC:
                allowed = {
                    "allow_unverified_data": allow_unverified_data,
                    "allow_uncommitted_code": allow_uncommitted_code,
                }
                click.echo(made.write_pair(campaign.recipe, shown, any(claims.values()), **allowed))
            return 0
