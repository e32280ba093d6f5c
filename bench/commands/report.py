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

from bench.commands import _claims, _exports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from bench.record import Record, StoredCampaign

RESULTS = Path(__file__).parents[2] / "results"


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
    type=click.Choice(_exports.FORMATS),
    multiple=True,
    default=(_exports.CSV,),
    help="csv: runs.csv, epochs.csv and summary.csv, which are always written; markdown: the summary, to paste, is "
    "printed instead of the usual one; parquet: the three tables as .parquet, too; may be given twice",
)
@_claims.options
def command(
    folder: Path | None, plot: Path | None, figures: Path | None, figures_as: str, forms: tuple[str, ...], **claims: Any
) -> None:  # fmt: skip
    """Make a campaign's records and tables fit its events, and print its summary; or an ablation's, or those of
    `bench stalls` or `bench ab`.

    DIR is a campaign's folder; without it the one in OUT is meant, or else the newest under results/. Given an author,
    an e-mail address and the hardware, the DAWNBench pair is written, too.
    """
    from bench.checks import judged
    from bench.commands import _results
    from bench.dawnbench.claims import missing
    from bench.errors import printable
    from bench.record import ABLATION_FILE, holds, load_campaign
    from bench.record.ab import AB_FILE
    from bench.record.stalls import STALLS_FILE

    _exports.require(forms)
    folder = folder or newest(RESULTS)
    asked = any((plot, figures, *claims.values(), *(form for form in forms if form != _exports.CSV)))
    if holds(folder, ABLATION_FILE):
        _ablation(folder, asked)
        return
    if holds(folder, STALLS_FILE):
        _stalls(folder, asked)
        return
    if holds(folder, AB_FILE):
        _ab(folder, asked)
        return
    campaign = load_campaign(folder)
    claimed = _claims.together(campaign.claims, claims, folder)
    if not missing(author=claimed.author, email=claimed.email, hardware=claimed.hardware):
        campaign = load_campaign(folder, anew=True)  # A pair may come of it, and what is published goes by no seal.
    records = tuple(judged(record) for record in campaign.records)
    made = _results.campaign_tables(records, campaign.seeds, claimed.cost_per_hour)
    pasted = _exports.MARKDOWN in forms
    if pasted:
        click.echo(_exports.markdown(_title(campaign), records, made, _left_out(campaign)), nl=False)
    else:
        click.echo(f"{printable(str(folder))}: {describe(campaign)}\n")
        if records:
            _results.show_tables(records, made, sys.stdout, _left_out(campaign))
            click.echo()
    for told in _made(campaign, records, made, claimed, forms, asked=any(claims.values())):
        click.echo(printable(told), err=pasted)  # Whoever pastes the table wants nothing else with it.
    if plot is not None:
        click.echo(printable(_draw(campaign, records, plot)), err=pasted)
    if figures is not None:
        drawn = _exports.draw_figures(campaign, records, _title(campaign), figures, figures_as)
        click.echo(printable(drawn), err=pasted)


def _made(
    campaign: StoredCampaign, records: tuple[Record, ...], made: Mapping[str, pd.DataFrame], claimed: Any,
    forms: Sequence[str], asked: bool,
) -> Iterator[str]:  # fmt: skip
    """Write into the campaign's folder, each thing as its sentence is asked for; a pair may be ``asked`` for."""
    from bench.commands import _results

    if not os.access(campaign.path, os.W_OK):
        yield f"{campaign.folder} is read-only: its files were left as they are."
        return
    yield _rebuild(campaign, records, made)
    if _exports.PARQUET in forms:
        yield _exports.write_parquet(campaign.path, made)
    yield _results.write_page(campaign, records, made, claimed.cost_per_hour)
    if campaign.configuration.get("dataset") != "synthetic" and any(each.reached for each in records):
        yield _pair(campaign, records, claimed, asked)


def newest(results: Path) -> Path:
    """The newest folder of a campaign, an ablation or pairs of runs, a published one only where there is no other.

    A link is passed over: whoever wants what it leads to names it. Raises DataError for none at all.
    """
    from bench.errors import DataError
    from bench.record import ABLATION_FILE, CAMPAIGN_FILE
    from bench.record.ab import AB_FILE
    from bench.record.stalls import STALLS_FILE

    files = (CAMPAIGN_FILE, ABLATION_FILE, STALLS_FILE, AB_FILE)
    for place in (results, results / "published"):
        # Names begin with the time in UTC, so their order is that of the campaigns.
        folders = (path.parent for name in files for path in place.glob(f"*/{name}"))
        found = sorted(folder for folder in folders if not folder.is_symlink())
        if found:
            return found[-1]
    raise DataError(f"there is no campaign under {results.name}/ yet; type `make bench`, or name a folder.")


