"""Statistics at their boundaries: nothing, one, two, all equal, all missed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from bench.analysis.censored import (
    expected_interval,
    expected_seconds,
    mean_seconds,
    median,
    median_interval,
    median_range,
    quantile,
    success_rate,
)

INF = math.inf
SECONDS = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(("values", "expected"), [
    ([5.0], 5.0), ([INF], INF), ([4.0, 6.0], 5.0), ([4.0, INF], INF), ([INF, INF], INF), ([3.0, INF, 1.0], 3.0),
    ([1.0, INF, INF], INF), ([INF, 2.0, 1.0, 4.0], 3.0), ([7.0, 7.0, 7.0, 7.0], 7.0),
])  # fmt: skip
def test_a_miss_stays_in_the_median(values: list[float], expected: float) -> None:
    assert median(values) == expected


def test_nothing_has_no_median() -> None:
    assert math.isnan(median([]))


@given(st.lists(SECONDS, min_size=1, max_size=9), st.floats(0, 1))
def test_quantiles_of_finite_values_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9)


@given(st.lists(SECONDS, max_size=6), st.integers(1, 6), st.floats(0, 1))
def test_one_more_miss_never_makes_a_quantile_smaller(values: list[float], misses: int, share: float) -> None:
    fewer, more = [*values, *[INF] * (misses - 1)], [*values, *[INF] * misses]
    assert not fewer or quantile(more, share) >= quantile(fewer, share) * (1 - 1e-12)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], share)


@pytest.mark.parametrize(("reached", "runs", "low", "high"), [
    (35, 50, 0.562, 0.809),  # cifar10-fast's 35 of 50
    (5, 5, 0.566, 1.0),
    (0, 5, 0.0, 0.434),
    (1, 1, 0.207, 1.0),
    (1, 2, 0.095, 0.905),
])  # fmt: skip
def test_the_success_rate_has_wilsons_interval(reached: int, runs: int, low: float, high: float) -> None:
    rate = success_rate(reached, runs)
    assert rate.estimate == reached / runs
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=1e-3)


@given(st.integers(1, 60), st.data())
def test_the_success_rate_agrees_with_scipy(runs: int, data: st.DataObject) -> None:
    reached = data.draw(st.integers(0, runs))
    theirs = binomtest(reached, runs).proportion_ci(method="wilson")
    rate = success_rate(reached, runs)
    assert (rate.low, rate.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= rate.low <= rate.estimate <= rate.high <= 1


def test_no_runs_have_no_success_rate() -> None:
    rate = success_rate(0, 0)
    assert all(math.isnan(each) for each in (rate.estimate, rate.low, rate.high))


@pytest.mark.parametrize(("reached", "runs"), [(3, 2), (-1, 2)])
def test_more_successes_than_runs_are_refused(reached: int, runs: int) -> None:
    with pytest.raises(ValueError, match="cannot have reached"):
        success_rate(reached, runs)


def test_the_mean_of_two_is_geometric_and_its_interval_symmetric_in_factors() -> None:
    mean = mean_seconds([50.0, 200.0])
    assert mean.estimate == pytest.approx(100.0)
    # Two logarithms log(2) either side of their mean: deviation sqrt(2) log 2, t(0.975, 1) = 12.706.
    factor = math.exp(12.7062047 * math.log(2))
    assert (mean.low, mean.high) == pytest.approx((100 / factor, 100 * factor), rel=1e-6)


def test_one_time_has_a_mean_and_no_interval() -> None:
    mean = mean_seconds([74.041])
    assert mean.estimate == 74.041
    assert math.isnan(mean.low)
    assert math.isnan(mean.high)


def test_no_time_has_no_mean() -> None:
    assert math.isnan(mean_seconds([]).estimate)


def test_equal_times_have_themselves_as_interval() -> None:
    mean = mean_seconds([0.1] * 7)
    assert (mean.estimate, mean.low, mean.high) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize("bad", [INF, 0.0, -1.0, math.nan])
def test_a_mean_is_of_finite_positive_times(bad: float) -> None:
    with pytest.raises(ValueError, match="finite, positive"):
        mean_seconds([1.0, bad])


@given(st.lists(SECONDS, min_size=2, max_size=10))
def test_the_mean_lies_in_its_interval(values: list[float]) -> None:
    mean = mean_seconds(values)
    assert mean.low <= mean.estimate <= mean.high
    assert min(values) * (1 - 1e-9) <= mean.estimate <= max(values) * (1 + 1e-9)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(n: int) -> None:
    draws = np.random.default_rng(94).lognormal(mean=math.log(75), sigma=0.02, size=(2000, n))
    intervals = [mean_seconds(list(row)) for row in draws]
    covered = sum(each.low <= 75 <= each.high for each in intervals) / len(intervals)
    assert 0.935 <= covered <= 0.965  # 95 %, three standard errors of 2000 draws to each side


@pytest.mark.parametrize(("runs", "confidence"), [(2, 50), (3, 75), (4, 87.5), (5, 93.75), (6, 96.875)])
def test_the_range_of_few_runs_has_its_exact_confidence(runs: int, confidence: float) -> None:
    times = [float(10 + index) for index in range(runs)]
    found = median_range(times[::-1])
    assert (found.low, found.high, found.confidence_percent) == (times[0], times[-1], confidence)
    assert math.isnan(median_interval(times).low) == (confidence < 95)


@given(st.integers(2, 200))
def test_the_confidence_of_the_medians_range_is_that_of_the_binomial_distribution(runs: int) -> None:
    found = median_range([float(index) for index in range(runs)])
    rank = int(found.low)
    assert found.confidence_percent == pytest.approx(100 * (1 - 2 * binom.cdf(rank, runs, 0.5)))
    if runs >= 6:  # The next rank would not do.
        assert found.confidence_percent >= 95 > 100 * (1 - 2 * binom.cdf(rank + 1, runs, 0.5))


def test_one_run_has_no_range_and_a_miss_makes_it_infinite() -> None:
    assert math.isnan(median_range([5.0]).low) and math.isnan(median_range([]).confidence_percent)
    assert median_range([5.0, INF, 6.0]).high == INF


@pytest.mark.parametrize("runs", [2, 3, 5, 8])
def test_the_medians_range_covers_where_runs_cross_at_different_epochs(runs: int) -> None:
    random = np.random.default_rng([94, runs])
    # Three of ten runs cross an epoch of 5 s later, at a spread of one in a thousand: the median is of the others.
    times = 50 * np.exp(random.normal(0, 0.001, (4000, runs))) + 5 * (random.random((4000, runs)) < 0.3)
    truth = 50 * math.exp(0.001 * norm.ppf(0.5 / 0.7))
    found = [median_range(list(row)) for row in times]
    covered = sum(each.low <= truth <= each.high for each in found) / len(found)
    assert abs(100 * covered - found[0].confidence_percent) <= 300 * math.sqrt(covered * (1 - covered) / 4000)
    mean = 50 * math.exp(0.001**2 / 2) + 1.5
    student = [mean_seconds(list(row)) for row in times]
    geometric = math.exp(0.7 * math.log(50) + 0.3 * math.log(55))
    assert mean > geometric  # What Student's interval of the mean of logarithms is of, and does not cover.
    assert runs > 5 or sum(each.low <= geometric <= each.high for each in student) / len(student) < 0.9


@pytest.mark.parametrize(("reached", "missed", "whole", "low", "high"), [
    ([50.0, 52.0], [60.0, 60.0], [], 51 + (1 / 0.8500 - 1) * 60, 51 + (1 / 0.1500 - 1) * 60),
    ([50.0] * 5, [], [60.0] * 5, 50.0, 50 + (1 / 0.5655 - 1) * 60),
    ([], [60.0], [], math.nan, INF),
    ([50.0], [], [], 50.0, math.nan),
])  # fmt: skip
def test_the_expected_time_varies_with_the_success_rate(
    reached: list[float], missed: list[float], whole: list[float], low: float, high: float
) -> None:
    found = expected_interval(reached, missed, whole)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-3, nan_ok=True)
    assert found.estimate == expected_seconds(reached, missed)


@pytest.mark.parametrize(("reached", "missed", "expected"), [
    ([50.0], [], 50.0), ([], [60.0], INF), ([50.0], [60.0], 110.0), ([40.0, 50.0, 60.0], [80.0], 50 + 80 / 3),
])  # fmt: skip
def test_the_expected_time_pays_for_its_misses(reached: list[float], missed: list[float], expected: float) -> None:
    assert expected_seconds(reached, missed) == pytest.approx(expected)


def test_no_runs_expect_nothing() -> None:
    assert math.isnan(expected_seconds([], []))
