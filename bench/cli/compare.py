"""``python -m bench compare A B``: is one configuration slower than another, and with what confidence?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.cli.options.numbers import SHARE


def _a_folder(context: click.Context, parameter: click.Parameter, typed: str | None) -> Path | None:
    """Return the folder; an empty name would be the current folder."""
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
    help="smallest difference of interest; decides between `no difference` and `not enough runs`",
)
@click.option(
    "--fail-if-slower",
    type=SHARE,
    metavar="PERCENT",
    help="exit 1 if a DIR is slower than the first by more than this, or has too few runs to detect it",
)
@click.option(
    "--drift", type=SHARE, metavar="PERCENT",
    help="allowance for drift between campaigns that were not interleaved; 0 disables  [default: measured from "
    "repeated campaigns there, else 2%]",
)  # fmt: skip
@click.option(
    "--different-work", is_flag=True, help="compare the times of different recipes, although their work differs"
)
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

    Prints what differs between machines and versions, a table of the sides, and the test of the fixed-work time (the
    train clock over the whole schedule): slower or faster, no difference larger than X, within campaign-to-campaign
    drift, or not enough runs. Nothing else is tested. A DIR is a campaign's folder, or several of one side as
    DIR,DIR,DIR; the folder of a `bench ab` holds both sides. Method: docs/guide/comparing.md.
    """
    from bench.report import comparison_files

    comparison = comparison_files.loaded(folders, tell, different_work=different_work, allowance_percent=drift)
    if form == "text":
        comparison_files.show(comparison, sys.stdout)
    else:
        click.echo(comparison_files.text(comparison, form), nl=False)
    if out is not None:
        from bench.system.paths import make_folder

        make_folder(out)
        comparison_files.write(comparison, out)
        click.echo(f"Wrote comparison.csv, comparison.md and report.html to {out}.", err=form != "text")
    if fail_if_slower is None:
        return 0
    code, why = comparison_files.gate(comparison, fail_if_slower)
    click.echo(why, err=True)
    return code
