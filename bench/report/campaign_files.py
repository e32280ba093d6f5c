"""What becomes of a campaign's events: records with a verdict, the tables, the summary and the DAWNBench pair.

Shared by the commands that run a campaign and that report on one, so that both give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bench import record as records_on_disk
from bench.analysis import frames, ranking
from bench.dawnbench import board, candidate
from bench.errors import BenchError, EnvironmentProblem
from bench.record import Record
from bench.record.claims import price
from bench.record.describe import describe
from bench.record.ticks import RunTicks
from bench.report import html
from bench.report import ranking as ranking_report
from bench.report.facts import campaign
from bench.report.formats import console, csv
from bench.rules import with_verdict
from bench.system.paths import display_path

if TYPE_CHECKING:
    import pandas as pd

    from bench.record.ticks import TelemetrySample


def write_tables(folder: Path, cost_per_hour: float | None = None) -> tuple[Record, ...]:
    """Write ``runs.csv``, ``epochs.csv`` and ``summary.csv`` of a campaign; the judged records they are made of.

    ``cost_per_hour`` (US dollars) overrides the campaign's own claim.
    """
    stored = records_on_disk.load_campaign(folder)
    records = tuple(with_verdict(record) for record in stored.records)
    made = campaign_tables(records, stored.seeds, price(stored.claims) if cost_per_hour is None else cost_per_hour)
    put_tables(folder, made)
    return records


def campaign_tables(
    records: Sequence[Record], plan: Collection[int], cost_per_hour: float | None = None
) -> dict[str, pd.DataFrame]:
    """The frames of judged records by name: ``runs``, ``epochs`` and ``summary``; ``plan`` are the seeds asked for."""
    runs = frames.runs(records, cost_per_hour)
    return {"runs": runs, "epochs": frames.epochs(records), "summary": frames.summary(runs, plan)}


def put_tables(folder: Path, made: Mapping[str, pd.DataFrame]) -> None:
    """Write each frame as the CSV file of its name. Raises EnvironmentProblem where the disk does not take one."""
    for name, frame in made.items():
        csv.write_table(frame, folder / f"{name}.csv")


def write_all(
    folder: Path, notes_on: Callable[[Sequence[Record]], Sequence[str]] = lambda records: ()
) -> tuple[tuple[Record, ...], str]:
    """Write the tables and the page of a campaign; return the records with their verdicts, and where the page is.

    The records are folded ``rebuild``, as a DAWNBench pair may be made of them.
    """
    stored = records_on_disk.load_campaign(folder, rebuild=True)
    records = tuple(with_verdict(record) for record in stored.records)
    made = campaign_tables(records, stored.seeds, price(stored.claims))
    put_tables(folder, made)
    return records, write_page(facts_of(stored, records, made, price(stored.claims), notes_on(records)))


def facts_of(
    stored: records_on_disk.StoredCampaign,
    records: Sequence[Record],
    made: Mapping[str, pd.DataFrame],
    cost_per_hour: float | None,
    notes: Sequence[str] = (),
) -> campaign.CampaignFacts:
    """Return the facts of a stored campaign from its tables; ``notes`` are further sentences about it."""
    synthetic = stored.configuration.get("dataset") == "synthetic"
    title = describe(stored) + (" (not a CIFAR-10 result)" if synthetic else "")
    rank = _rank(stored, cost_per_hour)
    planned = len(stored.seeds)
    return campaign.of_campaign(
        records, made, title, notes, planned=planned, rank=rank, campaign=stored, ticks=ticks_of(stored)
    )


def write_page(facts: campaign.CampaignFacts) -> str:
    """Write ``report.html`` of a campaign; where it is, in a sentence, or why there is none."""
    if facts.campaign is None:
        raise ValueError("a page is of a stored campaign")
    path = facts.campaign.path / html.PAGE_FILE
    try:
        html.write_campaign(path, facts)
    except EnvironmentProblem as why:  # Everything else is written: the page can be made later.
        return f"No page: {why}"
    return f"Charts and tables on one page: {display_path(path)}"


def ticks_of(stored: records_on_disk.StoredCampaign) -> Mapping[int | None, Sequence[TelemetrySample]]:
    """What the sampler read, by seed, as it is asked for."""
    return RunTicks({run.record.seed: run.folder / records_on_disk.TELEMETRY_FILE for run in stored.runs})


def _rank(stored: records_on_disk.StoredCampaign, cost_per_hour: float | None) -> list[tuple[str, str]]:
    """A campaign's place on the board, in sentences with a word before each; none where it can have no place."""
    try:
        asked = candidate.of_campaign(stored, cost_per_hour)
    except BenchError:
        return []
    found = ranking.rank(
        asked.sample,
        asked.cost_per_hour_usd,
        board.entries(),
        lambda each: each.seconds,
        lambda each: each.cost_usd,
    )
    return [
        *((label, text.plain) for label, text in ranking_report.lines(asked.candidate, found)),
        ("Board", ranking_report.THE_BOARD),
    ]


def show(
    records: Sequence[Record], plan: Collection[int], out: TextIO, cost_per_hour: float | None = None,
    notes: Sequence[str] = (),
) -> None:  # fmt: skip
    """Print the summary of a campaign of which the seeds of ``plan`` were asked for; ``cost_per_hour`` is the price of
    its machine in US dollars.
    """

    made = campaign_tables(records, plan, cost_per_hour)
    console.write(campaign.of_campaign(records, made, notes=notes), out)
