"""``python -m bench entry [DIR]``: write the DAWNBench pair of a campaign's median successful run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli.options import claims as claims_options
from bench.system.paths import RESULTS


@click.command("entry")
@click.argument("folder", metavar="[DIR]", required=False, envvar="OUT", type=click.Path(path_type=Path))
@click.option("--allow-unverified-data", is_flag=True, help="also from unverified data; the entry then says so")
@click.option(
    "--allow-uncommitted-code",
    is_flag=True,
    help="also from code without a known commit, or with changes; the entry then says so",
)
@claims_options.options
def command(
    folder: Path | None, allow_unverified_data: bool, allow_uncommitted_code: bool, **claims: Any
) -> None:  # fmt: skip
    """Write the DAWNBench pair (JSON and TSV) of a campaign's median successful run.

    DIR is a campaign's folder; without it the one in OUT is meant, or else the newest under results/. What was claimed
    when the campaign was run need not be given again.
    """
    from bench.campaign.epoch_choice import recipe_table
    from bench.dawnbench import publish
    from bench.record import describe, load_campaign

    folder = folder or describe.newest(RESULTS)
    campaign = load_campaign(folder)
    line = publish.write_entry(
        folder,
        campaign,
        claims_options.together(campaign.claims, claims),
        recipe_table(campaign),
        allow_unverified_data=allow_unverified_data,
        allow_uncommitted_code=allow_uncommitted_code,
    )
    click.echo(line)
