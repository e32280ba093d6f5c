"""``python -m bench doctor``: check whether this machine is ready for runs, and say what to fix."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import containers
from bench.system.paths import RESULTS

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

    Exits with 0 if it can, warnings included, and with 4 if a check fails.
    """
    import json
    from dataclasses import asdict

    from bench import rules
    from bench.campaign import preflight
    from bench.containers import selection
    from bench.errors import EnvironmentProblem

    containers = selection.ContainerOptions(where, image, docker, docker_flags)
    found = rules.run_preflight(
        preflight.facts(data or None, Path(out) if out else RESULTS, device or "auto", containers)
    )
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
        raise EnvironmentProblem("This machine cannot run a campaign yet", f"see {', '.join(failed)} above")
    return 0
