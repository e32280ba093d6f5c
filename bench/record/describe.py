"""A stored campaign in one line, and the newest of them."""

from __future__ import annotations

from pathlib import Path

from bench.errors import DataError, one_line
from bench.record import CAMPAIGN_FILE, StoredCampaign
from bench.record.experiment import KINDS, StoredAblation, StoredStalls, ab_of, kind_of


def newest(results: Path) -> Path:
    """Return the newest folder of a campaign or a comparison, a published one only where there is no other.

    Links are passed over. Raises DataError for none at all.
    """
    files = (CAMPAIGN_FILE, *(kind.file for kind in KINDS))
    for place in (results, results / "published"):
        # Names begin with the time in UTC, so their order is that of the campaigns.
        folders = (path.parent for name in files for path in place.glob(f"*/{name}"))
        found = sorted(folder for folder in folders if not folder.is_symlink())
        if found:
            return found[-1]
    raise DataError(f"there is no campaign under {results.name}/ yet", "type `make bench`, or name a folder")


def describe(campaign: StoredCampaign) -> str:
    """Return in one line what a campaign trains, on what data and device, and whether it is finished."""
    wanted = campaign.configuration
    data = wanted.dataset if wanted.dataset_state == wanted.dataset else f"{wanted.dataset} ({wanted.dataset_state})"
    # A campaign may be configured with `auto`; a run knows what that became.
    run = next((record for record in campaign.records if record.precision is not None), None)
    device = run.device.get("name") if run else wanted.device
    precision = run.precision if run else wanted.precision
    line = one_line(f"{wanted.recipe} on {data}, {device}, {precision}, input {wanted.input}")
    kind = kind_of(campaign.folder.absolute().parent)
    if kind is StoredStalls:
        return f"{line}; one side of a comparison of inputs, each run ended after a few epochs"
    pairs = ab_of(campaign.folder)
    if pairs is not None:
        ended = "" if pairs.epochs is None else f", each run ended after epoch {pairs.epochs}"
        return f"{line}; one side of an A/B{ended}"
    left = len(campaign.left)
    again = "make ablate" if kind is StoredAblation else "make bench"
    return f"{line}; unfinished: {left} of {len(campaign.seeds)} seeds are left, `{again}` continues" if left else line


def title(campaign: StoredCampaign) -> str:
    """Return what a campaign is, for a picture or a table that leaves its folder."""
    return describe(campaign) + (" (not a CIFAR-10 result)" if campaign.configuration.dataset == "synthetic" else "")
