"""``python -m bench validate PATH``: is this a DAWNBench entry?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import GateFailed

if TYPE_CHECKING:
    from bench.dawnbench.validate import Verdict


@click.command("validate")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--level",
    type=click.Choice(["compat", "full"]),
    default="full",
    show_default=True,
    help="compat: what DAWNBench's own tests accept. full: what we ask of a pair besides.",
)
def command(path: Path, level: str) -> None:
    """Judge DAWNBench pairs (JSON and TSV) for CIFAR-10 training.

    PATH is the .json or the .tsv of a pair, or a folder: a campaign's, or any that holds pairs.
    """
    from bench.dawnbench.validate import validate

    verdicts = validate(path, "compat" if level == "compat" else "full")
    for verdict in verdicts:
        _show(verdict)
    refused = sum(not verdict.accepted for verdict in verdicts)
    if refused:
        raise GateFailed(f"{refused} of {len(verdicts)} not accepted at the level {level}", "see above what to change")


def _show(verdict: Verdict) -> None:
    from bench.dawnbench.findings import printable

    word = "accepted" if verdict.accepted else "not accepted"
    click.echo(f"{printable(verdict.json_path.with_suffix(''))}: {word} at the level {verdict.level}")
    for finding in verdict.findings:
        click.echo(f"  {finding.where}: {finding.sentence} [{finding.level}/{finding.rule}]")
        click.echo(f"    {finding.fix}")
