"""That the comparison of sampled and unsampled runs turns its figures into the right words."""

from __future__ import annotations

import math

import pytest

from bench.record.telemetry import Sampling
from tests.perf.sampler import Measured, compare, order, report


def sampled(train_seconds: float, *tick_costs_us: float) -> Measured:
    return Measured(train_seconds, 20.0, Sampling(cpu_seconds=0.01), tick_costs_us)


def unsampled(train_seconds: float) -> Measured:
    return Measured(train_seconds, 20.0, Sampling(off=True), ())


def test_pairs_take_turns_in_being_first() -> None:
    assert order(3) == [(0, True), (0, False), (1, False), (1, True), (2, True), (2, False)]


def test_the_ratio_is_of_pairs_and_its_interval_of_their_logarithms() -> None:
    # Runs that drift from 10 s to 40 s, the sampler taking 1 % of one, 3 % of another: the drift cancels.
    found = compare([sampled(10.1, 100, 300), sampled(41.2, 200)], [unsampled(10.0), unsampled(40.0)])

    logs = [-math.log(1.01), -math.log(1.03)]
    middle, half = sum(logs) / 2, 12.706 * abs(logs[0] - logs[1]) / 2  # Student's t of one degree of freedom
    assert found.ratio == pytest.approx(math.exp(middle))
    assert (found.low, found.high) == pytest.approx((math.exp(middle - half), math.exp(middle + half)), rel=1e-4)
    assert (found.tick_median_us, found.tick_max_us) == (200, 300)
    assert found.core_share_percent == pytest.approx(0.05)


def test_one_pair_has_no_interval() -> None:
    words = report(compare([sampled(10.0, 150)], [unsampled(10.0)]))

    assert words == (
        "time without the sampler / time with it: 1.0000 (1 pairs)\n"
        "a tick: median 150 us of CPU, at most 150 us; ticks and edges together 0.050 % of a core"
    )
