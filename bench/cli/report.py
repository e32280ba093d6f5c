"""``python -m bench report [DIR]``: every table of a campaign or of an experiment, rebuilt from its events."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from bench.cli.options import claims as claims_options
from bench.report import formats
from bench.system.paths import RESULTS

#: Formats that are written into every campaign's folder.
_ALWAYS = ("csv", "html")


class _FormatOption(click.Option):
    """An option whose help comes from the formats, which are imported only where it is printed."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and what each format is."""
        self.help = f"{formats.describe()}; may be given several times"
        return super().get_help_record(ctx)


@click.command("report")
@click.argument("folder", metavar="[DIR]", required=False, envvar="OUT", type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="draw the runs into a .svg, .png or .pdf")
@click.option(
    "--figures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="draw the figures of report.html into FOLDER, a file each",
)
@click.option("--figures-as", type=click.Choice(("svg", "png", "pdf")), default="svg", help="format of --figures")
@click.option(
    "--format",
    "forms",
    cls=_FormatOption,
    type=click.Choice(formats.NAMES),
    multiple=True,
)
@claims_options.options
def command(
    folder: Path | None, plot: Path | None, figures: Path | None, figures_as: str, forms: tuple[str, ...], **claims: Any
) -> None:  # fmt: skip
    """Rebuild a campaign's records and tables from its events and print its summary; or those of an ablation, of
    `bench stalls` or of `bench ab`.

    DIR is a campaign's folder; default: the one in OUT, or else the newest under results/. Given an author, an e-mail
    address and the hardware, the DAWNBench pair is written, too.
    """
    from bench.analysis import figures as page_figures
    from bench.campaign import reproductions
    from bench.campaign.epoch_choice import recipe_table
    from bench.errors import printable
    from bench.record import load_campaign
    from bench.record.describe import describe, newest
    from bench.report import campaign_files, pictures, rebuild

    for form in forms:
        formats.require(form)  # Before anything is written.
    folder = folder or newest(RESULTS)
    more = any((plot, figures, *claims.values(), *(form for form in forms if form not in ("console", "csv"))))
    closing = rebuild.experiment(folder, sys.stdout, more)
    if closing is not None:
        click.echo(printable(closing))
        return
    campaign = load_campaign(folder)
    made = campaign_files.build(campaign, claims_options.together(campaign.claims, claims), reproductions.notes)
    facts = made.facts
    printed = [form for form in forms if formats.prints(form)] or ["console"]
    pasted = "console" not in printed  # Only the text to paste goes to standard output.

    def say(sentence: str) -> None:
        click.echo(printable(sentence), err=pasted)

    if not pasted:
        click.echo(f"{printable(str(folder))}: {describe(campaign)}\n")
    for form in printed if facts.records or pasted else ():
        formats.load(form).write(facts, sys.stdout)
    if not pasted and facts.records:
        click.echo()
    if os.access(folder, os.W_OK):
        made.write()
        say(rebuild.rebuilt(folder))
        for form in dict.fromkeys(forms):
            if form not in _ALWAYS and not formats.prints(form):
                say(f"Wrote {', '.join(formats.load(form).write(facts, folder))} to {folder}.")
        say(made.write_page())
        if made.has_result:
            say(made.write_pair(recipe_table(campaign), str(folder), any(claims.values()), allow_unverified_data=False))
    else:
        say(rebuild.read_only(folder))
    if plot is not None:
        pictures.write_one(page_figures.accuracy.of_campaign(facts.records), plot, facts.title)
        say(f"The picture is in {plot}.")
    if figures is not None:
        drawn, left_out = pictures.write(
            page_figures.campaign(facts.records, facts.ticks), figures, figures_as, facts.title
        )
        say(f"Wrote {len(drawn)} picture{'' if len(drawn) == 1 else 's'} of the page's figures to {figures}.")
        for line in left_out:
            say(line)
