"""``python -m bench ab``: run two configurations in turn, and say whether one of them trains faster."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import SHARE, Number
from bench.system.paths import RESULTS, display_path, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.campaign.ab_settings import ArmSettings
    from bench.campaign.dataset import Data
    from bench.campaign.pairs import Pairs
    from bench.campaign.plan import GpuWatch, Plan, RunOptions
    from bench.containers import selection
    from bench.containers.launch_spec import ContainerTarget
    from bench.launch.conditions import RunConditions
    from bench.probes.device import Device
    from bench.record.ab import StoredAB, StoredSide
    from resnet9.recipe import Recipe

#: One more than the least that can tell anything (`bench.analysis.ranks`), so that one may fail.
_PAIRS = "5"


@dataclass(frozen=True)
class _Side:
    """One side as it will be run: what it was told, where, and how."""

    told: ArmSettings
    asked: selection.ContainerOptions
    protocol: RunConditions
    todo: Plan


def _side(letter: str) -> options.Decorator:
    return click.option(
        f"--{letter.lower()}",
        envvar=letter,
        show_envvar=True,
        metavar="'KEY=VALUE ...'",
        help=f"what {letter} has of its own, '' for nothing",
    )


@click.command("ab")
@_side("A")
@_side("B")
@options.variable("RECIPE", "its name, or FILE.json:TABLE  [default: resnet9 on a GPU, else smoke]")
@click.option(
    "--pairs",
    "seeds",
    envvar="SEEDS",
    show_envvar=True,
    metavar="N",
    help="runs of each side: how many, 5, or with which seeds, 0,3  [default: 5]",
)
@click.option(
    "--fixed-work",
    "epochs",
    type=Number("2", 1, unit="epochs", whole=True),
    metavar="EPOCHS",
    help="end each run after so many epochs, and compare those after the first  [default: the whole schedule]",
)
@options.data
@options.variable("INPUT", "of both sides", type=click.Choice(["auto", "host", "device"]))
@options.precision
@options.device
@containers.options
@options.variable("OUT", "the comparison's folder  [default: a new one in results/]")
@options.threads
@options.timeout
@conditions.options_of_turns
@click.option(
    "--fail-if-slower",
    type=SHARE,
    metavar="PERCENT",
    help="exit 1 where B is slower by more, or that could not be told",
)
def command(
    a: str | None, b: str | None, recipe: str | None, seeds: str | None, epochs: int | None, data: str | None,
    input: str | None, precision: str | None, device: str | None, out: str | None, threads: int | None,
    timeout: int | None, warm_up: int | None, idle: float | None, cache: str | None, telemetry: str | None,
    watch: str | None, where: str | None, image: str | None, docker: str | None, docker_flags: str | None,
    fail_if_slower: float | None,
) -> int:  # fmt: skip
    """Run two configurations of one recipe on one device in turn, A B B A ..., and say whether one trains faster.

    A side may have of its own INPUT, PRECISION, THREADS, CACHE, WHERE, IMAGE, DOCKER, DOCKER_FLAGS, and variables of
    its trainer's environment, such as TF_ENABLE_ONEDNN_OPTS=0 or 'XLA_FLAGS=...'. Nothing on both sides measures the
    method itself. An unfinished comparison of the same sides is continued.
    """
    from bench.campaign import custom_campaign, dataset, plan
    from bench.containers import selection
    from bench.report import ab as shown
    from bench.system import locks, signals

    custom_campaign.no_trainer("ab", os.environ)
    told = _told(a, b)
    trains_on = selection.device(device)
    watched = plan.watched(watch, trains_on)
    rest = conditions.REST_OF_TURNS_SECONDS if idle is None and trains_on.kind == "gpu" else idle
    wishes = plan.RunOptions(recipe, seeds or _PAIRS, data, input, precision, device, threads)
    asked = selection.ContainerOptions(where, image, docker, docker_flags)
    name, chosen = _recipe(wishes, trains_on, epochs)
    sides = {
        letter: _Side(
            side,
            _asked(asked, side),
            conditions.of(warm_up, rest, side.settings.get("CACHE", cache), telemetry),
            _plan(wishes, side, trains_on, (name, chosen)),
        )
        for letter, side in told.items()
    }
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(trains_on.key), f"the device {trains_on.name}"),
    ):
        sides = _placed(sides, trains_on)
        loaded = dataset.load(sides["a"].todo.data)
        made = _choose(chosen, sides, loaded, epochs, Path(out) if out else None)
        make_folder(made.folder)
        with locks.held(made.folder / locks.FOLDER_LOCK, display_path(made.folder)):
            click.echo("\n".join(shown.plan(made.stored)))
            return _run(made, sides, loaded, timeout, watched, fail_if_slower)


def _told(a: str | None, b: str | None) -> dict[str, ArmSettings]:
    """What each side has of its own, by the names of their folders. Raises UsageError where neither was given."""
    from bench.campaign import ab_settings
    from bench.errors import UsageError
    from bench.record.ab import A, B
    from bench.system.identity import Identity

    # An empty variable, as `make ab A= B=` passes it, is no option that click would see; here it says something.
    if a is None and b is None and not {"A", "B"} & os.environ.keys():
        raise UsageError(
            "say how A and B differ, as in --a PRECISION=bf16 --b PRECISION=fp32; --a '' --b '' measures the method."
        )
    identity = Identity.of_this_process()
    return {A: ab_settings.read("A", a or "", identity), B: ab_settings.read("B", b or "", identity)}


def _recipe(wishes: RunOptions, where: Device, epochs: int | None) -> tuple[str, Recipe]:
    """The name of the recipe as the trainer is given it, and the recipe. Raises UsageError where it is too short."""
    from bench.campaign import plan
    from bench.cli.run import anywhere
    from bench.errors import UsageError
    from resnet9 import recipe as recipes

    name = plan.recipe_name(wishes, where)
    chosen = recipes.load(name)
    if epochs is not None and epochs > chosen.epochs:
        raise UsageError(
            f"{chosen.name} has {chosen.epochs:g} epochs, and --fixed-work {epochs} asks for more; leave it out."
        )
    return anywhere(name), chosen


def _asked(shared: selection.ContainerOptions, told: ArmSettings) -> selection.ContainerOptions:
    """Where a side is asked to run: what it says of its own goes before what both share."""
    from bench.containers import NATIVE, selection

    own = told.settings
    # Of a side that runs in no image, the one that both were given is meant for the other.
    image = None if own.get("WHERE") == NATIVE else shared.image
    return selection.ContainerOptions(
        where=own.get("WHERE", shared.where),
        image=own.get("IMAGE", image),
        docker=own.get("DOCKER", shared.docker),
        docker_flags=own.get("DOCKER_FLAGS", shared.docker_flags),
    )


def _plan(wishes: RunOptions, told: ArmSettings, where: Device, recipe: tuple[str, Recipe]) -> Plan:
    from bench.campaign import plan

    name, chosen = recipe
    own = replace(
        wishes,
        input=told.settings.get("INPUT", wishes.input),
        precision=told.settings.get("PRECISION", wishes.precision),
        threads=told.threads or wishes.threads,
    )
    return replace(plan.complete(own, where, name, chosen.dataset), variables=told.variables)


def _placed(sides: Mapping[str, _Side], device: Device) -> dict[str, _Side]:
    """The sides with the containers that they run in, each settled on once, where both run alike."""
    from bench.containers import selection

    found: dict[selection.ContainerOptions, ContainerTarget | None] = {}
    alike = len({each.asked for each in sides.values()}) == 1
    for name, side in sides.items():
        mark = "" if alike else f"{name.upper()}: "

        def say(said: str, mark: str = mark) -> None:
            click.echo(f"{mark}{said}")

        if side.asked not in found:
            found[side.asked] = selection.placed(side.asked, device, say=say)
    return {name: replace(side, todo=replace(side.todo, placed=found[side.asked])) for name, side in sides.items()}


def _choose(
    recipe: Recipe, sides: Mapping[str, _Side], data: Data, epochs: int | None, out: Path | None
) -> Pairs[StoredAB]:
    """The comparison to make or to continue, nothing of it written."""
    from bench.campaign import pairs
    from bench.campaign.runner import configuration_of
    from bench.record import SCHEMA
    from bench.record.ab import A, StoredAB

    table = asdict(recipe)
    made = {
        name: pairs.Side(configuration_of(side.todo, recipe, data), side.protocol, table)
        for name, side in sides.items()
    }
    a, b = (_stored(side, asdict(made[name].configuration)) for name, side in sides.items())
    todo = sides[A].todo
    wanted = StoredAB(SCHEMA, recipe.name, data.name, epochs, todo.seeds, a, b)
    return pairs.choose(RESULTS, out, pairs.AB, wanted, made, todo.device.name, datetime.now(UTC))


def _stored(side: _Side, configuration: dict[str, object]) -> StoredSide:
    from bench.probes import machine
    from bench.record.ab import StoredSide
    from bench.system import container_flags
    from bench.system.identity import Identity

    told = side.told.published(Identity.of_this_process())
    placed = side.todo.placed
    more = {
        "kernel_cache": side.protocol.kernel_cache,
        "engine": "" if placed is None else placed.engine.told,
        "docker_flags": [] if placed is None else list(container_flags.redacted_flags(placed.extra)),
    }
    return StoredSide(dict(told.settings), dict(told.variables), {**configuration, **machine.told(more)})


def _run(
    made: Pairs[StoredAB],
    sides: Mapping[str, _Side],
    data: Data,
    timeout: int | None,
    watched: GpuWatch,
    limit_percent: float | None,
) -> int:
    """Make the runs that are left and print what they say; the exit code of a gate at ``limit_percent``, or of a
    comparison that was stopped. Raises what a failed one was.
    """
    from bench.campaign import interleave
    from bench.campaign.runner import open_runner
    from bench.record.ab import SIDES
    from bench.report import ab_files, comparison_files

    plans = {name: side.todo for name, side in sides.items()}
    called = {name: name.upper() for name in SIDES}
    turns = interleave.InterleavedRuns(made, plans, data, warmed=SIDES, called=called, all_needed=True)

    def finish() -> None:
        for each in made.campaigns.values():
            each.write()

    with open_runner(len(made.left()), timeout, sides["a"].protocol, watched, made.stored.epochs) as runner:
        made.prepare()
        ending = turns.take(runner, finish)
    comparison = ab_files.compared(made.folder)
    ab_files.write(made.folder, comparison)
    ab_files.show(comparison, sys.stdout)
    code = turns.conclude(ending)
    if code or limit_percent is None or comparison is None:
        return code
    code, why = comparison_files.gate(comparison, limit_percent)
    click.echo(why, err=True)
    return code
