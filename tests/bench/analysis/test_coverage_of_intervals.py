"""How often the intervals cover the truth, and how often the gate raises an alarm: by simulation with fixed seeds.

Of each a slice runs with the other tests; `make test-deep` runs them in full. The limits are those of the issue or the
nominal level, with three standard errors of the simulation.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.analysis import censored, ranks, spread, welch
from bench.analysis.censored import Interval
from bench.analysis.drift import ALLOWANCE_PERCENT
from bench.analysis.effect import effect_of
from tests.bench.analysis import simulated_comparisons as simulated


def full(count: int, part: int) -> pytest.MarkDecorator:
    """A number of simulations, and a smaller one for the fast tier."""
    return pytest.mark.parametrize("times", [part, pytest.param(count, marks=pytest.mark.deep)], ids=["slice", "full"])


def allowed(share: float, times: int) -> float:
    """Three standard errors of a share that is simulated so often."""
    return 3 * math.sqrt(share * (1 - share) / times)


#: Rows in which the sides are not exchangeable: the spreads, or the one slow run, are of one side alone.
EXCHANGEABLE = [name for name in simulated.DRAWS if name not in
                ("B spreads three times as far", "one run of B 30 % slower", "one run of A 30 % slower")]  # fmt: skip


@full(2000, 300)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("runs", [5, 10])
@pytest.mark.parametrize("row", EXCHANGEABLE)
def test_where_nothing_differs_at_most_5_percent_are_found(row: str, runs: int, paired: bool, times: int) -> None:
    cell = simulated.simulate(simulated.DRAWS[row], runs, paired, times)
    assert cell.false_alarms <= 0.05 + allowed(0.05, times)
    assert cell.false_answers <= 0.05 + allowed(0.05, times)
    assert cell.coverage >= 0.95 - allowed(0.95, times)


@full(2000, 300)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_unequal_spreads_cost_little(paired: bool, times: int) -> None:
    for runs in (5, 10):
        cell = simulated.simulate(simulated.DRAWS["B spreads three times as far"], runs, paired, times)
        assert cell.false_alarms <= 0.06 + allowed(0.06, times)


@full(2000, 300)
def test_a_small_side_that_spreads_further_is_wrongly_stopped_as_often_as_the_page_says(times: int) -> None:
    assert abs(simulated.unequal_sides(times) - 0.096) <= 0.01 + allowed(0.09, times)


@full(2000, 300)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("row", ["normal", "one run of B 30 % slower"])
def test_five_runs_find_a_slowdown_of_five_per_cent(row: str, paired: bool, times: int) -> None:
    assert simulated.simulate(simulated.DRAWS[row], 5, paired, times).power >= 0.95


@full(2000, 300)
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_one_slow_run_of_the_reference_hides_it_from_five_runs_and_not_from_ten(paired: bool, times: int) -> None:
    draw = simulated.DRAWS["one run of A 30 % slower"]
    assert simulated.simulate(draw, 5, paired, times).power == 0  # 5 of the 25 contrasts: p = 0.075 at best.
    assert simulated.simulate(draw, 10, paired, times).power >= 0.95


@full(2000, 300)
@pytest.mark.parametrize("runs", [5, 10])
@pytest.mark.parametrize("name, between, drift", simulated.CAMPAIGNS)
def test_the_allowance_covers_what_campaigns_differ_by(
    name: str, between: float, drift: float, runs: int, times: int
) -> None:
    share = simulated.false_answers_of_campaigns(between, drift, runs, ALLOWANCE_PERCENT, times)
    assert share <= 0.05 + (0 if times >= 2000 else allowed(0.05, times))
    assert simulated.false_answers_of_campaigns(between, drift, runs, 0.0, times) > 0.2


@full(2000, 200)
@pytest.mark.parametrize("runs", [4, 5])
def test_pairs_that_share_a_drift_raise_no_more_alarms(runs: int, times: int) -> None:
    # Four and five pairs have all their runs ranked together, as if they shared nothing.
    random = np.random.default_rng(runs)
    found = 0
    for _ in range(times):
        shared = random.normal(0, 0.03, runs)
        ours, theirs = (list(shared + random.normal(0, 0.01, runs)) for _ in range(2))
        found += effect_of(theirs, ours, True).slower_holm < ranks.LEVEL
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
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_so_many_runs_as_are_said_to_do_find_the_difference(paired: bool, times: int) -> None:
    random = np.random.default_rng(11)
    single = 0.01 if paired else 0.02
    runs = spread.runs_to_detect(0.02, math.sqrt(2) * single if paired else single, paired=paired, least=4)
    assert runs is not None
    found = 0
    for _ in range(times):
        ours, theirs = random.normal(math.log1p(0.02), single, runs), random.normal(0, single, runs)
        found += effect_of(list(theirs), list(ours), paired).found
    assert abs(found / times - 0.8) <= 0.06 + allowed(0.8, times)


@full(3000, 300)
def test_the_interval_of_so_many_runs_covers_their_number(times: int) -> None:
    random = np.random.default_rng(12)
    truth = spread.runs_to_detect(0.02, 0.02)
    assert truth is not None
    covered = 0
    for _ in range(times):
        own = float(np.std(random.normal(0, 0.02, 5), ddof=1))
        _, low, high = spread.runs_to_detect_interval(0.02, own, 4)
        assert low is not None
        covered += low <= truth and (high is None or truth <= high)
    assert abs(covered / times - 0.95) <= 0.015 + allowed(0.95, times)
