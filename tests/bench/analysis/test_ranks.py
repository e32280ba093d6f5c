"""Rank tests against scipy and by hand, their intervals as the inverted test, and that no time acts backwards."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import ranks
from bench.analysis.effect import Effect, adjusted, effect_of

distinct = st.lists(st.integers(-500, 500).map(float), min_size=2, max_size=14, unique=True)
#: Times whose logarithms are tied, close and far apart.
logs = st.one_of(st.integers(-4, 4).map(lambda each: each / 100), st.floats(-3, 3, allow_nan=False))


@settings(deadline=None, max_examples=60)
@given(distinct, st.integers(1, 8))
def test_two_samples_are_ranked_as_scipy_ranks_them(values: list[float], split: int) -> None:
    split = min(split, len(values) - 1)
    ours, theirs = values[:split], values[split:]
    found = ranks.two_samples(ours, theirs)
    for p, direction in ((found.p_greater(), "greater"), (found.p_less(), "less")):
        assert p == pytest.approx(stats.mannwhitneyu(ours, theirs, alternative=direction, method="exact").pvalue)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=12, unique=True), st.data())
def test_pairs_are_ranked_as_scipy_ranks_them(sizes: list[int], data: st.DataObject) -> None:
    gaps = [size * data.draw(st.sampled_from((-1.0, 1.0))) for size in sizes]
    found = ranks.pairs(gaps)
    for p, direction in ((found.p_greater(), "greater"), (found.p_less(), "less")):
        assert p == pytest.approx(stats.wilcoxon(gaps, alternative=direction, method="exact").pvalue)


@settings(deadline=None, max_examples=100)
@given(st.lists(logs, min_size=1, max_size=9), st.lists(logs, min_size=1, max_size=9), st.booleans())
def test_the_interval_holds_the_shifts_that_the_test_does_not_reject(
    ours: list[float], theirs: list[float], paired: bool
) -> None:
    number = min(len(ours), len(theirs))
    gaps = [one - other for one, other in zip(ours[:number], theirs[:number], strict=True)]
    found = ranks.pairs(gaps) if paired else ranks.two_samples(ours, theirs)
    bounds = found.bounds()
    least = ranks.smallest_of_pairs(number) if paired else ranks.smallest_of_two_samples(len(ours), len(theirs))
    assert found.smallest_p == pytest.approx(least)
    assert math.isnan(bounds.low) == (2 * least >= ranks.LEVEL)
    if math.isnan(bounds.low):
        return
    assert bounds.low <= found.estimate <= bounds.high
    assert bounds.confidence_percent > 95
    for margin in (0.0, 0.02, 0.5):
        assert (bounds.low > margin) == (2 * found.p_greater(margin) < ranks.LEVEL)
        assert (bounds.high < -margin) == (2 * found.p_less(margin) < ranks.LEVEL)


def test_exact_levels_by_hand() -> None:
    apart = ranks.two_samples([6.0, 7, 8, 9, 10], [1.0, 2, 3, 4, 5])
    assert apart.p_greater() == pytest.approx(1 / 252)
    assert apart.bounds().confidence_percent == pytest.approx(100 * (1 - 2 * 4 / 252))
    assert ranks.pairs([1.0, 2, 3, 4, 5]).p_greater() == 1 / 32  # Two-sided 0.0625: the interval is open.
    assert math.isnan(ranks.pairs([1.0, 2, 3, 4, 5]).bounds().low)
    assert ranks.pairs([1.0, 2, 3, 4, 5, 6]).bounds() == ranks.Bounds(1.0, 6.0, pytest.approx(100 * (1 - 2 / 64)))


def test_ties_count_for_neither_side() -> None:
    assert ranks.two_samples([3.0] * 5, [3.0] * 5).p_greater() == 1
    assert ranks.pairs([0.0] * 6).p_less() == 1
    # Equal to their last digit but one, as times that went through a file may be.
    assert ranks.two_samples([0.1 + 0.2] * 5, [0.3] * 5).p_greater() == 1


def test_no_runs_tell_nothing() -> None:
    for found in (ranks.two_samples([], [1.0]), ranks.two_samples([1.0], []), ranks.pairs([])):
        assert math.isnan(found.p_greater()) and math.isnan(found.estimate) and math.isnan(found.bounds().low)


@pytest.mark.parametrize("number", [49, 60])
def test_large_sides_have_the_distribution_that_they_approach(number: int) -> None:
    random = np.random.default_rng(5)
    ours, theirs = list(random.normal(0.3, 1, number)), list(random.normal(0, 1, number))
    found = ranks.two_samples(ours, theirs)
    assert found.p_greater() == pytest.approx(stats.mannwhitneyu(ours, theirs, alternative="greater").pvalue, abs=1e-3)
    bounds = found.bounds()
    assert 2 * found.p_greater(bounds.low - 1e-9) < ranks.LEVEL <= 2 * found.p_greater(bounds.low + 1e-9)
    gaps = list(random.normal(0.2, 1, 2 * number))
    wanted = stats.wilcoxon(gaps, alternative="greater", method="approx", correction=True).pvalue
    assert ranks.pairs(gaps).p_greater() == pytest.approx(wanted, abs=1e-3)


# ---- no time acts backwards


@st.composite
def _two_sides(draw: st.DrawFn) -> tuple[list[float], list[float], bool]:
    paired = draw(st.booleans())
    number = draw(st.integers(1, 12))
    spread = draw(st.sampled_from((1.0, 0.1, 5.0)))
    theirs = draw(st.lists(logs, min_size=number, max_size=number))
    size = number if paired else draw(st.integers(1, 12))
    ours = [
        spread * each + draw(st.sampled_from((0.0, 0.05)))
        for each in draw(st.lists(logs, min_size=size, max_size=size))
    ]
    return theirs, ours, paired


def _slower(effect: Effect, percent: float) -> tuple[bool, bool]:
    """Whether the answer is slower, and whether a gate at ``percent`` stops it."""
    answer = effect.found and effect.p_slower < effect.p_faster
    return answer, effect.slower_holm < ranks.LEVEL and effect.estimate_percent > percent


LIMITS = (0.0, 0.5, 2.0, 5.0, 30.0)


@settings(deadline=None, max_examples=300)
@given(_two_sides(), st.data(), st.floats(0, 4), st.sampled_from((0.0, 2.0)))
def test_a_slower_run_of_b_never_makes_it_less_slow_nor_one_of_a_more(
    sides: tuple[list[float], list[float], bool], data: st.DataObject, more: float, allowance: float
) -> None:
    theirs, ours, paired = sides
    before = effect_of(theirs, ours, paired, allowance)
    place = data.draw(st.integers(0, len(ours) - 1))
    raised = [each + more * (index == place) for index, each in enumerate(ours)]
    slower = effect_of(theirs, raised, paired, allowance)
    place = data.draw(st.integers(0, len(theirs) - 1))
    raised = [each + more * (index == place) for index, each in enumerate(theirs)]
    faster = effect_of(raised, ours, paired, allowance)
    for limit in LIMITS:
        for is_before, is_slower, is_faster in zip(
            _slower(before, limit), _slower(slower, limit), _slower(faster, limit), strict=True
        ):
            assert is_faster <= is_before <= is_slower


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(logs, min_size=4, max_size=7), min_size=3, max_size=4), st.data(), st.floats(0, 4))
def test_nor_does_it_among_several_sides(sides: list[list[float]], data: st.DataObject, more: float) -> None:
    def found(reference: list[float]) -> list[Effect]:
        others = sides[1:]
        return adjusted([effect_of(reference, each, False, comparisons=len(others)) for each in others])

    place = data.draw(st.integers(0, len(sides[0]) - 1))
    raised = [each + more * (index == place) for index, each in enumerate(sides[0])]
    for before, after in zip(found(sides[0]), found(raised), strict=True):
        for limit in LIMITS:
            assert all(now <= then for now, then in zip(_slower(after, limit), _slower(before, limit), strict=True))


@pytest.mark.parametrize("shift", [lambda log: log, lambda log: log + 3])
def test_the_unit_of_time_does_not_matter(shift: Callable[[float], float]) -> None:
    theirs, ours = [0.01, 0.03, 0.02, 0.05], [0.11, 0.08, 0.09, 0.12]
    found = effect_of(list(map(shift, theirs)), list(map(shift, ours)), False)
    assert found.estimate_percent == pytest.approx(effect_of(theirs, ours, False).estimate_percent)
    assert found.p_slower == pytest.approx(1 / 70)


def test_one_slow_run_of_the_reference_hides_all_others_below_six_a_side_and_below_ten_pairs() -> None:
    def p(number: int, paired: bool) -> float:
        gaps = [1.0 + index / 100 for index in range(number - 1)]
        if paired:
            return ranks.pairs([*gaps, -30.0]).p_greater()
        return ranks.two_samples([*gaps, 1.5], [*[0.0] * (number - 1), 30.0]).p_greater()

    assert [number for number in range(4, 12) if p(number, False) < ranks.LEVEL] == [6, 7, 8, 9, 10, 11]
    assert [number for number in range(4, 12) if p(number, True) < ranks.LEVEL] == [10, 11]
    assert (p(5, False), p(6, False)) == (pytest.approx(0.075, abs=1e-3), pytest.approx(0.032, abs=1e-3))
    assert (p(6, True), p(10, True)) == (pytest.approx(0.22, abs=2e-3), pytest.approx(0.042, abs=1e-3))
