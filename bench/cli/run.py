"""``python -m bench run``: run a campaign, or continue an unfinished one, and write its results."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.cli.options import claims as claims_options
from bench.cli.options import conditions, containers
from bench.cli.options.numbers import PERCENT
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
    from bench.campaign import plan, session
    from bench.containers import selection

    allowed = {"allow_unverified_data": allow_unverified_data, "allow_uncommitted_code": allow_uncommitted_code}
    return session.run(
        session.Request(
            plan.RunOptions(recipe, seeds, data, input, precision, device, threads, smoke),
            selection.ContainerOptions(where, image, docker, docker_flags),
            conditions.of(warm_up, idle, cache, telemetry),
            claims, allowed, RESULTS,
            # `python -m bench` passes its start time; any other caller starts now.
            click.get_current_context().obj or time.monotonic_ns(),
            Path(out) if out else None, watch, trainer, target, timeout,
        )
    )  # fmt: skip
