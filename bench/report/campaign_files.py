"""What becomes of a campaign's events: records with a verdict, the tables, the summary and the DAWNBench pair.

Shared by the commands that run a campaign and that report on one, so that both give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bench import record as records_on_disk
from bench.analysis import config_diff, first_run, frames, ranking
from bench.analysis.frames import CONFIGURATION
from bench.dawnbench import board, candidate
from bench.errors import BenchError, EnvironmentProblem
from bench.record import Record
from bench.record.claims import price
from bench.record.run_ticks import RunTicks
from bench.report import console, html, tables
from bench.report import ranking as ranking_report
from bench.rules import with_verdict
from bench.system.paths import display_path

if TYPE_CHECKING:
    import pandas as pd

    from bench.record.ticks import TelemetrySample


def write_tables(folder: Path, cost_per_hour: float | None = None) -> tuple[Record, ...]:
    """Write ``runs.csv``, ``epochs.csv`` and ``summary.csv`` of a campaign; the judged records they are made of.

    ``cost_per_hour`` (US dollars) is said now; without it the campaign's own claim holds.
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
        tables.write(frame, folder / f"{name}.csv")


def write_all(
    folder: Path, notes_on: Callable[[Sequence[Record]], Sequence[str]] = lambda records: ()
) -> tuple[tuple[Record, ...], str]:
    """Write the tables and the page of a campaign: the judged records they are made of, and where the page is.

    The records are folded ``rebuild``, as a DAWNBench pair may be made of them.
    """
    stored = records_on_disk.load_campaign(folder, rebuild=True)
    records = tuple(with_verdict(record) for record in stored.records)
    made = campaign_tables(records, stored.seeds, price(stored.claims))
    put_tables(folder, made)
    return records, write_page(stored, records, made, price(stored.claims), notes_on(records))


def write_page(
    campaign: records_on_disk.StoredCampaign,
    records: Sequence[Record],
    made: Mapping[str, pd.DataFrame],
    cost_per_hour: float | None,
    notes: Sequence[str] = (),
) -> str:
    """Write ``report.html`` of a campaign from its tables; where it is, in a sentence, or why there is none."""
    path = campaign.path / html.PAGE_FILE
    notes, rank = [*notes_of(records, made["summary"]), *notes], _rank(campaign, cost_per_hour)
    try:
        html.write_campaign(
            path, campaign, records, made["runs"], made["summary"], ticks=ticks_of(campaign), notes=notes, rank=rank
        )
    except EnvironmentProblem as why:  # Everything it is made of is there: it can be made when the trouble is over.
        return f"No page: {why}"
    return f"Charts and tables on one page: {display_path(path)}"


def ticks_of(campaign: records_on_disk.StoredCampaign) -> Mapping[int | None, Sequence[TelemetrySample]]:
    """What the sampler read, by seed, as it is asked for."""
    return RunTicks({run.record.seed: run.folder / records_on_disk.TELEMETRY_FILE for run in campaign.runs})


def _rank(campaign: records_on_disk.StoredCampaign, cost_per_hour: float | None) -> list[tuple[str, str]]:
    """A campaign's place on the board, in sentences with a word before each; none where it can have no place."""
    try:
        asked = candidate.of_campaign(campaign, cost_per_hour)
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

    runs = frames.runs(records, cost_per_hour)
    show_tables(records, {"runs": runs, "summary": frames.summary(runs, plan)}, out, after=notes)


def show_tables(
    records: Sequence[Record], made: Mapping[str, pd.DataFrame], out: TextIO, notes: Sequence[str] = (),
    after: Sequence[str] = (),
) -> None:  # fmt: skip
    """Print the summary of a campaign from the tables of its records, with ``notes`` before those that they tell."""
    console.show(records, made["runs"], made["summary"], out, [*notes, *notes_of(records, made["summary"]), *after])


def notes_of(records: Sequence[Record], summary: pd.DataFrame) -> list[str]:
    """The sentences about a campaign that no single record knows."""
    notes = []
    if len(summary) > 1:
        notes.append(f"the runs are of {len(summary)} configurations, each with figures of its own: {_told(summary)}")
    differing = config_diff.conflicting_keys(records)
    notes += [f"the runs differ in {', '.join(differing)}, so they are no one sample"] if differing else []
    slow = first_run.note(records)
    notes += [] if slow is None else [slow]
    return notes


def _told(summary: pd.DataFrame) -> str:
    """In what the rows of a summary differ: `recipe (hive, page24), dataset (cifar10, synthetic)`."""
    values = {key: list(dict.fromkeys(summary[key].astype("string").fillna("unknown"))) for key in CONFIGURATION}
    return ", ".join(f"{key} ({', '.join(each)})" for key, each in values.items() if len(each) > 1)
