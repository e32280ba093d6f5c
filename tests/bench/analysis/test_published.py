"""What was published before a column was added reads as it did, and gives the same values in the columns it had."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from bench.analysis import frames
from bench.analysis.columns import FILES
from bench.output import tables
from bench.record import LEAST_TICKS, load_campaign

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
CAMPAIGNS = sorted(path.parent for path in PUBLISHED.rglob("campaign.json") if (path.parent / "runs.csv").is_file())
#: What newer rules say of an old run may be more.
JUDGED = {"verdict", "verdict_reasons", "rules", "suspect", "invalid"}

#: A run's stalls were those of all its epochs at first, and are those after the first epoch.
STALLS_OF_RUNS = {"stall_seconds", "stall_share"}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def told_now(old: dict[str, str]) -> dict[str, str]:
    """A row of epochs as it is to be: a quantity of too few ticks was told at first, and only their number is now."""
    few = {name.removesuffix("_ticks") for name, cell in old.items() if few_ticks(name, cell)}
    gone = {f"{name}_{figure}" for name in few for figure in ("mean", "median", "max")}
    return {name: "" if name in gone else cell for name, cell in old.items()}


def digits(row: dict[str, str]) -> dict[str, str]:
    """A row with its numbers to 10 digits, as far as scipy before 1.17 had Student's quantiles right."""
    return {key: f"{float(cell):.10g}" if is_number(cell) else cell for key, cell in row.items()}


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def few_ticks(name: str, cell: str) -> bool:
    return name.endswith("_ticks") and name != "telemetry_ticks" and cell != "" and int(cell) < LEAST_TICKS


@pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda path: str(path.relative_to(PUBLISHED)))
def test_published_tables_keep_their_values(folder: Path) -> None:
    records = load_campaign(folder).records
    runs = frames.runs(records)
    made = {"runs.csv": runs, "epochs.csv": frames.epochs(records), "summary.csv": frames.summary(runs)}
    for name, frame in made.items():
        before, now = rows((folder / name).read_text()), rows(tables.text(frame, FILES[name]))
        before = [told_now(old) for old in before] if name == "epochs.csv" else before
        other = JUDGED if name == "epochs.csv" else JUDGED | STALLS_OF_RUNS
        kept = [{key: row[key] for key in old if key not in other} for old, row in zip(before, now, strict=True)]
        published = [{key: value for key, value in old.items() if key not in other} for old in before]
        assert [digits(row) for row in kept] == [digits(row) for row in published]


def test_something_was_published() -> None:
    assert len(CAMPAIGNS) > 1
