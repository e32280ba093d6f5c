"""``python -m bench evidence``: which recipes do the published runs reproduce? Writes ``resnet9/reproduced.json``."""

from __future__ import annotations

import click


@click.command("evidence")
def command() -> None:
    """Compare the runs under results/published with what was published for their recipes.

    Writes the result to resnet9/reproduced.json, which `python -m resnet9 recipes` shows.
    """
    from bench.campaign import reproductions

    for line in reproductions.update():
        click.echo(line)
