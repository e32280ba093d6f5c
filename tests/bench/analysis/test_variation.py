"""How steadily a configuration trains, in the cells of ``summary.csv``."""

from __future__ import annotations

import math

import pytest

from bench.analysis import frames
from bench.analysis.censored import median_interval
from tests.support.records import Run

MISSED = (4000, 9000, 9100, 9200, 9300)


def row(*runs: Run) -> dict[str, object]:
    frame = frames.summary(frames.runs([run.record() for run in runs]))
    return dict(frame.iloc[0])


def some(*seconds: float) -> list[Run]:
    return [Run(seed=seed, train_seconds=each) for seed, each in enumerate(seconds)]


def test_quantiles_and_the_median_s_interval_keep_misses_infinite() -> None:
    reached = some(10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 10.7)
    misses = [Run(seed=20 + index, correct=MISSED) for index in range(2)]
    cells = row(*reached, *misses)
    # The second of ten from below and from above: what the binomial distribution allows at 95 %.
    assert cells["median_low_seconds"] == pytest.approx(41.9)
    assert cells["median_high_seconds"] == math.inf
    assert cells["quantile_10_seconds"] == pytest.approx(41.86)
    assert cells["quantile_90_seconds"] == math.inf


@pytest.mark.parametrize("runs, rank", [(6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (50, 18)])
def test_the_median_lies_between_the_values_of_these_ranks(runs: int, rank: int) -> None:
    # The table of every textbook on the sign test.
    found = median_interval([float(value) for value in range(1, runs + 1)])
    assert (found.low, found.high) == (rank, runs + 1 - rank)


@pytest.mark.parametrize("runs", [0, 1, 5])
def test_below_six_runs_a_median_has_no_interval(runs: int) -> None:
    found = median_interval([1.0] * runs)
    assert math.isnan(found.low) and math.isnan(found.high)


def test_the_spread_and_who_stands_out_are_of_the_whole_schedule() -> None:
    cells = row(*some(10.0, 10.1, 9.9, 10.05, 20.0))
    assert cells["outliers"] == "4"
    assert cells["fixed_work_spread_percent"] == pytest.approx(31.0, abs=0.5)
    steady = row(*some(10.0, 10.1, 9.9, 10.05, 9.95))
    assert steady["outliers"] is frames.pd.NA
    assert steady["fixed_work_spread_percent"] == pytest.approx(0.79, abs=0.01)
    assert steady["runs_for_1_percent_difference"] == 11


def test_three_runs_tell_no_number_of_runs_and_one_no_spread() -> None:
    assert row(*some(10.0, 10.1, 9.9))["runs_for_1_percent_difference"] is frames.pd.NA
    assert math.isnan(float(row(*some(10.0))["fixed_work_spread_percent"]))  # type: ignore[arg-type]
