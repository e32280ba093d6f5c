"""``python -m bench choose-epochs RECIPE [DIR...]``: how many epochs reach the target reliably, and fastest?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.cli.options.numbers import Number


@click.command("choose-epochs")
@click.argument("recipe")
@click.argument("folders", metavar="[DIR...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--success",
    type=Number("98%", 50, 99.99, share=True, unit="per cent"),
    metavar="PERCENT",
    default="98%",
    show_default=True,
    help="share of runs that are to reach the target",
)
@click.option("--runs-only", is_flag=True, help="fit the runs alone, without published accuracies and slopes")
def command(recipe: str, folders: tuple[Path, ...], success: float, runs_only: bool) -> int:
    """Fit the accuracy of RECIPE against its number of epochs, and say which length to choose.

    Every run in or under a DIR counts that trained the network and tricks of RECIPE on CIFAR-10, at any length (of the
    recipes' tables only `epochs` and `learning_rate` may differ); default: results/published. Accuracies that were
    published for such recipes, and the slope that others measured, enter the fit with their own uncertainty. Printed
    are, for each length, the accuracy, the chance to reach the target, and the expected wall-clock time to the first
    success: with retries in a new process (start and compilation again) and in the same one. Method:
    docs/concepts/methodology.md.
    """
    from bench.campaign import epoch_choice
    from bench.campaign.reproductions import PUBLISHED
    from bench.report import epochs

    epochs.show(epoch_choice.report(recipe, folders, PUBLISHED, success / 100, runs_only), sys.stdout)
    return 0
