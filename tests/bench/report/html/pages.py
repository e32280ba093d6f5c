"""Pages of made-up campaigns, for tests of what is on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from bench.analysis.comparison import Side, compare
from bench.record import Record, StoredCampaign
from bench.record.describe import describe
from bench.record.ticks import TelemetrySample
from bench.report import html
from bench.report.campaign_files import campaign_tables
from bench.report.facts.campaign import of_campaign
from bench.report.facts.comparison import of_comparison
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import CONFIGURATION, Run

WAITS = {"edges_us": [10.0, 100.0, 1000.0], "counts": [1, 90, 5, 1], "floor_us": 20.0, "sum_us": 9000.0}


def stored(runs: Sequence[Run | Record], **changes: Any) -> StoredCampaign:
    """The campaign of these runs, as its file tells of it."""
    campaign = StoredCampaign(
        schema=1,
        configuration=replace(CONFIGURATION, precision="auto"),
        seeds=tuple(each.seed or 0 for each in runs),
        status="finished",
        created_utc="2026-03-04T05:06:07Z",
        folder=Path("/somewhere/secret/20260304T050607Z-page24-cpu"),
    )
    return replace(campaign, **changes)


def of(*runs: Run | Record, notes: Sequence[str] = (), rank: Sequence[tuple[str, str]] = (), **changes: Any) -> str:
    """The page of a campaign of these runs."""
    records = [with_verdict(each.record() if isinstance(each, Run) else each) for each in runs]
    ticks: dict[int | None, Sequence[TelemetrySample]] = {
        each.seed: found for each in runs if isinstance(each, Run) and (found := each.ticks())
    }
    campaign = stored(runs, **changes)
    tables = campaign_tables(records, campaign.seeds)
    title = describe(campaign)
    planned = len(campaign.seeds)
    return html.campaign_page(
        of_campaign(records, tables, title, notes, planned=planned, rank=rank, campaign=campaign, ticks=ticks)
    )


def of_sides(*sides: Sequence[Run], names: Sequence[str] = "ABCDEF") -> str:
    """The page of a comparison of these sides."""
    made = []
    for place, (name, runs) in enumerate(zip(names, sides, strict=False)):
        # No run stands on two sides, so each side has a time of its own.
        shifted = [replace(each, spawned_ns=each.spawned_ns + place) for each in runs]
        made.append(Side(name, f"the side {name}", tuple(with_verdict(each.record()) for each in shifted)))
    return html.comparison_page(of_comparison(compare(made)))


def watched(seed: int = 0, **changes: Any) -> Run:
    """A run beside a card that was sampled."""
    return replace(Run(seed=seed, machine=Machine()), **changes)


class _Reader(HTMLParser):
    """The text of a page, its elements, and what each table holds, with the scripts left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self._inside: list[str] = []
        self._row = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
        if tag == "tr":
            self.rows.append([])
            self._row = True
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside.pop()
        if tag == "tr":
            self._row = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            return
        self.words.append(data)
        if self._row and self.rows[-1]:
            self.rows[-1][-1] += data


def read(text: str) -> _Reader:
    """A page as a reader takes it in."""
    reader = _Reader()
    reader.feed(text)
    return reader


def facts(text: str) -> list[tuple[str, str]]:
    """The facts on a page in their order: id and words."""
    found = re.findall(r'<(li|div|p)[^>]* data-fact="([^"]*)">(.*?)</\1>', text, re.DOTALL)
    return [(key, " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())) for _, key, body in found]


def words(text: str) -> str:
    """All that a page says, in one line."""
    return " ".join(" ".join(read(text).words).split())


def own(text: str) -> str:
    """A page without plotly.js, which is nobody's words of ours."""
    begin = text.index("plotly.js (basic")
    begin = text.rindex("<script>", 0, begin) + len("<script>")
    return text[:begin] + text[text.index("</script>", begin) :]


def seeds_of(text: str) -> dict[str, list[str]]:
    """The first table of the runs on a page, by column."""
    rows = read(text).rows
    begin = next(index for index, row in enumerate(rows) if row[:2] == ["seed", "status"])
    header, cells = rows[begin], []
    for row in rows[begin + 1 :]:
        if len(row) != len(header):
            break
        cells.append(row)
    return {name: [row[place] for row in cells] for place, name in enumerate(header)}


def write(path: Path, text: str) -> Path:
    """The page on a disk."""
    path.write_text(text, encoding="utf-8")
    return path
