"""That many runs are made of a published campaign as they should be, become tables, and their growth is told right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record import load_campaign
from bench.report.formats.csv import read_table
from tests.perf.report import SOURCE, Measured, growth, measure, multiply, report


def measured(runs: int, seconds: float, rebuild: bool = True) -> Measured:
    return Measured(runs, rebuild, 2 * seconds, seconds, 100 * 2**20)


def test_copies_are_runs_of_other_seeds(tmp_path: Path) -> None:
    multiply(SOURCE, 7, tmp_path / "c")
    records = load_campaign(tmp_path / "c").records
    originals = load_campaign(SOURCE).records
    assert [record.seed for record in records] == list(range(7))
    assert [each.epochs for each in records] == [originals[seed % 5].epochs for seed in range(7)]
    assert all(record.telemetry.sampling.ticks for record in records)


@pytest.mark.slow
def test_tables_are_made_by_a_process_of_its_own_anew_and_again(tmp_path: Path) -> None:
    multiply(SOURCE, 6, tmp_path / "c")
    first, second = (measure(tmp_path / "c", 6) for _ in range(2))
    assert (first.rebuild, second.rebuild) == (True, False)
    assert min(first.cpu_seconds, second.cpu_seconds) > 0 and first.peak_bytes > 2**20
    assert len(read_table(tmp_path / "c" / "runs.csv")) == 6


def test_growth_leaves_the_price_of_starting_out() -> None:
    assert growth([measured(100, 1.1), measured(1_000, 2.0), measured(10_000, 11.0)]) == pytest.approx(1.0)
    squared = [measured(runs, 1 + (runs - 100) ** 2) for runs in (100, 1_000, 10_000)]
    assert growth(squared) == pytest.approx(2.0)


def test_report_tells_every_measurement_and_its_growth() -> None:
    found = [measured(runs, 1 + runs / 1000, rebuild) for runs in (100, 1_000, 10_000) for rebuild in (True, False)]
    lines = report(found).splitlines()
    assert lines[1].split() == ["100", "anew", "2.20", "1.10", "11.00", "100"]
    assert lines[-2:] == [
        "anew: CPU time grows with the runs to the power of 1.00 (1 is linear)",
        "again: CPU time grows with the runs to the power of 1.00 (1 is linear)",
    ]
