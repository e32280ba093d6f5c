"""``python -m bench report [DIR]``: every table of a campaign, or of an ablation, made from its events.

A record that is sealed as the fold of its events (``bench.record.seal``) is read as it is, save where a DAWNBench pair
may come of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import claims as claims_options
from bench.report import formats
from bench.system.paths import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from bench.record import Record, StoredCampaign
    from bench.record.experiment import StoredExperiment
    from bench.report.facts.campaign import CampaignFacts


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
    """Make a campaign's records and tables fit its events, and print its summary; or an ablation's, or those of
    `bench stalls` or `bench ab`.

    DIR is a campaign's folder; without it the one in OUT is meant, or else the newest under results/. Given an author,
    an e-mail address and the hardware, the DAWNBench pair is written, too.
    """
    from bench.campaign import reproductions
    from bench.dawnbench.claims import missing
    from bench.errors import printable
    from bench.record import load_campaign
    from bench.record.describe import describe, newest
    from bench.record.experiment import kind_of
    from bench.report import campaign_files
    from bench.rules import with_verdict

    for form in forms:
        formats.require(form)  # Before anything is written.
    folder = folder or newest(RESULTS)
    asked = any((plot, figures, *claims.values(), *(form for form in forms if form not in ("console", "csv"))))
    kind = kind_of(folder)
    if kind is not None:
        _experiment(kind, folder, asked)
        return
    campaign = load_campaign(folder)
    claimed = claims_options.together(campaign.claims, claims, folder)
    if not missing(author=claimed.author, email=claimed.email, hardware=claimed.hardware):
        campaign = load_campaign(folder, rebuild=True)  # A pair may come of it, and what is published goes by no seal.
    records = tuple(with_verdict(record) for record in campaign.records)
    made = campaign_files.campaign_tables(records, campaign.seeds, claimed.cost_per_hour)
    notes = reproductions.notes(records)
    facts = campaign_files.facts_of(campaign, records, made, claimed.cost_per_hour, notes)
    printed = [form for form in forms if formats.prints(form)] or ["console"]
    pasted = "console" not in printed  # Only the text to paste goes to standard output.
    if not pasted:
        click.echo(f"{printable(str(folder))}: {describe(campaign)}\n")
    for form in printed if records or pasted else ():
        formats.load(form).write(facts, sys.stdout)
    if not pasted and records:
        click.echo()
    for line in _made(facts, campaign, claimed, forms, asked=any(claims.values())):
        click.echo(printable(line), err=pasted)
    if plot is not None:
        click.echo(printable(_draw(facts, plot)), err=pasted)
    if figures is not None:
        lines = _draw_figures(facts, figures, figures_as).splitlines()
        click.echo("\n".join(map(printable, lines)), err=pasted)


def _made(
    facts: CampaignFacts, campaign: StoredCampaign, claimed: Any, forms: Sequence[str], asked: bool
) -> Iterator[str]:
    """Write into the campaign's folder and yield a sentence for each thing; a pair may be ``asked`` for."""
    from bench.report import campaign_files

    if not os.access(campaign.path, os.W_OK):
        yield f"{campaign.folder} is read-only: its files were left as they are."
        return
    yield _rebuild(campaign, facts.records, facts.tables)
    for form in dict.fromkeys(forms):
        if form not in _ALWAYS and not formats.prints(form):
            names = formats.load(form).write(facts, campaign.path)
            yield f"Wrote {', '.join(names)} to {campaign.path}."
    yield campaign_files.write_page(facts)
    if campaign.configuration.get("dataset") != "synthetic" and any(each.reached for each in facts.records):
        yield _pair(campaign, facts.records, claimed, asked)


