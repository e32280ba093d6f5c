"""``python -m bench rank [PATH]``: the position of a result on DAWNBench's closed board."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.cli.options.numbers import Number
from bench.system.paths import RESULTS


@click.command("rank")
@click.argument("path", metavar="[PATH]", required=False, envvar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--cost-per-hour",
    envvar="COST_PER_HOUR",
    show_envvar=True,
    type=Number("3.06"),
    metavar="X",
    help="what the whole machine costs, in US dollars on demand; gives a position by cost",
)
@click.option("--all", "whole", is_flag=True, help="the whole board instead of the neighbours")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text to read")
def command(path: Path | None, cost_per_hour: float | None, whole: bool, as_json: bool) -> None:
    """Print the position of a result on DAWNBench's closed board of CIFAR-10 training, by time and by cost.

    PATH is a campaign's folder, or the .json or .tsv of a DAWNBench pair; default: the folder in OUT, or else the
    newest under results/. docs/concepts/board.md says how positions are counted.
    """
    import json

    from bench.dawnbench import candidate
    from bench.record import describe
    from bench.report import ranking

    found = candidate.of(path or describe.newest(RESULTS), cost_per_hour)
    if as_json:
        click.echo(json.dumps(ranking.body(found), indent=1, allow_nan=False))
    else:
        ranking.show(found, sys.stdout, whole)
