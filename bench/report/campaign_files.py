"""The report of a campaign: records with verdicts, tables, page and DAWNBench pair, each made once from its events.

Shared by the commands that run a campaign and that report on one, so that both give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from bench import record as records_on_disk
from bench.analysis import frames
from bench.dawnbench import candidate, publish
from bench.errors import BenchError, EnvironmentProblem, Refused
from bench.record import RECORD_FILE, Record, StoredCampaign
from bench.record.claims import Claims
from bench.record.describe import title
from bench.record.ticks import RunTicks
from bench.report import html
from bench.report import ranking as ranking_report
from bench.report.facts.campaign import CampaignFacts, of_campaign
from bench.report.formats import console, csv
from bench.rules import with_verdict
from bench.system.paths import display_path

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CampaignReport:
    """A campaign and its facts; ``claims`` are its own with what was given on the command line in their place."""

    campaign: StoredCampaign
    facts: CampaignFacts
    claims: Claims

    @property
    def records(self) -> Sequence[Record]:
        """The records, with verdicts."""
        return self.facts.records

    @property
    def has_result(self) -> bool:
        """Whether a run reached the target on CIFAR-10."""
        synthetic = self.campaign.configuration.dataset == "synthetic"
        return not synthetic and any(each.reached for each in self.records)

    def write(self) -> None:
        """Write ``record.json`` of each run and the CSV tables. Raises EnvironmentProblem for a full disk."""
        for run, record in zip(self.campaign.runs, self.records, strict=True):
            records_on_disk.write(record, run.folder / RECORD_FILE, durable=False)
        for name, frame in self.facts.tables.items():
            csv.write_table(frame, self.campaign.folder / f"{name}.csv")

    def write_page(self) -> str:
        """Write ``report.html`` and return a sentence: where it is, or why there is none."""
        path = self.campaign.folder / html.PAGE_FILE
        try:
            html.write_campaign(path, self.facts)
        except EnvironmentProblem as why:  # Everything else is written: the page can be made later.
            return f"No page: {why}"
        return f"Charts and tables on one page: {display_path(path)}"

    def write_pair(self, recipe: Mapping[str, Any], shown_folder: str, requested: bool, **allowed: bool) -> str:
        """Write the DAWNBench pair and return a sentence: where it is, or why there is none.

        ``recipe`` is its whole table. Raises Refused only where a pair was ``requested``.
        """
        folder, plan = self.campaign.folder, self.campaign.seeds
        try:
            return publish.write_dawnbench(
                folder, self.records, self.claims, dict(recipe), shown_folder, plan=plan, **allowed
            )
        except Refused as why:
            if requested:
                raise
            return f"No DAWNBench pair: {why}"

    def show(self, out: TextIO) -> None:
        """Print the summary."""
        console.write(self.facts, out)


def build(
    campaign: StoredCampaign,
    claims: Claims | None = None,
    notes_on: Callable[[Sequence[Record]], Sequence[str]] = lambda records: (),
) -> CampaignReport:
    """Return the report of a loaded campaign; ``notes_on`` gives further sentences about its judged records."""
    claims = claims or campaign.claims
    records = tuple(with_verdict(record) for record in campaign.records)
    facts = of_campaign(
        records,
        campaign_tables(records, campaign.seeds, claims.price),
        title(campaign),
        notes_on(records),
        planned=len(campaign.seeds),
        rank=_rank(campaign, records, claims.price),
        campaign=campaign,
        ticks=RunTicks({run.record.seed: run.folder / records_on_disk.TELEMETRY_FILE for run in campaign.runs}),
    )
    return CampaignReport(campaign, facts, claims)


def campaign_tables(
    records: Sequence[Record], plan: Collection[int], cost_per_hour: float | None = None
) -> dict[str, pd.DataFrame]:
    """Return the frames ``runs``, ``epochs`` and ``summary`` of judged records; ``plan`` are the requested seeds."""
    runs = frames.runs(records, cost_per_hour)
    return {"runs": runs, "epochs": frames.epochs(records), "summary": frames.summary(runs, plan)}


def _rank(campaign: StoredCampaign, records: Sequence[Record], price: float | None) -> list[tuple[str, str]]:
    """Return the campaign's position on the board in labelled sentences; none where it can have no position."""
    try:
        found = candidate.of_campaign(campaign, records, price)
    except BenchError:
        return []
    return [*ranking_report.lines(found), ("Board", ranking_report.THE_BOARD)]
