"""How often the intervals cover the truth, and how often the gate raises an alarm: by simulation with fixed seeds.

Of each a slice runs with the other tests; `make test-deep` runs them in full. The limits are those of the issue or the
nominal level, with three standard errors of the simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bench.analysis import censored, spread, welch
from bench.analysis.censored import Interval
from bench.analysis.comparison import SLOWER, Side, answer_to
from bench.analysis.effect import Effect, effect_of

Floats = list[float]
Draw = Callable[[np.random.Generator, int], Floats]


def full(count: int, part: int) -> pytest.MarkDecorator:
    """A number of simulations, and a smaller one for the fast tier."""
    return pytest.mark.parametrize("times", [part, pytest.param(count, marks=pytest.mark.deep)], ids=["slice", "full"])


def allowed(share: float, times: int) -> float:
    """Three standard errors of a share that is simulated so often."""
    return 3 * math.sqrt(share * (1 - share) / times)


def normal(random: np.random.Generator, runs: int) -> Floats:
    return list(random.normal(0, 0.01, runs))


def skewed(random: np.random.Generator, runs: int) -> Floats:
    """Most runs alike and a few slow ones, as on a shared machine; standard deviation 0.01 as well."""
    return list(random.exponential(0.01, runs))


def drifting(random: np.random.Generator, runs: int) -> Floats:
    """A machine that warms up by 2 % over the campaign."""
    return list(random.normal(0, 0.01, runs) + np.linspace(0, 0.02, runs))


def effect(ours: Floats, theirs: Floats, paired: bool) -> Effect:
    return effect_of(theirs, ours, paired)


def alarm(found: Effect, limit_percent: float = 0.0) -> bool:
    reference, side = Side("A", "", ()), Side("B", "", ())
    return answer_to(reference, side, found, 2.0).kind == SLOWER and found.estimate_percent > limit_percent


@full(2000, 120)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("runs", [5, 10])
@pytest.mark.parametrize("draw", [normal, skewed, drifting], ids=["normal", "skewed", "drifting"])
def test_the_gate_raises_few_false_alarms(draw: Draw, runs: int, paired: bool, times: int) -> None:
    random = np.random.default_rng([runs, paired])
    alarms = sum(alarm(effect(draw(random, runs), draw(random, runs), paired)) for _ in range(times))
    assert alarms / times <= 0.06 + (0 if times >= 2000 else allowed(0.05, times))


@full(2000, 120)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_five_runs_find_a_slowdown_of_five_per_cent(paired: bool, times: int) -> None:
    random = np.random.default_rng(7)
    slower = math.log1p(0.05)
    found = 0
    for _ in range(times):
        ours = [each + slower for each in normal(random, 5)]
        found += alarm(effect(ours, normal(random, 5), paired), limit_percent=2.0)
    assert found / times >= 0.95


@full(2000, 200)
@pytest.mark.parametrize("runs", [4, 5])
def test_pairs_that_share_a_drift_raise_no_more_alarms(runs: int, times: int) -> None:
    # Four and five pairs have all their runs relabelled, as if they shared nothing.
    random = np.random.default_rng(runs)
    found = 0
    for _ in range(times):
        shared = random.normal(0, 0.03, runs)
        ours, theirs = (list(shared + random.normal(0, 0.01, runs)) for _ in range(2))
        found += alarm(effect(ours, theirs, True))
    assert found / times <= 0.05


@full(4000, 400)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("runs", [4, 5, 10, 20])
def test_the_interval_of_the_difference_covers_it(runs: int, paired: bool, times: int) -> None:
    random = np.random.default_rng([runs, paired])
    truth = math.log1p(0.03)
    covered = 0
    for _ in range(times):
        theirs, ours = random.normal(0, 0.01, runs), random.normal(truth, 0.01 if paired else 0.03, runs)
        if paired:
            gap = welch.mean(list(ours - theirs))
        else:
            found = welch.difference(list(ours), list(theirs))
            gap = Interval(found.estimate, found.low, found.high)
        covered += gap.low <= truth <= gap.high
    assert abs(covered / times - 0.95) <= 0.015 + allowed(0.95, times)


@full(4000, 400)
@pytest.mark.parametrize("runs", [3, 5, 10])
def test_the_interval_of_the_mean_time_covers_it(runs: int, times: int) -> None:
    random = np.random.default_rng(runs)
    covered = 0
    for _ in range(times):
        found = censored.mean_seconds(list(np.exp(random.normal(4.0, 0.02, runs))))
        covered += found.low <= math.exp(4.0) <= found.high
    assert abs(covered / times - 0.95) <= 0.005 + allowed(0.95, times)


@full(20_000, 2000)
@pytest.mark.parametrize("runs", [5, 10, 50])
def test_the_interval_of_the_success_rate_covers_it(runs: int, times: int) -> None:
    # Wilson's covers 95 % on the average over rates, not at each.
    random = np.random.default_rng(runs)
    rates = random.uniform(0.05, 0.95, times)
    covered = 0
    for rate, reached in zip(rates, random.binomial(runs, rates), strict=True):
        found = censored.success_rate(int(reached), runs)
        covered += found.low <= rate <= found.high
    assert abs(covered / times - 0.95) <= 0.01 + allowed(0.95, times)


@full(4000, 400)
@pytest.mark.parametrize("runs", [6, 10, 25])
def test_the_interval_of_the_median_covers_it_where_a_third_misses(runs: int, times: int) -> None:
    random = np.random.default_rng(runs)
    # Of all runs 70 % reach the target, so the median of all is the 5/7 quantile of the times.
    truth = float(np.exp(4.0 + 0.02 * 0.5659488219328631))
    covered = 0
    for _ in range(times):
        values = np.where(random.random(runs) < 0.7, np.exp(random.normal(4.0, 0.02, runs)), math.inf)
        found = censored.median_interval([float(each) for each in values])
        covered += found.low <= truth <= found.high
    assert covered / times >= 0.95 - allowed(0.95, times)


@full(3000, 300)
def test_so_many_pairs_as_are_said_to_do_find_the_difference(times: int) -> None:
    random = np.random.default_rng(11)
    runs = spread.runs_to_tell(0.02, math.sqrt(2) * 0.01, paired=True, least=4)
    assert runs is not None
    found = 0
    for _ in range(times):
        ours, theirs = random.normal(math.log1p(0.02), 0.01, runs), random.normal(0, 0.01, runs)
        found += alarm(effect(list(ours), list(theirs), True))
    assert abs(found / times - 0.8) <= 0.06 + allowed(0.8, times)
