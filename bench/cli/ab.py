"""``python -m bench ab``: run two configurations interleaved, and say whether one of them trains faster."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import SHARE, Number
from bench.system.paths import RESULTS


def _side(letter: str) -> options.Decorator:
    return click.option(
        f"--{letter.lower()}",
        envvar=letter,
        show_envvar=True,
        metavar="'KEY=VALUE ...'",
        help=f"what {letter} sets, '' for nothing",
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
@conditions.interleaved_options
@click.option(
    "--fail-if-slower",
    type=SHARE,
    metavar="PERCENT",
    help="exit 1 if B is slower by more, or too few runs could show it",
)
def command(
    a: str | None, b: str | None, recipe: str | None, seeds: str | None, epochs: int | None, data: str | None,
    input: str | None, precision: str | None, device: str | None, out: str | None, threads: int | None,
    timeout: int | None, warm_up: int | None, idle: float | None, cache: str | None, telemetry: str | None,
    watch: str | None, where: str | None, image: str | None, docker: str | None, docker_flags: str | None,
    fail_if_slower: float | None,
) -> int:  # fmt: skip
    """Run two configurations of one recipe on one device interleaved, A B B A ..., and say whether one trains faster.

    A side may set INPUT, PRECISION, THREADS, CACHE, TELEMETRY, WHERE, IMAGE, DOCKER, DOCKER_FLAGS, and variables of its
    trainer's environment, such as TF_ENABLE_ONEDNN_OPTS=0 or 'XLA_FLAGS=...'. Nothing on both sides measures the method
    itself. An unfinished comparison of the same sides is continued.
    """
    from bench.campaign import ab, ab_settings, custom_campaign, experiment, plan
    from bench.containers.selection import ContainerOptions
    from bench.containers.selection import device as find_device
    from bench.report import comparison_files

    custom_campaign.no_trainer("ab", os.environ)
    settings = ab_settings.read_both(a, b, os.environ)
    trains_on = find_device(device)
    rest = conditions.REST_OF_TURNS_SECONDS if idle is None and trains_on.kind == "gpu" else idle
    watched = plan.watched(watch, trains_on)
    design = ab.design(
        settings,
        plan.RunOptions(recipe, seeds or ab.PAIRS, data, input, precision, device, threads),
        ContainerOptions(where, image, docker, docker_flags),
        conditions.of(warm_up, rest, cache, telemetry),
        trains_on,
        epochs,
    )
    code, comparison = experiment.run(design, trains_on, RESULTS, Path(out) if out else None, timeout, watched)
    if code or fail_if_slower is None or comparison is None:
        return code
    code, why = comparison_files.gate(comparison, fail_if_slower)
    click.echo(why, err=True)
    return code
