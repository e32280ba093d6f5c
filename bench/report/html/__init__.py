"""``report.html``: a campaign, or a comparison of some, as one file that opens from a disk without a network.

Templates escape all text, the figures are JSON that cannot end its script element, and the page's content security
policy (CSP) lets its two scripts run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.analysis import figures, frames
from bench.record import replace_file
from bench.report.facts.campaign import CampaignFacts
from bench.report.facts.comparison import ComparisonFacts
from bench.report.html import cells, data, fingerprint, provenance

PAGE_FILE = "report.html"
_HERE = Path(__file__).parent
#: It keeps what it has compiled: several pages are written by a command that compares.
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def write_campaign(path: Path, facts: CampaignFacts) -> None:
    """Write the page of a campaign. Raises EnvironmentProblem for a full disk."""
    replace_file(path, campaign_page(facts))


def write_comparison(path: Path, facts: ComparisonFacts) -> None:
    """Write the page of a comparison. Raises EnvironmentProblem as ``write_campaign`` does."""
    replace_file(path, comparison_page(facts))


def campaign_page(facts: CampaignFacts) -> str:
    """Return the page of a stored campaign."""
    campaign, records, runs = facts.campaign, facts.records, facts.tables["runs"]
    if campaign is None:
        raise ValueError("a page is of a stored campaign")
    return _page(
        "campaign.html.j2",
        figures.campaign(records, facts.ticks),
        title=f"{provenance.name(campaign, records)}: time to accuracy",
        facts=facts,
        seeds=len(campaign.seeds),
        table=cells.of_runs(runs),
        fingerprint=fingerprint.of_runs(records),
        provenance=provenance.of_campaign(campaign, records),
    )


def comparison_page(facts: ComparisonFacts) -> str:
    """Return the page of a comparison."""
    sides = facts.comparison.sides
    return _page(
        "comparison.html.j2",
        figures.comparison(sides),
        title=f"Comparison: {' and '.join(each.name for each in sides)}",
        facts=facts,
        tables=[(each.name, cells.of_runs(frames.runs(each.records))) for each in sides],
        fingerprint=fingerprint.of_sides(facts.comparison),
        provenance=provenance.of_comparison(facts.comparison),
    )


def _page(template: str, drawn: Sequence[figures.Figure], **content: Any) -> str:
    plotly, script = _inline(_HERE / "vendor" / "plotly-basic.min.js"), _own_script()
    return _TEMPLATES.get_template(template).render(
        figures=drawn,
        figures_json=data.script_json(
            {"dark": figures.DARK, "figures": [each.json() for each in drawn if not each.empty]}
        ),
        cell=cells.text,
        style=_inline(_HERE / "page.css"),
        plotly=plotly,
        script=script,
        script_hashes=[_hash(each) for each in (plotly, script)],
        **content,
    )


def _own_script() -> str:
    """The page's own scripts as one, which leaves no name behind."""
    parts = "\n".join(_inline(_HERE / name) for name in ("chart.js", "page.js"))
    return f'"use strict";\n(() => {{\n{parts}}})();'


def _inline(path: Path) -> str:
    return _script(path.read_text(encoding="utf-8"))


def _script(text: str) -> str:
    """Return text that cannot end its element, with line ends that stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</", "<\\/").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    """What a page's policy calls a script that may run (CSP level 2, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
