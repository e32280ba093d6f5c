"""``python -m bench compare A B``: is one configuration slower than another, and how sure is that?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options.numbers import SHARE

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison


def _a_folder(context: click.Context, parameter: click.Parameter, typed: str | None) -> Path | None:
    """A folder that was named; an empty name would be the folder we are in."""
    if typed is not None and not typed.strip():
        raise click.UsageError("--out has no value; name a folder, as in --out comparison.")
    return None if typed is None else Path(typed)


@click.command("compare")
@click.argument("folders", metavar="DIR DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--tell",
    type=SHARE,
    metavar="PERCENT",
    default="2%",
    show_default=True,
    help="a difference that is worth telling; decides between `no difference` and `not enough runs`",
)
@click.option(
    "--fail-if-slower",
    type=SHARE,
    metavar="PERCENT",
    help="exit 1 where a DIR is slower than the first by more than this, or has too few runs to tell",
)
@click.option(
    "--drift", type=SHARE, metavar="PERCENT",
    help="what two campaigns that were not interleaved may differ by on one machine; 0: nothing  [default: measured "
    "from repeated campaigns there, else 2%]",
)  # fmt: skip
@click.option("--different-work", is_flag=True, help="compare the times of different recipes, which is not one work")
@click.option("--out", metavar="DIR", callback=_a_folder, help="write comparison.csv, .md and report.html")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "csv"]), default="text", show_default=True)
def command(
    folders: tuple[Path, ...],
    tell: float,
    fail_if_slower: float | None,
    drift: float | None,
    different_work: bool,
    out: Path | None,
    form: str,
) -> int:
    """Compare campaigns with the first one, from their records alone.

    First what differs between the machines and versions they ran on; then the fixed-work time (the train clock over the
    whole schedule), tested: slower or faster, no difference larger than X, within campaign-to-campaign drift, or not
    enough runs. Success, time to the target, epochs, energy, stalls and accuracy stand beside it, untested. A DIR is a
    campaign's folder, or several of one side as DIR,DIR,DIR; that of a `bench ab` holds both sides. How it is done:
    docs/guide/comparing.md.
    """
    from bench.report import comparison_files

    comparison = comparison_files.loaded(folders, tell, different_work=different_work, allowance_percent=drift)
    if form == "text":
        comparison_files.show(comparison, sys.stdout)
    else:
        click.echo(_text(comparison, form), nl=False)
    if out is not None:
        from bench.system.paths import make_folder

        make_folder(out)
        comparison_files.write(comparison, out)
        click.echo(f"The table and the page are in {out}.", err=form != "text")
    if fail_if_slower is None:
        return 0
    code, why = comparison_files.gate(comparison, fail_if_slower)
    click.echo(why, err=True)
    return code


def _text(comparison: Comparison, form: str) -> str:
    from bench.analysis.comparison_table import table
    from bench.report import comparison as shown
    from bench.report import comparison_files, tables

    return (
        shown.markdown(comparison)
        if form == "markdown"
        else tables.text(table(comparison), comparison_files.TABLE_FILE)
    )
