"""``python -m bench rank [PATH]``: where a result would have stood on the board, and beside later records."""

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
    help="what the whole machine costs, in US dollars on demand; gives a place on the cost board",
)
@click.option("--all", "whole", is_flag=True, help="the whole board instead of the neighbours")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text to read")
def command(path: Path | None, cost_per_hour: float | None, whole: bool, as_json: bool) -> None:
    """Say where a result would have stood on DAWNBench's closed board of CIFAR-10 training.

    PATH is a campaign's folder, or the .json or .tsv of a DAWNBench pair; without it the folder in OUT is meant, or
    else the newest under results/. docs/concepts/board.md says how places are counted.
    """
    import json

    from bench.analysis import ranking
    from bench.dawnbench import board, candidate, later
    from bench.record import describe
    from bench.report import ranking as shown
    from bench.report import ranking_json

    asked = candidate.of(path or describe.newest(RESULTS), cost_per_hour)
    entries = board.entries()
    found = ranking.rank(
        asked.sample, asked.cost_per_hour_usd, entries, lambda each: each.seconds, lambda each: each.cost_usd
    )
    if as_json:
        click.echo(json.dumps(ranking_json.body(asked.candidate, found, later.records()), indent=1, allow_nan=False))
        return
    shown.show(asked.candidate, found, entries, later.records(), sys.stdout, whole)
