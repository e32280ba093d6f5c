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
from bench.report import CSV, FORMATS
from bench.system.paths import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from bench.record import Record, StoredCampaign
    from bench.record.experiment import StoredExperiment


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
    type=click.Choice(FORMATS),
    multiple=True,
    default=(CSV,),
    help="csv: runs.csv, epochs.csv and summary.csv, which are always written; markdown: the summary, to paste, is "
    "printed instead of the usual one; parquet: the three tables as .parquet, too; may be given twice",
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
    from bench.report import MARKDOWN, campaign_files, exports
    from bench.rules import with_verdict

    exports.require(forms)
    folder = folder or newest(RESULTS)
    asked = any((plot, figures, *claims.values(), *(form for form in forms if form != CSV)))
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
    pasted = MARKDOWN in forms
    notes = reproductions.notes(records)
    if pasted:
        click.echo(exports.markdown(_title(campaign), records, made, _left_out(campaign), notes), nl=False)
    else:
        click.echo(f"{printable(str(folder))}: {describe(campaign)}\n")
        if records:
            campaign_files.show_tables(records, made, sys.stdout, _left_out(campaign), notes)
            click.echo()
    for told in _made(campaign, records, made, claimed, forms, asked=any(claims.values())):
        click.echo(printable(told), err=pasted)  # Whoever pastes the table wants nothing else with it.
    if plot is not None:
        click.echo(printable(_draw(campaign, records, plot)), err=pasted)
    if figures is not None:
        drawn = exports.draw_figures(campaign, records, _title(campaign), figures, figures_as)
        click.echo("\n".join(map(printable, drawn.splitlines())), err=pasted)


def _made(
    campaign: StoredCampaign, records: tuple[Record, ...], made: Mapping[str, pd.DataFrame], claimed: Any,
    forms: Sequence[str], asked: bool,
) -> Iterator[str]:  # fmt: skip
    """Write into the campaign's folder, each thing as its sentence is asked for; a pair may be ``asked`` for."""
    from bench.campaign import reproductions
    from bench.report import PARQUET, campaign_files, exports

    if not os.access(campaign.path, os.W_OK):
        yield f"{campaign.folder} is read-only: its files were left as they are."
        return
    yield _rebuild(campaign, records, made)
    if PARQUET in forms:
        yield exports.write_parquet(campaign.path, made)
    yield campaign_files.write_page(campaign, records, made, claimed.cost_per_hour, reproductions.notes(records))
    if campaign.configuration.get("dataset") != "synthetic" and any(each.reached for each in records):
        yield _pair(campaign, records, claimed, asked)


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


def _left_out(campaign: StoredCampaign) -> list[str]:
    """What lies in a campaign's folder and is in no table, in sentences."""
    from bench.record import EVENTS_FILE

    names = campaign.without_events
    if not names:
        return []
    return [f"no {EVENTS_FILE} in {', '.join(names)}, so no table tells of {'it' if len(names) == 1 else 'them'}"]


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
    return f"Records and tables in {folder} fit its events."


def _title(campaign: StoredCampaign) -> str:
    """What a campaign is, for a picture or a table that leaves its folder."""
    from bench.record.describe import describe

    synthetic = campaign.configuration.get("dataset") == "synthetic"
    return describe(campaign) + (" (no CIFAR-10 result)" if synthetic else "")


def _draw(campaign: StoredCampaign, records: tuple[Record, ...], path: Path) -> str:
    from bench.analysis.figures import accuracy
    from bench.report import pictures

    pictures.write_one(accuracy.of_campaign(records), path, _title(campaign))
    return f"The picture is in {path}."


def _pair(campaign: StoredCampaign, records: tuple[Record, ...], claimed: Any, asked: bool) -> str:
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