def recipe_table(campaign: StoredCampaign) -> dict[str, Any]:
    """The whole table of the campaign's recipe: as it was run, or where an old campaign does not tell, as shipped.

    Nothing where this checkout has none of that name, or another one.
    """
    from dataclasses import asdict

    from resnet9.recipe import load_all

    if campaign.recipe:
        return campaign.recipe
    known = load_all().get(str(campaign.configuration.get("recipe")))
    same = known is not None and campaign.configuration.get("recipe_sha256") in (None, known.sha256)
    return asdict(known) if same and known is not None else {}


def _rebuild(campaign: StoredCampaign, records: Sequence[Record], made: Mapping[str, pd.DataFrame]) -> str:
    from bench.record import write_run
    from bench.report import campaign_files

    for run, record in zip(campaign.runs, records, strict=True):
        write_run(run, record, durable=False)
    campaign_files.put_tables(campaign.path, made)
    return _fits(campaign.path)


def _rebuild_whole(campaign: StoredCampaign) -> None:
    """Make the tables of a campaign that lies in a folder with others, at the price that its own claims say."""
    from bench.record.claims import price
    from bench.report import campaign_files
    from bench.rules import with_verdict

    records = tuple(with_verdict(record) for record in campaign.records)
    _rebuild(
        campaign,
        records,
        campaign_files.campaign_tables(records, campaign.seeds, price(campaign.claims)),
    )


def _experiment(kind: type[StoredExperiment], folder: Path, asked: bool) -> None:
    """Rebuild the tables of an experiment and of its arms. Raises UsageError for options that only a campaign has."""
    from bench.errors import UsageError, printable
    from bench.record import read_experiment
    from bench.report import experiments

    arms = read_experiment(folder, kind).arms  # Before anything is written into a folder that is damaged.
    if asked:
        raise UsageError(
            f"{folder} is {kind.what}, of which there is neither a picture nor a DAWNBench pair; name one of its "
            f"campaigns, such as {folder / arms[0]}."
        )
    writable = _rebuild_arms(folder, arms)
    experiments.publish(folder, sys.stdout, write=writable)
    told = _fits(folder) if writable else f"{folder} is read-only: its files were left as they are."
    click.echo(printable(told))


def _rebuild_arms(folder: Path, names: Sequence[str]) -> bool:
    """Make the tables of the campaigns of these names in ``folder`` that have begun; whether it can be written to."""
    from bench.record import CAMPAIGN_FILE, holds, load_campaign

    writable = os.access(folder, os.W_OK)
    begun = [folder / name for name in names if holds(folder / name, CAMPAIGN_FILE)] if writable else []
    for campaign in [load_campaign(each) for each in begun]:  # All are read before anything is written.
        _rebuild_whole(campaign)
    return writable


def _fits(folder: Path) -> str:
    return f"Rebuilt records and tables in {folder}."


def _draw(facts: CampaignFacts, path: Path) -> str:
    from bench.analysis.figures import accuracy
    from bench.report import pictures

    pictures.write_one(accuracy.of_campaign(facts.records), path, facts.title)
    return f"The picture is in {path}."


def _draw_figures(facts: CampaignFacts, folder: Path, form: str) -> str:
    """Draw the page's figures into a folder; return what was drawn and what has no picture, in lines."""
    from bench.analysis import figures
    from bench.report import pictures

    drawn, left_out = pictures.write(figures.campaign(facts.records, facts.ticks), folder, form, facts.title)
    count = f"{len(drawn)} picture{'' if len(drawn) == 1 else 's'}"
    return "\n".join([f"Wrote {count} of the page's figures to {folder}.", *left_out])


def _pair(campaign: StoredCampaign, records: Sequence[Record], claimed: Any, asked: bool) -> str:
    """Write the DAWNBench pair or say why there is none; a refusal is an error only where a pair was asked for."""
    from bench.dawnbench import publish
    from bench.errors import Refused

    table = recipe_table(campaign)
    try:
        return publish.write_dawnbench(
            campaign.path, records, claimed, table, campaign.folder, plan=campaign.seeds, allow_unverified_data=False
        )
    except Refused as why:
        if asked:
            raise
        return f"No DAWNBench pair: {why}"
