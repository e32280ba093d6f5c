"""The page of a campaign, ``report.html``; it is made by ``bench.report.html``."""

from __future__ import annotations

from pathlib import Path

from bench.report import html
from bench.report.facts.campaign import CampaignFacts

HELP = "report.html, charts and tables on one page (always written)"


def write(facts: CampaignFacts, out: Path) -> tuple[str, ...]:
    """Write the page into a folder. Raises EnvironmentProblem for a full disk."""
    html.write_campaign(out / html.PAGE_FILE, facts)
    return (html.PAGE_FILE,)
