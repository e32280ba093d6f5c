"""``report.html``: a campaign, or a comparison of some, as one file that opens from a disk without a network.

Templates escape whatever they are given, the figures travel as JSON that no parser takes for anything else, and the
page's own policy (a CSP) lets its two scripts run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.analysis import figures, frames
from bench.record import Record, StoredCampaign, replace_file
from bench.record.ticks import TelemetrySample
from bench.report.html import cells, data, fingerprint, headline, provenance

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison

PAGE_FILE = "report.html"
_HERE = Path(__file__).parent


def write_campaign(
    path: Path,
    campaign: StoredCampaign,
    records: Sequence[Record],
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    ticks: Mapping[int | None, Sequence[TelemetrySample]] | None = None,
    notes: Sequence[str] = (),
    rank: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the page of a campaign: its judged records, the frames made of them, and what the sampler read by seed.

    ``notes`` are sentences about the campaign that no single record knows, ``rank`` those about its place on the
    board, each with a word before it. Raises EnvironmentProblem where the disk does not take it.
    """
    replace_file(path, campaign_page(campaign, records, runs, summary, ticks=ticks, notes=notes, rank=rank))


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write the page of a comparison. Raises EnvironmentProblem as ``write_campaign`` does."""
    replace_file(path, comparison_page(comparison))


def campaign_page(
    campaign: StoredCampaign,
    records: Sequence[Record],
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    ticks: Mapping[int | None, Sequence[TelemetrySample]] | None = None,
    notes: Sequence[str] = (),
    rank: Sequence[tuple[str, str]] = (),
) -> str:
    """The page of a campaign as text."""
    return _page(
        "campaign.html.j2",
        figures.campaign(records, ticks or {}),
        title=f"{provenance.name(campaign, records)}: time to accuracy",
        headline=headline.of_campaign(campaign, records, runs, summary, notes),
        table=cells.of_runs(runs),
        fingerprint=fingerprint.of_runs(records),
        rank=headline.facts(rank),
        provenance=provenance.of_campaign(campaign, records),
    )


def comparison_page(comparison: Comparison) -> str:
    """The page of a comparison as text."""
    sides = comparison.sides
    return _page(
        "comparison.html.j2",
        figures.comparison(sides),
        title=f"Comparison: {' and '.join(each.name for each in sides)}",
        headline=headline.of_comparison(comparison),
        tables=[(each.name, cells.of_runs(frames.runs(each.records))) for each in sides],
        fingerprint=fingerprint.of_sides(comparison),
        provenance=provenance.of_comparison(comparison),
    )


def _page(template: str, drawn: Sequence[figures.Figure], **content: Any) -> str:
    plotly, script = _inline(_HERE / "vendor" / "plotly-basic.min.js"), _own_script()
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(
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
    """Text that can stand inside an element of a page: none of it ends the element, and its line ends stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</", "<\\/").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    """What a page's policy calls a script that may run (CSP level 2, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
