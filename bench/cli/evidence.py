"""``python -m bench evidence``: which recipes do the published runs reproduce? Writes ``resnet9/reproduced.json``."""

from __future__ import annotations

import click

from bench.system.paths import CHECKOUT


@click.command("evidence")
def command() -> None:
    """Compare the runs under results/published with what was published for their recipes.

    Writes the result to resnet9/reproduced.json, which `python -m resnet9 recipes` shows; nobody else writes it.
    """
    from bench.analysis import reliability
    from bench.campaign import reproductions
    from bench.record import replace_file

    body = reproductions.content()
    replace_file(reproductions.REPRODUCED_FILE, reproductions.text(body))
    own = {row["recipe"] for row in body["own"]}
    for row in (row for row in body["recipes"] if row["recipe"] not in own):
        word = "reproduced" if row["reproduced"] else "not reproduced"
        said = "nothing" if row["published_percent"] is None else f"{row['published_percent']:g} %"
        runs = "1 run" if row["n"] == 1 else f"{row['n']} runs"
        left_out = "".join(f", left out {number} {how}" for how, number in row["left_out"].items())
        click.echo(f"{row['recipe']}: {word}; {runs} give {row['mean_percent']:.2f} %, published is {said}{left_out}.")
    for row in body["own"]:
        rate, interval = reliability.texts(row["success"], row["success_low"], row["success_high"])
        may = f"no default: {row['shortfall']}" if row["shortfall"] else "may be a default"
        counted = f"{row['reached']} of {row['runs']} runs here reached the target"
        click.echo(f"{row['recipe']}: success {row['basis']}, {rate} ({interval}); {counted}; {may}.")
    if not body["recipes"]:
        click.echo("No run under results/published is of a shipped recipe on CIFAR-10.")
    rules = f"{body['rule']}; {body['own_rule']}"
    click.echo(f"{reproductions.REPRODUCED_FILE.relative_to(CHECKOUT)} is up to date; {rules}.")
