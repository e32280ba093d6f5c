"""The fit of accuracy against epochs: exact where it can be checked by hand, calibrated where it is simulated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import linregress, norm

from bench.analysis import epoch_curve
from bench.analysis.epoch_curve import Cost, Curve, Published, Slope, choose, costs, fit
from bench.errors import UsageError
from tests.support.records import Run

HIVE = Published("hive", 7.59, 94.008, 0.132, 2000)
PAGE10 = Published("page10", 10.0, 94.1, 0.123, 400)
COST = Cost("a GPU", 5, start_seconds=50.0, attempt_seconds=0.5, epoch_seconds=0.2)


def test_balanced_runs_alone_give_the_line_of_ordinary_least_squares() -> None:
    runs = [(8.0, 93.9), (8.0, 94.1), (10.0, 94.2), (10.0, 94.4), (12.0, 94.35), (12.0, 94.55)]
    curve = fit(runs, slope=None)
    line = linregress([math.log(epochs) for epochs, _ in runs], [accuracy for _, accuracy in runs])
    assert curve.slope == pytest.approx(line.slope)
    assert curve.predict(11, 94).mean_percent == pytest.approx(line.intercept + line.slope * math.log(11))
    assert curve.std_percent == pytest.approx(math.sqrt(0.02)) and curve.degrees == 3


def test_a_published_length_and_a_slope_give_the_arithmetic_of_the_choice_of_resnet9() -> None:
    curve = fit([], [PAGE10])
    found = curve.predict(12, 94)
    mean = 94.1 + 1.1 * math.log(1.2)
    error = math.hypot(0.123 / math.sqrt(400), epoch_curve.IMPLEMENTATION_SPREAD_PERCENT, 0.2 * math.log(1.2))
    assert found.mean_percent == pytest.approx(mean)
    assert found.success == pytest.approx(norm.cdf((mean - 93.995) / math.hypot(0.123, error)), abs=1e-3)
    assert found.success_low < found.success < found.success_high
    assert found.success_low == pytest.approx(norm.cdf((mean - 93.995 - 1.96 * error) / 0.123), abs=0.005)


def test_a_target_is_reached_from_half_an_image_below_on() -> None:
    curve = replace(fit([], [PAGE10]), mean_percent=93.995)
    assert curve.predict(10, 94).success == pytest.approx(0.5)


def test_our_own_runs_outweigh_what_was_published() -> None:
    low = [(7.59, 93.7 + each) for each in (-0.13, 0.0, 0.13)] * 10
    mean = fit(low, [HIVE]).predict(7.59, 94).mean_percent
    assert 93.7 < mean < (93.7 + 94.008) / 2


def test_more_runs_and_longer_training_never_look_worse() -> None:
    few, many = ([(11.0, 94.2 + 0.13 * sign) for sign in (-1, 1)] * times for times in (2, 20))
    intervals = [fit(runs, [HIVE]).predict(11, 94) for runs in (few, many)]
    widths = [each.success_high - each.success_low for each in intervals]
    assert widths[1] < widths[0]
    shares = [fit(few, [HIVE]).predict(epochs, 94).success for epochs in (8, 9, 10, 11)]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("runs", "slope", "what"),
    [
        ([(9.0, 94.0), (10.0, 94.1)], None, "spread"),
        ([(9.0, 94.0), (9.0, 94.0)], Slope(1.1, 0.2), "spread"),
        ([(9.0, 94.0), (9.0, 94.1)], None, "slope"),
    ],
)
def test_what_cannot_be_fitted_is_a_usage_error(
    runs: list[tuple[float, float]], slope: Slope | None, what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        fit(runs, slope=slope)


def test_retries_cost_a_process_or_only_an_attempt() -> None:
    assert COST.to_success(10, 0.5, new_process=True) == pytest.approx(2 * (50 + 0.5 + 2))
    assert COST.to_success(10, 0.5, new_process=False) == pytest.approx(50 + 2 * (0.5 + 2))
    assert COST.to_success(10, 0.0, new_process=True) == math.inf
    found = fit([], [PAGE10]).predict(10, 94)
    interval = COST.interval(found, new_process=True)
    assert interval.low < interval.estimate < interval.high
    assert interval.low == pytest.approx(52.5 / found.success_high)


def test_dear_retries_ask_for_a_longer_recipe_than_cheap_ones() -> None:
    curve = fit([], [HIVE])
    enough, dear, cheap = choose(curve, 94.0, 0.98, HIVE.epochs, [COST])
    assert enough.prediction.success >= 0.98 > curve.predict(enough.prediction.epochs - 0.25, 94).success
    assert dear.prediction.epochs > cheap.prediction.epochs and dear.machine == cheap.machine == "a GPU"
    assert dear.seconds is not None and cheap.seconds is not None and dear.seconds.estimate >= cheap.seconds.estimate


def test_a_choice_of_the_shortest_length_says_that_shorter_ones_were_not_searched() -> None:
    runs = [(24.0, 95.0), (24.0, 95.1), (24.0, 95.2)]
    assert [each.shortest for each in choose(fit(runs), 94.0, 0.98, 24.0, [COST])] == [True, True, True]
    assert [each.shortest for each in choose(fit([], [HIVE]), 94.0, 0.98, 7.59)] == [False]


@pytest.mark.parametrize(("accuracies", "low", "high"), [((94.50, 94.51), 0.98, 1.0), ((93.00, 93.01), 0.0, 0.02)])
def test_two_runs_that_are_nearly_equal_leave_an_interval_that_says_something(
    accuracies: tuple[float, float], low: float, high: float
) -> None:
    found = fit([(11.0, each) for each in accuracies]).predict(11, 94)
    assert low <= found.success_low <= found.success_high <= high


def test_a_share_that_no_length_reaches_is_no_choice() -> None:
    flat = Curve(10.0, 93.0, 0.0, ((0.001, 0.0), (0.0, 0.001)), 0.13, 100)
    assert choose(flat, 94.0, 0.98, 10.0) == ()


def test_costs_are_read_off_the_phases_of_runs_of_one_process() -> None:
    (cost,) = costs([Run().record(), Run(seed=1).record(), Run(seed=2, status="failed", correct=(1,)).record()])
    record = Run().record()
    assert record.life_ns is not None
    whole = cost.start_seconds + cost.attempt_seconds + cost.epoch_seconds * 5
    assert (cost.runs, cost.machine) == (2, "Some CPU, bf16, input host")
    assert whole == pytest.approx(record.life_ns / 1e9)
    assert cost.epoch_seconds == pytest.approx(
        sum(p.duration_ns for p in record.phases if p.name in ("train_k", "eval_k", "checkpoint_k")) / 5e9
    )


def test_a_table_has_what_is_known_what_is_chosen_and_the_whole_numbers_between() -> None:
    assert epoch_curve.shown([7.59, 10.0], [10.25]) == (7.59, 8.0, 9.0, 10.0, 10.25, 11.0)


@pytest.mark.parametrize("times", [200, pytest.param(4000, marks=pytest.mark.deep)], ids=["slice", "full"])
@pytest.mark.parametrize(("published", "slope"), [(False, None), (True, Slope(1.1, 0.2))], ids=["runs", "joined"])
def test_the_interval_of_the_success_rate_covers_the_truth(times: int, published: bool, slope: Slope | None) -> None:
    """Nine runs at three lengths: 95 % intervals cover the truth as often as they say, to three standard errors."""
    random = np.random.default_rng(12)
    lengths = (7.59, 9.75, 11.0)
    covered = 0
    for _ in range(times):
        # What is not exactly known differs from case to case, as its stated error says.
        true_slope = random.normal(1.1, 0.2)

        def mean(epochs: float, points: float = true_slope) -> float:
            return 94.0 + points * math.log(epochs / 7.59)

        runs = [(each, random.normal(mean(each), 0.132)) for each in lengths for _ in range(3)]
        offset = random.normal(0, epoch_curve.IMPLEMENTATION_SPREAD_PERCENT)
        known = [Published("hive", 7.59, 94.0 + offset, 0.132, 2000)] if published else []
        found = fit(runs, known, slope).predict(10.5, 94.0)
        truth = norm.cdf((mean(10.5) - 93.995) / 0.132)
        covered += found.success_low <= truth <= found.success_high
    assert covered / times == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / times))