def describe(campaign: StoredCampaign) -> str:
    """What a campaign trains, on what data and device, and whether it is finished, in one line for any terminal."""
    from bench.errors import one_line
    from bench.record import ABLATION_FILE
    from bench.record import ab as sides
    from bench.record.stalls import STALLS_FILE

    asked = campaign.configuration
    recipe, dataset, state = (asked.get(key, "?") for key in ("recipe", "dataset", "dataset_state"))
    data = dataset if state == dataset else f"{dataset} ({state})"
    # A campaign may ask for `auto`; a run knows what became of it.
    run = next((record for record in campaign.records if record.precision is not None), None)
    device = run.device.get("name") if run else asked.get("device", "?")
    precision = run.precision if run else asked.get("precision", "?")
    line = one_line(f"{recipe} on {data}, {device}, {precision}, input {asked.get('input', '?')}")
    above = campaign.path.absolute().parent
    if (above / STALLS_FILE).is_file():
        return f"{line}; one side of a comparison of inputs, each run ended after a few epochs"
    pairs = sides.above(campaign.path)
    if pairs is not None:
        ended = "" if pairs.epochs is None else f", each run ended after epoch {pairs.epochs}"
        return f"{line}; one side of an A/B{ended}"
    left = len(campaign.left)
    again = "make ablate" if (above / ABLATION_FILE).is_file() else "make bench"
    return f"{line}; unfinished: {left} of {len(campaign.seeds)} seeds are left, `{again}` continues" if left else line


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
    from bench.commands import _results
    from bench.record import write_run

    for run, record in zip(campaign.runs, records, strict=True):
        write_run(run, record, durable=False)
    _results.put_tables(campaign.path, made)
    return _fits(campaign.path)


def _rebuild_whole(campaign: StoredCampaign) -> None:
    """Make the tables of a campaign that lies in a folder with others, at the price that its own claims say."""
    from bench.checks import judged
    from bench.commands import _results

    records = tuple(judged(record) for record in campaign.records)
    _rebuild(campaign, records, _results.campaign_tables(records, campaign.seeds, _results.price(campaign.claims)))


def _ablation(folder: Path, asked: bool) -> None:
    """Make the tables of an ablation and its variants' campaigns. Raises UsageError where more is ``asked`` of it."""
    from bench.commands import _results
    from bench.errors import UsageError
    from bench.record import read_ablation

    names = [each.name for each in read_ablation(folder).variants]
    if asked:
        raise UsageError(
            f"{folder} is an ablation, of which there is neither a picture nor a DAWNBench pair; name the campaign of "
            f"a variant, such as {folder / names[0]}."
        )
    writable = _rebuild_sides(folder, names)
    if writable:
        _results.write_ablation(folder)
    _results.show_ablation(folder, sys.stdout)
    _say_rebuilt(folder, writable)


def _stalls(folder: Path, asked: bool) -> None:
    """Make the tables of a measurement of the input and its sides. Raises UsageError where more is ``asked`` of it."""
    from bench.commands import _stalls as table
    from bench.errors import UsageError
    from bench.record.stalls import INPUTS

    if asked:
        raise UsageError(
            f"{folder} measures an input, of which there is neither a picture nor a DAWNBench pair; name a campaign."
        )
    writable = _rebuild_sides(folder, INPUTS)
    if writable:
        table.write(folder)
    table.show(folder, sys.stdout)
    _say_rebuilt(folder, writable)


def _ab(folder: Path, asked: bool) -> None:
    """Make the tables of an A/B and of its two campaigns. Raises UsageError where more is ``asked`` of it."""
    from bench.commands import _ab as both
    from bench.errors import UsageError
    from bench.record.ab import SIDES, read_ab

    read_ab(folder)  # Before anything is written into a folder that is damaged.
    if asked:
        raise UsageError(
            f"{folder} is an A/B, of which there is neither a picture nor a DAWNBench pair; name one of its sides, as "
            f"{folder / SIDES[0]}."
        )
    writable = _rebuild_sides(folder, SIDES)
    comparison = both.compared(folder)
    if writable:
        both.write(folder, comparison)
    both.show(comparison, sys.stdout)
    _say_rebuilt(folder, writable)


def _rebuild_sides(folder: Path, names: Sequence[str]) -> bool:
    """Make the tables of the campaigns of these names in ``folder`` that have begun; whether it can be written to."""
    from bench.record import CAMPAIGN_FILE, holds, load_campaign

    writable = os.access(folder, os.W_OK)
    begun = [folder / name for name in names if holds(folder / name, CAMPAIGN_FILE)] if writable else []
    for campaign in [load_campaign(each) for each in begun]:  # All are read before anything is written.
        _rebuild_whole(campaign)
    return writable


def _say_rebuilt(folder: Path, writable: bool) -> None:
    from bench.errors import printable

    click.echo(printable(_fits(folder) if writable else f"{folder} is read-only: its files were left as they are."))


def _fits(folder: Path) -> str:
    return f"Records and tables in {folder} fit its events."


def _title(campaign: StoredCampaign) -> str:
    """What a campaign is, for a picture or a table that leaves its folder."""
    synthetic = campaign.configuration.get("dataset") == "synthetic"
    return describe(campaign) + (" (no CIFAR-10 result)" if synthetic else "")


def _draw(campaign: StoredCampaign, records: tuple[Record, ...], path: Path) -> str:
    from bench.output import plots

    plots.write(records, path, _title(campaign))
    return f"The picture is in {path}."


def _pair(campaign: StoredCampaign, records: tuple[Record, ...], claimed: Any, asked: bool) -> str:
    """Write the DAWNBench pair or say why there is none; a refusal is an error only where a pair was asked for."""
    from bench.commands import _results
    from bench.errors import Refused

    table = recipe_table(campaign)
    try:
        return _results.write_dawnbench(
            campaign.path, records, claimed, table, campaign.folder, plan=campaign.seeds, allow_unverified_data=False
        )
    except Refused as why:
        if asked:
            raise
        return f"No DAWNBench pair: {why}"
