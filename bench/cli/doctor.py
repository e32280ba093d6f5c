"""``python -m bench doctor``: what this machine has, whether that will do, and what to type where it will not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import containers
from bench.system import subprocesses
from bench.system.paths import CHECKOUT

if TYPE_CHECKING:
    from bench.campaign.preflight import Place
    from bench.containers import selection
    from bench.rules import Data

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--data", envvar="DATA", metavar="PATH", help="where CIFAR-10 is  [default: data/ in the checkout]")
@click.option("--out", envvar="OUT", metavar="PATH", help="where results go  [default: results/ in the checkout]")
@click.option("--device", envvar="DEVICE", default="auto", help="auto, cpu, gpu, or the UUID of a GPU")
@containers.options
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of lines to read")
def command(
    data: str | None, out: str | None, device: str, where: str | None, image: str | None, docker: str | None,
    docker_flags: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Say whether this machine can give a clean result, and what to change.

    Leaves with 0 where it can, warnings included, and with 4 where a check fails.
    """
    import json
    from dataclasses import asdict

    from bench import rules
    from bench.campaign import preflight
    from bench.containers import selection
    from bench.errors import EnvironmentProblem

    results = Path(out) if out else CHECKOUT / "results"
    place = _look_for_place(selection.ContainerOptions(where, image, docker, docker_flags), device or None)
    facts = preflight.gather(
        CHECKOUT, results, device or "auto", _look_for_data(data), subprocesses.run_captured, place=place
    )
    found = rules.run_preflight(facts)
    failed = [each.check for each in found if each.verdict == rules.FAIL]
    if as_json:
        body = {"good": not failed, "rules": rules.RULES, "checks": [asdict(each) for each in found]}
        click.echo(json.dumps(body, indent=1))
        return EnvironmentProblem.exit_code if failed else 0
    for each in found:
        verdict = click.style(f"{each.verdict:5}", fg=_COLOURS[each.verdict])
        click.echo(f"{verdict}{each.check:18}{each.value}")
        if each.advice:
            click.echo(f"{'':23}-> {each.advice}")
    if failed:
        raise EnvironmentProblem(f"This machine cannot run a campaign yet: see {', '.join(failed)} above.")
    return 0


def _look_for_place(asked: selection.ContainerOptions, device: str | None) -> Place:
    """Where runs would be made; nothing is pulled."""
    from bench.campaign.preflight import Place
    from bench.containers import engine as engines
    from bench.containers import selection
    from bench.errors import EnvironmentProblem
    from bench.probes.device import device as find_device

    try:
        trains_on = find_device(device)
    except EnvironmentProblem:
        return Place()  # what is wrong with a GPU is told where GPUs are asked about
    try:
        settled = selection.resolve(asked, trains_on)
        if settled.choice is None or settled.engine is None:
            return Place(settled.said)
        chosen = settled.choice.image
        there = engines.inspect(settled.engine, chosen, subprocesses.run_captured) is not None
        if not there and not chosen.is_built:
            engines.require_space(settled.engine, chosen)
        how = "It is here." if there else f"It is still to be {'built' if chosen.is_built else 'pulled'}."
        return Place(f"{settled.said} {how}", image=f"{chosen.tensorflow} in the image {chosen.name}")
    except EnvironmentProblem as problem:
        return Place(problem=str(problem))


def _look_for_data(where: str | None) -> Data:
    """CIFAR-10 at ``where``, or where the checkout keeps it; nothing is read but names and sizes."""
    from bench.probes.page_cache import cached_bytes
    from bench.rules import Data
    from resnet9.data import dataset, sources

    if where and sources.is_address(where):
        where = None  # it is downloaded to the same place
    place = (where or None, CHECKOUT / dataset.DEFAULT_FOLDER)
    try:
        state, files = sources.source(*place)
        cached = [cached_bytes(path) for path in files]
        return Data(
            "present",
            sources.describe(*place),
            will_be=state,
            bytes=sum(path.stat().st_size for path in files),
            cached_bytes=None if None in cached else sum(filter(None, cached)),
        )
    except Exception as error:
        if getattr(error, "exit_code", None) != 3:  # the trainer's errors carry the codes of the contract
            raise
        state = "unusable" if where else "missing"
        return Data(state, getattr(error, "message", str(error)), getattr(error, "hint", ""))
