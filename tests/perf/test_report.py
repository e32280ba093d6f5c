"""That many runs are made of a published campaign as they should be, become tables, and their growth is told right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record import load_campaign
from bench.report.formats.csv import read_table
from tests.perf.report import SOURCE, Measured, growth, measure, multiply, report


def measured(runs: int, seconds: float) -> Measured:
    return Measured(runs, 2 * seconds, seconds, 100 * 2**20)


def test_copies_are_runs_of_other_seeds(tmp_path: Path) -> None:
    multiply(SOURCE, 7, tmp_path / "c")
    records = load_campaign(tmp_path / "c").records
    originals = load_campaign(SOURCE).records
    assert [record.seed for record in records] == list(range(7))
    assert [each.epochs for each in records] == [originals[seed % 5].epochs for seed in range(7)]
    assert all(record.telemetry.sampling.ticks for record in records)


@pytest.mark.slow
def test_tables_are_made_by_a_process_of_its_own(tmp_path: Path) -> None:
    multiply(SOURCE, 6, tmp_path / "c")
    found = measure(tmp_path / "c", 6)
    assert found.cpu_seconds > 0 and found.peak_bytes > 2**20
    assert len(read_table(tmp_path / "c" / "runs.csv")) == 6


def test_growth_leaves_the_price_of_starting_out() -> None:
    assert growth([measured(100, 1.1), measured(1_000, 2.0), measured(10_000, 11.0)]) == pytest.approx(1.0)
    squared = [measured(runs, 1 + (runs - 100) ** 2) for runs in (100, 1_000, 10_000)]
    assert growth(squared) == pytest.approx(2.0)


def test_report_tells_every_measurement_and_its_growth() -> None:
    lines = report([measured(runs, 1 + runs / 1000) for runs in (100, 1_000, 10_000)]).splitlines()
    assert lines[1].split() == ["100", "2.20", "1.10", "11.00", "100"]
    assert lines[-1] == "CPU time grows with the runs to the power of 1.00 (1 is linear)"
