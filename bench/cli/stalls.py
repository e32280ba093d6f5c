"""``python -m bench stalls``: run the host's input and its control interleaved, and say what the input costs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import Number
from bench.system.paths import RESULTS


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

    Runs with the host's input and runs of its control, whose batches are ready in memory, are interleaved with the same
    seeds; then, by epoch, the time waited, the level of the prefetch buffer and the difference of the two are printed.
    An unfinished measurement of the same pairs is continued.
    """
    from bench.campaign import custom_campaign, experiment, plan, stalls
    from bench.containers.selection import ContainerOptions
    from bench.containers.selection import device as find_device
    from bench.report.stalls import NOT_APPLICABLE

    custom_campaign.no_trainer("stalls", os.environ)
    if input == "device":
        click.echo(NOT_APPLICABLE)
        return 0
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    trains_on = find_device(device)
    watched = plan.watched(watch, trains_on)
    design = stalls.design(
        plan.RunOptions(recipe, seeds or stalls.PAIRS, data, "host", precision, device, threads),
        ContainerOptions(where, image, docker, docker_flags),
        protocol,
        trains_on,
        epochs,
    )
    return experiment.run(design, trains_on, RESULTS, Path(out) if out else None, timeout, watched)[0]
