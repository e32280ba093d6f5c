"""``python -m bench ablate SET``: run a declared set of variants, one change at a time, and write their effects."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.system.paths import RESULTS


@click.command("ablate")
@click.argument("name", metavar="[SET]", required=False, envvar="SET")
@options.variable("SEEDS", "how many, 5, or which, 0,3  [default: what the set declares]")
@options.data
@options.input_
@options.precision
@options.device
@containers.options
@options.variable("OUT", "the ablation's folder  [default: a new one in results/]")
@options.threads
@options.timeout
@conditions.options
@click.option("--plan", "only_plan", is_flag=True, help="say what would run and what it could find, and run nothing")
def command(
    name: str | None, seeds: str | None, data: str | None, input: str | None, precision: str | None,
    device: str | None, out: str | None, threads: int | None, timeout: int | None, only_plan: bool,
    warm_up: int | None, idle: float | None, cache: str | None, telemetry: str | None, watch: str | None,
    where: str | None, image: str | None, docker: str | None, docker_flags: str | None,
) -> int:  # fmt: skip
    """Run an ablation: variants of one recipe with the same seeds, interleaved; print the effect of each.

    SET is a shipped set or the path of a .json file; without it the sets are listed. The smallest difference that the
    runs can detect is printed before the first. An unfinished ablation of the same set is continued.
    """
    from bench.campaign import ablation, custom_campaign, experiment, plan
    from bench.containers.selection import ContainerOptions
    from bench.containers.selection import device as find_device
    from resnet9.recipe import ablation as declared

    if not name:
        click.echo("\n".join(ablation.sets()))
        return 0
    custom_campaign.no_trainer("ablate", os.environ)
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    chosen = declared.load(name)
    trains_on = find_device(device)
    watched = plan.watched(watch, trains_on)
    design = ablation.design(
        chosen,
        plan.RunOptions(None, seeds, data, input, precision, device, threads),
        ContainerOptions(where, image, docker, docker_flags),
        protocol,
        trains_on,
    )
    if only_plan:
        click.echo("\n".join(design.introduction(design.stored(design.arms, {}))))
        return 0
    return experiment.run(design, trains_on, RESULTS, Path(out) if out else None, timeout, watched)[0]
