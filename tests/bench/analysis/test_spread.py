"""Outliers, numbers of runs and luck, by hand and against simulation."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from bench.analysis import spread


def test_the_modified_z_score_by_hand() -> None:
    # The median is 10, the absolute deviations 2, 1, 0, 1, 90, whose median is 1.
    assert spread.modified_z_score(100, [8, 9, 10, 11, 100]) == pytest.approx(0.6745 * 90)
    assert spread.modified_z_score(8, [8, 9, 10, 11, 100]) == pytest.approx(0.6745 * 2)
    assert spread.modified_z_score(5, [5, 5, 5]) == 0
    assert spread.modified_z_score(6, [5, 5, 6]) == math.inf


def test_a_run_that_stands_out_is_named_to_either_side() -> None:
    assert spread.outliers([10.0, 10.1, 9.9, 10.05, 20.0]) == (4,)
    assert spread.outliers([10.0, 10.1, 5.0, 10.05, 9.95]) == (2,)


def test_misses_and_unknown_times_stand_out_from_nothing() -> None:
    assert spread.outliers([10.0, math.inf, None, 10.1, 9.9, 10.05]) == ()
    assert spread.outliers([10.0, 10.0, 10.0, None]) == ()


def test_runs_that_agree_to_a_thousandth_have_no_outlier() -> None:
    assert spread.outliers([10.0, 10.0, 10.0, 10.0, 10.005]) == ()
    assert spread.outliers([10.0, 10.0, 10.0, 10.0, 10.1]) == (4,)


def test_of_three_runs_none_stands_out() -> None:
    assert spread.outliers([1.0, 1.0, 50.0]) == ()


def test_the_relative_spread_is_of_logarithms_and_needs_two_runs() -> None:
    assert spread.relative([1.0, math.e]) == pytest.approx(math.sqrt(0.5))
    assert math.isnan(spread.relative([1.0]))
    assert math.isnan(spread.relative([1.0, math.inf]))


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("deviation", [0.005, 0.01, 0.02])
def test_so_many_runs_find_one_per_cent_in_four_of_five_cases(deviation: float, paired: bool) -> None:
    runs = spread.runs_to_detect(0.01, deviation, paired)
    assert runs is not None
    shift, sides = math.log1p(0.01), 1 if paired else 2

    def power(n: int) -> float:
        freedom, noncentrality = sides * (n - 1), shift / (deviation * math.sqrt(sides / n))
        edge = stats.t.ppf(0.975, freedom)
        return float(stats.nct.sf(edge, freedom, noncentrality) + stats.nct.cdf(-edge, freedom, noncentrality))

    assert power(runs + 1) >= 0.8
    assert runs < 4 or power(runs - 2) < 0.8


def test_a_number_of_runs_that_nobody_makes_is_not_known() -> None:
    assert spread.runs_to_detect(1e-6, 0.5) is None
    assert spread.runs_to_detect(0.01, math.nan) is None
    assert spread.runs_to_detect(0.0, 0.01) is None
    assert spread.runs_to_detect(0.5, 0.001, least=4) == 4
