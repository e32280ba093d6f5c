"""The published tables and records are those that the code makes of the published events: none is older than the code.

A column or a field that was added since is no difference; where one got another meaning or method, the version of the
table says so, and the derived files are made again (``make published``), in a commit of their own.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.analysis import ablation, comparison_table, stalls
from bench.analysis.columns import VERSION_COLUMN, VERSIONS
from bench.record import CAMPAIGN_FILE, RECORD_FILE, Record, load_campaign, seed_folder
from bench.record.experiment import StoredAblation, StoredStalls, load_experiment
from bench.report import campaign_files, experiments
from bench.report.formats.csv import table_text
from bench.rules import with_verdict

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
CAMPAIGNS = sorted(path.parent for path in PUBLISHED.rglob(CAMPAIGN_FILE) if (path.parent / "runs.csv").is_file())


def made_from(folder: Path) -> Sequence[Record]:
    return [with_verdict(record) for record in load_campaign(folder).records]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def digits(cell: str) -> str:
    """A cell, a number to 10 digits: a library may compute its last ones otherwise."""
    try:
        return f"{float(cell):.10g}"
    except ValueError:
        return cell


def assert_current(path: Path, frame: pd.DataFrame) -> None:
    """The file holds what is made now, in the columns that it has."""
    before, now = rows(path.read_text()), rows(table_text(frame, path.name))
    versions = {row.get(VERSION_COLUMN) for row in before}
    assert versions <= {str(VERSIONS[path.name])}, f"{path} is older than the code: type `make published`"
    for old, new in zip(before, now, strict=True):
        assert {name: digits(cell) for name, cell in old.items()} == {name: digits(new[name]) for name in old}


def assert_same(old: Any, new: Any, where: str) -> None:
    """What a file holds is what is made now; a key that is new is no difference."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name, value in old.items():
            assert_same(value, new.get(name), f"{where}.{name}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    else:
        assert old == pytest.approx(new, rel=1e-10) if isinstance(old, float) else old == new, where


@pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda path: str(path.relative_to(PUBLISHED)))
def test_a_campaigns_tables_and_records_are_those_of_its_events(folder: Path) -> None:
    records, campaign = made_from(folder), load_campaign(folder)
    made = campaign_files.campaign_tables(records, campaign.seeds, campaign.claims.price)
    for name, frame in made.items():
        assert_current(folder / f"{name}.csv", frame)
    for record in records:
        path = seed_folder(folder, record.seed or 0) / RECORD_FILE
        assert_same(json.loads(path.read_text()), json.loads(json.dumps(asdict(record))), str(path))


@pytest.mark.parametrize("path", sorted(PUBLISHED.rglob("*.csv")), ids=lambda path: str(path.relative_to(PUBLISHED)))
def test_every_other_table_is_that_of_its_runs(path: Path) -> None:
    folder = path.parent
    if path.name == "ablation.csv":
        stored, records = load_experiment(folder, StoredAblation)
        assert_current(
            path, ablation.table(stored, {name: list(map(with_verdict, each)) for name, each in records.items()})
        )
    elif path.name == "comparison.csv":
        comparison = experiments.compared(folder)
        assert comparison is not None
        assert_current(path, comparison_table.table(comparison))
    elif path.name == "stalls.csv":
        assert_current(path, stalls.table(load_experiment(folder, StoredStalls)[1]))
    else:
        assert path.name in ("runs.csv", "epochs.csv", "summary.csv", "telemetry.csv")


def test_something_was_published() -> None:
    assert len(CAMPAIGNS) > 1
