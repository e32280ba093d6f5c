"""``python -m bench report [DIR]``: every table of a campaign, or of an ablation, made anew from its events."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.commands import _claims

if TYPE_CHECKING:
    from bench.record import Record, StoredCampaign

RESULTS = Path(__file__).parents[2] / "results"


@click.command("report")
@click.argument("folder", metavar="[DIR]", required=False, envvar="OUT", type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="draw the runs into a .svg, .png or .pdf")
@_claims.options
def command(folder: Path | None, plot: Path | None, **claims: Any) -> None:
    """Rebuild a campaign's records and tables from its events, and print its summary; or an ablation's, or those of
    `bench stalls`.

    DIR is a campaign's folder; without it the one in OUT is meant, or else the newest under results/. Given an author,
    an e-mail address and the hardware, the DAWNBench pair is written, too.
    """
    from bench.checks import judged
    from bench.commands import _results
    from bench.record import ABLATION_FILE, load_campaign
    from bench.record.stalls import STALLS_FILE

    folder = folder or newest(RESULTS)
    if (folder / ABLATION_FILE).is_file():
        _ablation(folder, asked=plot is not None or any(claims.values()))
        return
    if (folder / STALLS_FILE).is_file():
        _stalls(folder, asked=plot is not None or any(claims.values()))
        return
    campaign = load_campaign(folder)
    claimed = _claims.together(campaign.claims, claims, folder)
    records = tuple(judged(record) for record in campaign.records)
    click.echo(f"{folder}: {describe(campaign)}\n")
    if records:
        _results.show(records, sys.stdout, claimed.cost_per_hour)
        click.echo()
    writable = os.access(folder, os.W_OK)
    price = claimed.cost_per_hour
    click.echo(
        _rebuild(campaign, records, price) if writable else f"{folder} is read-only: its files were left as they are."
    )
    if plot is not None:
        _draw(campaign, records, plot)
    if writable and campaign.configuration.get("dataset") != "synthetic" and any(each.reached for each in records):
        click.echo(_pair(campaign, records, claimed, asked=any(claims.values())))


def newest(results: Path) -> Path:
    """The newest folder of a campaign, an ablation or pairs of inputs, a published one only where there is no other.

    Raises DataError for none at all.
    """
    from bench.errors import DataError
    from bench.record import ABLATION_FILE, CAMPAIGN_FILE
    from bench.record.stalls import STALLS_FILE

    files = (CAMPAIGN_FILE, ABLATION_FILE, STALLS_FILE)
    for place in (results, results / "published"):
        # Names begin with the time in UTC, so their order is that of the campaigns.
        found = sorted(path.parent for name in files for path in place.glob(f"*/{name}"))
        if found:
            return found[-1]
    raise DataError(f"there is no campaign under {results.name}/ yet; type `make bench`, or name a folder.")


def describe(campaign: StoredCampaign) -> str:
    """What a campaign trains, on what data and device, and whether it is finished, in one line."""
    from bench.record import ABLATION_FILE
    from bench.record.stalls import STALLS_FILE

    asked = campaign.configuration
    recipe, dataset, state = (asked.get(key, "?") for key in ("recipe", "dataset", "dataset_state"))
    data = dataset if state == dataset else f"{dataset} ({state})"
    # A campaign may ask for `auto`; a run knows what became of it.
    run = next((record for record in campaign.records if record.precision is not None), None)
    device = run.device.get("name") if run else asked.get("device", "?")
    precision = run.precision if run else asked.get("precision", "?")
    line = f"{recipe} on {data}, {device}, {precision}, input {asked.get('input', '?')}"
    above = campaign.path.absolute().parent
    if (above / STALLS_FILE).is_file():
        return f"{line}; one side of a comparison of inputs, each run ended after a few epochs"
    done = sum(record.status == "done" for record in campaign.records)
    left = len(campaign.seeds) - done
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


def _rebuild(campaign: StoredCampaign, records: tuple[Record, ...], cost_per_hour: float | None = None) -> str:
    from bench.commands import _results
    from bench.record import RECORD_FILE, seed_folder, write

    for record in records:
        if record.seed is not None:
            write(record, seed_folder(campaign.path, record.seed) / RECORD_FILE)
    _results.write_tables(campaign.path, cost_per_hour)
    return f"Records and tables in {campaign.folder} are rebuilt from its events."


def _ablation(folder: Path, asked: bool) -> None:
    """Rebuild an ablation and the campaigns of its variants. Raises UsageError where more is ``asked`` of it."""
    from bench.checks import judged
    from bench.commands import _results
    from bench.errors import UsageError
    from bench.record import CAMPAIGN_FILE, load_campaign, read_ablation

    names = [each.name for each in read_ablation(folder).variants]
    begun = [name for name in names if (folder / name / CAMPAIGN_FILE).is_file()]
    if asked:
        raise UsageError(
            f"{folder} is an ablation, of which there is neither a picture nor a DAWNBench pair; name the campaign of "
            f"a variant, such as {folder / names[0]}."
        )
    writable = os.access(folder, os.W_OK)
    if writable:
        for name in begun:
            campaign = load_campaign(folder / name)
            _rebuild(campaign, tuple(judged(record) for record in campaign.records))
        _results.write_ablation(folder)
    _results.show_ablation(folder, sys.stdout)
    done = f"Records and tables in {folder} are rebuilt from its events."
    click.echo(done if writable else f"{folder} is read-only: its files were left as they are.")


def _stalls(folder: Path, asked: bool) -> None:
    """Rebuild a measurement of the input and its two campaigns. Raises UsageError where more is ``asked`` of it."""
    from bench.checks import judged
    from bench.commands import _stalls as table
    from bench.errors import UsageError
    from bench.record import CAMPAIGN_FILE, load_campaign
    from bench.record.stalls import INPUTS

    if asked:
        raise UsageError(
            f"{folder} measures an input, of which there is neither a picture nor a DAWNBench pair; name a campaign."
        )
    writable = os.access(folder, os.W_OK)
    if writable:
        for name in INPUTS:
            if (folder / name / CAMPAIGN_FILE).is_file():
                campaign = load_campaign(folder / name)
                _rebuild(campaign, tuple(judged(record) for record in campaign.records))
        table.write(folder)
    table.show(folder, sys.stdout)
    done = f"Records and tables in {folder} are rebuilt from its events."
    click.echo(done if writable else f"{folder} is read-only: its files were left as they are.")


def _draw(campaign: StoredCampaign, records: tuple[Record, ...], path: Path) -> None:
    from bench.output import plots

    synthetic = campaign.configuration.get("dataset") == "synthetic"
    plots.write(records, path, describe(campaign) + (" (no CIFAR-10 result)" if synthetic else ""))
    click.echo(f"The picture is in {path}.")


def _pair(campaign: StoredCampaign, records: tuple[Record, ...], claimed: Any, asked: bool) -> str:
    """Write the DAWNBench pair or say why there is none; a refusal is an error only where a pair was asked for."""
    from bench.commands import _results
    from bench.errors import Refused

    table = recipe_table(campaign)
    try:
        return _results.write_dawnbench(
            campaign.path, records, claimed, table, campaign.folder, allow_unverified_data=False
        )
    except Refused as why:
        if asked:
            raise
        return f"No DAWNBench pair: {why}"
