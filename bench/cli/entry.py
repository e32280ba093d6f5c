"""``python -m bench entry [DIR]``: write the DAWNBench pair of a campaign's median successful run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.cli import report
from bench.cli.options import claims as claims_options
from bench.system.paths import RESULTS


@click.command("entry")
@click.argument("folder", metavar="[DIR]", required=False, envvar="OUT", type=click.Path(path_type=Path))
@click.option("--allow-unverified-data", is_flag=True, help="also from data nobody verified; the entry then says so")
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
    from bench.dawnbench import publish
    from bench.dawnbench.claims import missing
    from bench.errors import Refused, UsageError
    from bench.record import describe, load_campaign
    from bench.rules import with_verdict

    folder = folder or describe.newest(RESULTS)
    campaign = load_campaign(folder, rebuild=True)
    claimed = claims_options.together(campaign.claims, claims, folder)
    lacking = missing(author=claimed.author, email=claimed.email, hardware=claimed.hardware)
    if lacking:
        raise UsageError(
            f"a DAWNBench entry needs to know more: type `make report {' '.join(lacking)}` with your values."
        )
    if campaign.configuration.get("dataset") == "synthetic":
        raise Refused(f"{folder} was trained on the built-in stand-in, which is no CIFAR-10 result and makes no entry.")
    records = tuple(with_verdict(record) for record in campaign.records)
    if not any(each.reached and each.verdict and each.verdict.level != "invalid" for each in records):
        raise Refused(f"no run in {folder} that is to be believed reached the target, so there is no time to enter.")
    table = report.recipe_table(campaign)
    line = publish.write_dawnbench(
        folder,
        records,
        claimed,
        table,
        str(folder),
        plan=campaign.seeds,
        allow_unverified_data=allow_unverified_data,
        allow_uncommitted_code=allow_uncommitted_code,
    )
    click.echo(line)
