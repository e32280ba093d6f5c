"""A stored campaign in one line, and the newest of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import DataError, one_line
from bench.record import CAMPAIGN_FILE
from bench.record.experiment import KINDS, StoredAblation, StoredStalls, ab_of, kind_of

if TYPE_CHECKING:
    from bench.record import StoredCampaign


def newest(results: Path) -> Path:
    """The newest folder of a campaign, an ablation or pairs of runs, a published one only where there is no other.

    A link is passed over: whoever wants what it leads to names it. Raises DataError for none at all.
    """

    files = (CAMPAIGN_FILE, *(kind.file for kind in KINDS))
    for place in (results, results / "published"):
        # Names begin with the time in UTC, so their order is that of the campaigns.
        folders = (path.parent for name in files for path in place.glob(f"*/{name}"))
        found = sorted(folder for folder in folders if not folder.is_symlink())
        if found:
            return found[-1]
    raise DataError(f"there is no campaign under {results.name}/ yet; type `make bench`, or name a folder.")


def describe(campaign: StoredCampaign) -> str:
    """What a campaign trains, on what data and device, and whether it is finished, in one line for any terminal."""
    asked = campaign.configuration
    recipe, dataset, state = (asked.get(key, "?") for key in ("recipe", "dataset", "dataset_state"))
    data = dataset if state == dataset else f"{dataset} ({state})"
    # A campaign may ask for `auto`; a run knows what became of it.
    run = next((record for record in campaign.records if record.precision is not None), None)
    device = run.device.get("name") if run else asked.get("device", "?")
    precision = run.precision if run else asked.get("precision", "?")
    line = one_line(f"{recipe} on {data}, {device}, {precision}, input {asked.get('input', '?')}")
    kind = kind_of(campaign.path.absolute().parent)
    if kind is StoredStalls:
        return f"{line}; one side of a comparison of inputs, each run ended after a few epochs"
    pairs = ab_of(campaign.path)
    if pairs is not None:
        ended = "" if pairs.epochs is None else f", each run ended after epoch {pairs.epochs}"
        return f"{line}; one side of an A/B{ended}"
    left = len(campaign.left)
    again = "make ablate" if kind is StoredAblation else "make bench"
    return f"{line}; unfinished: {left} of {len(campaign.seeds)} seeds are left, `{again}` continues" if left else line
