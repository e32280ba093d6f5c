"""``python -m bench stalls``: run the host's input and its control in turn, and say what the input costs."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import Number
from bench.system.paths import RESULTS, display_path, make_folder

if TYPE_CHECKING:
    from bench.campaign.dataset import Data
    from bench.campaign.pairs import Pairs
    from bench.campaign.plan import GpuWatch, Plan, RunOptions
    from bench.launch.conditions import RunConditions
    from bench.probes.device import Device
    from bench.record.stalls import StoredStalls
    from resnet9.recipe import Recipe

#: Enough for an interval, and minutes where an epoch takes seconds.
_PAIRS = "3"


@click.command("stalls")
@options.variable("RECIPE", "its name, or FILE.json:TABLE  [default: resnet9 on a GPU, else smoke]")
@click.option(
    "--pairs",
    "seeds",
    envvar="SEEDS",
    show_envvar=True,
    metavar="N",
    help="runs of each input: how many, 5, or with which seeds, 0,3  [default: 3]",
)
@click.option(
    "--epochs",
    type=Number("3", 2, unit="epochs", whole=True),
    metavar="N",
    default=3,
    show_default=True,
    help="after which a run is ended; the first is left out",
)
@options.data
@options.variable("INPUT", "host; device has nothing to measure", type=click.Choice(["auto", "host", "device"]))
@options.precision
@options.device
@containers.options
@options.variable("OUT", "the measurement's folder  [default: a new one in results/]")
@options.threads
@options.timeout
@conditions.options
def command(
    recipe: str | None, seeds: str | None, epochs: int, data: str | None, input: str | None, precision: str | None,
    device: str | None, out: str | None, threads: int | None, timeout: int | None, warm_up: int | None,
    idle: float | None, cache: str | None, telemetry: str | None, watch: str | None, where: str | None,
    image: str | None, docker: str | None, docker_flags: str | None,
) -> int:  # fmt: skip
    """Say whether training waits for its input, and what the input costs.

    Runs with the host's input and runs of its control, whose batches are ready in memory, in turn and with the same
    seeds; then, by epoch, the time waited, the level of the prefetch buffer and the difference of the two. An
    unfinished measurement of the same pairs is continued.
    """
    from bench.campaign import custom_campaign, dataset, plan
    from bench.containers import selection
    from bench.report import stalls as shown
    from bench.system import locks, signals

    custom_campaign.no_trainer("stalls", os.environ)
    if input == "device":
        click.echo(shown.NOT_APPLICABLE)
        return 0
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    trains_on = selection.device(device)
    watched = plan.watched(watch, trains_on)
    chosen, todo = _planned(
        plan.RunOptions(recipe, seeds or _PAIRS, data, "host", precision, device, threads), trains_on, epochs
    )
    asked = selection.ContainerOptions(where, image, docker, docker_flags)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(trains_on.key), f"the device {trains_on.name}"),
    ):
        todo = replace(todo, placed=selection.placed(asked, trains_on))
        loaded = dataset.load(todo.data)
        made, plans = _choose(chosen, todo, loaded, epochs, Path(out) if out else None, protocol)
        make_folder(made.folder)
        with locks.held(made.folder / locks.FOLDER_LOCK, display_path(made.folder)):
            click.echo("\n".join(shown.plan(made.stored)))
            return _run(made, plans, loaded, timeout, watched)


def _planned(wishes: RunOptions, where: Device, epochs: int) -> tuple[Recipe, Plan]:
    """The recipe and the plan of the host's runs. Raises UsageError for a recipe that has no second epoch."""
    from bench.campaign import plan
    from bench.cli.run import anywhere
    from bench.errors import UsageError
    from resnet9 import recipe as recipes

    name = plan.recipe_name(wishes, where)
    chosen = recipes.load(name)
    if chosen.epochs < 2:
        raise UsageError(
            f"{chosen.name} has {chosen.epochs:g} epochs, and the first is left out; name a longer one with RECIPE=."
        )
    return chosen, plan.complete(wishes, where, anywhere(name), chosen.dataset)


def _choose(
    chosen: Recipe, todo: Plan, data: Data, epochs: int, out: Path | None, protocol: RunConditions
) -> tuple[Pairs[StoredStalls], dict[str, Plan]]:
    """The measurement to make or to continue, nothing of it written, and the plan of each input's runs."""
    from bench.campaign import pairs
    from bench.campaign.runner import configuration_of
    from bench.record import SCHEMA
    from bench.record.stalls import INPUTS, StoredStalls

    plans = {name: replace(todo, input=name) for name in INPUTS}
    table = asdict(chosen)
    sides = {name: pairs.Side(configuration_of(each, chosen, data), protocol, table) for name, each in plans.items()}
    wanted = StoredStalls(SCHEMA, chosen.name, data.name, epochs, todo.seeds)
    now = datetime.now(UTC)
    return pairs.choose(RESULTS, out, pairs.STALLS, wanted, sides, todo.device.name, now), plans


def _run(made: Pairs[StoredStalls], plans: dict[str, Plan], data: Data, timeout: int | None, watched: GpuWatch) -> int:
    """Make the runs that are left, print the table and the answer; the exit code of a measurement that was stopped.

    Raises what a failed one was.
    """
    from bench.campaign import interleave
    from bench.campaign.runner import open_runner
    from bench.record.stalls import HOST
    from bench.report import stalls_files

    turns = interleave.InterleavedRuns(made, plans, data, warmed=(HOST,))
    protocol = made.campaigns[HOST].protocol

    def finish() -> None:
        for each in made.campaigns.values():
            each.write()
        stalls_files.write(made.folder)

    with open_runner(len(made.left()), timeout, protocol, watched, made.stored.epochs) as runner:
        made.prepare()
        ending = turns.take(runner, finish)
    stalls_files.show(made.folder, sys.stdout)
    return turns.conclude(ending)
