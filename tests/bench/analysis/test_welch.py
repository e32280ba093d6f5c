"""Welch, Holm and power, against scipy.stats and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import welch

samples = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=12)


@given(samples, samples)
def test_a_difference_is_what_scipy_says(ours: list[float], theirs: list[float]) -> None:
    found = welch.difference(ours, theirs)
    if len(set(ours)) == len(set(theirs)) == 1:
        assert not found.has_interval
        return
    wanted = stats.ttest_ind(ours, theirs, equal_var=False)
    ends = wanted.confidence_interval()
    assert [found.p_value, found.low, found.high] == pytest.approx([wanted.pvalue, *ends], rel=1e-6, abs=1e-6)


@given(samples)
def test_a_mean_has_the_interval_of_students_t(values: list[float]) -> None:
    found = welch.mean(values)
    ends = stats.t.interval(0.95, len(values) - 1, np.mean(values), max(stats.sem(values), 1e-300))
    assert [found.low, found.high] == pytest.approx(list(ends), rel=1e-6, abs=1e-6)


def test_fewer_than_two_runs_have_no_interval() -> None:
    assert not welch.difference([94.0], [93.0, 93.5]).has_interval
    assert welch.difference([94.0], [93.0, 93.5]).estimate == 0.75
    assert not welch.difference([], [93.0, 93.5]).has_interval
    assert math.isnan(welch.mean([94.0]).low)
    assert math.isnan(welch.mean([]).estimate)


def test_runs_that_agree_to_the_last_digit_do_not_tell_how_sure_they_are() -> None:
    found = welch.difference([94.1, 94.1, 94.1], [93.9, 93.9])
    assert found.estimate == pytest.approx(0.2)
    assert not found.has_interval


def test_holm_asks_the_smallest_p_value_the_most() -> None:
    assert welch.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert welch.holm([0.2, 0.9]) == pytest.approx([0.4, 0.9])
    assert welch.holm([]) == []


def test_a_comparison_that_could_not_be_made_counts_among_the_others() -> None:
    adjusted = welch.holm([0.02, math.nan])
    assert adjusted[0] == 0.04
    assert math.isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_an_adjusted_p_value_is_no_smaller_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = welch.holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    ordered = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("level", [0.05, 0.05 / 9])
@pytest.mark.parametrize(("runs", "reference_runs"), [(2, 2), (4, 4), (10, 3), (50, 50)])
def test_the_smallest_detectable_difference_is_found_in_four_experiments_of_five(
    runs: int, reference_runs: int, level: float
) -> None:
    size, random = welch.smallest_detectable(0.3, runs, reference_runs, level), np.random.default_rng(7)
    ours = random.normal(90 + size, 0.3, (20_000, runs))
    theirs = random.normal(90, 0.3, (20_000, reference_runs))
    found = stats.ttest_ind(ours, theirs, axis=1, equal_var=False).pvalue < level
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_with_many_runs_it_is_that_of_the_noncentral_t_distribution() -> None:
    shift = welch.smallest_detectable(1.0, 100, 100) / math.sqrt(2 / 100)
    assert stats.nct.sf(stats.t.ppf(0.975, 198), 198, shift) == pytest.approx(0.8, abs=1e-3)


def test_one_run_detects_nothing() -> None:
    assert math.isnan(welch.smallest_detectable(0.3, 1, 4))
