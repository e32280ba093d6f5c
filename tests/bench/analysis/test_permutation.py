"""Permutation tests against scipy, by hand at the sizes where others went wrong, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import permutation

samples = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=5)


def _scipy_two_samples(ours: list[float], theirs: list[float]) -> float:
    def statistic(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        gap = one.mean(axis=axis) - other.mean(axis=axis)
        error = one.var(axis=axis, ddof=1) / one.shape[axis] + other.var(axis=axis, ddof=1) / other.shape[axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(error > 1e-18, np.abs(gap) / np.sqrt(error), np.where(np.abs(gap) > 1e-9, 1e9, 0.0))

    found = stats.permutation_test((ours, theirs), statistic, vectorized=True, alternative="greater", n_resamples=1e6)
    return float(found.pvalue)


@settings(deadline=None, max_examples=60)
@given(samples, samples)
def test_two_samples_are_judged_as_scipy_judges_them(ours: list[float], theirs: list[float]) -> None:
    if len({*ours, *theirs}) == 1:
        assert permutation.two_samples(ours, theirs) == 1
    else:
        assert permutation.two_samples(ours, theirs) == pytest.approx(_scipy_two_samples(ours, theirs))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8))
def test_pairs_are_judged_as_scipy_judges_them(gaps: list[float]) -> None:
    zeros = [0.0] * len(gaps)
    wanted = stats.permutation_test(
        (gaps, zeros), lambda a, b, axis: np.abs((a - b).sum(axis=axis)), permutation_type="samples", vectorized=True,
        alternative="greater", n_resamples=1e6,
    )  # fmt: skip
    assert permutation.pairs(gaps) == pytest.approx(float(wanted.pvalue))


@pytest.mark.parametrize("ours, theirs, smallest", [(3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (6, 6, 2 / 924)])
def test_sides_that_lie_wholly_apart_have_the_smallest_p_there_is(ours: int, theirs: int, smallest: float) -> None:
    low, high = [1.0 + index / 100 for index in range(ours)], [9.0 + index / 100 for index in range(theirs)]
    assert permutation.two_samples(low, high) == pytest.approx(smallest)
    assert permutation.two_samples(high, low) == pytest.approx(smallest)


@pytest.mark.parametrize("ours, theirs", [(5, 7), (4, 9), (6, 6), (4, 20)])
def test_sides_of_unequal_size_that_lie_apart_are_found(ours: int, theirs: int) -> None:
    # A respected tool reports these as equal.
    low, high = [1.0 + index / 100 for index in range(ours)], [9.0 + index / 100 for index in range(theirs)]
    assert permutation.two_samples(low, high) < 0.01


@pytest.mark.parametrize("number", [1, 2, 5, 6, 10])
def test_pairs_of_one_sign_have_the_smallest_p_there_is(number: int) -> None:
    assert permutation.pairs([0.01 * (index + 1) for index in range(number)]) == pytest.approx(2 / 2**number)


def test_nothing_is_judged_of_no_runs_and_equal_runs_do_not_differ() -> None:
    assert math.isnan(permutation.two_samples([], [1.0]))
    assert math.isnan(permutation.two_samples([1.0], []))
    assert math.isnan(permutation.pairs([]))
    assert permutation.two_samples([3.0] * 5, [3.0] * 5) == 1
    assert permutation.pairs([0.0] * 6) == 1
    # Equal to their last digit but one, as times that went through a file may be.
    assert permutation.two_samples([0.1 + 0.2] * 5, [0.3] * 5) == 1


def test_constant_sides_that_differ_are_found() -> None:
    assert permutation.two_samples([1.0] * 5, [2.0] * 5) == pytest.approx(2 / 252)


def test_large_sides_are_judged_by_the_same_draws_at_every_call() -> None:
    random = np.random.default_rng(5)
    ours, theirs = list(random.normal(0, 1, 25)), list(random.normal(0.4, 1, 25))
    found = permutation.two_samples(ours, theirs)
    assert found == permutation.two_samples(ours, theirs)
    assert found == pytest.approx(float(stats.ttest_ind(ours, theirs, equal_var=False).pvalue), abs=0.01)
    gaps = list(random.normal(0.3, 1, 30))
    assert permutation.pairs(gaps) == permutation.pairs(gaps)
    assert permutation.pairs(gaps) == pytest.approx(float(stats.ttest_1samp(gaps, 0).pvalue), abs=0.01)


def test_a_p_of_draws_is_never_0() -> None:
    apart = [1.0 + index / 100 for index in range(15)]
    assert permutation.two_samples(apart, [each + 9 for each in apart]) == 1 / (permutation.DRAWN + 1)


def test_ten_and_ten_runs_are_enumerated() -> None:
    apart = [1.0 + index / 100 for index in range(10)]
    assert permutation.two_samples(apart, [each + 9 for each in apart]) == pytest.approx(2 / math.comb(20, 10))
