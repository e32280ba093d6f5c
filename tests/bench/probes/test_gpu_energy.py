"""The step of an energy counter, seen by watching one that is simulated: no time passes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bench.probes.gpu.energy import EnergyStep, measure


class Simulated:
    """A clock that moves when somebody sleeps, and a counter that moves with it."""

    def __init__(self, counter_mj: Callable[[int], int | None]) -> None:
        self.now_ns = 0
        self.counter_mj = counter_mj

    def watch(self, seconds: float = 0.3) -> EnergyStep | None:
        return measure(lambda: self.counter_mj(self.now_ns), seconds, lambda: self.now_ns, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


@given(st.sampled_from([5, 10, 20, 50, 100]), st.integers(20, 700))
def test_a_counter_that_moves_in_steps_is_measured_to_the_millisecond(period_ms: int, watts: int) -> None:
    step = Simulated(lambda now_ns: now_ns // (period_ms * 1_000_000) * period_ms * watts).watch()
    assert step == EnergyStep(period_ms, period_ms * watts)


def test_a_counter_that_does_not_move_or_does_not_answer_has_no_step() -> None:
    assert Simulated(lambda now_ns: 5).watch() is None
    assert Simulated(lambda now_ns: None).watch() is None
    assert Simulated(lambda now_ns: 5 if now_ns < 20_000_000 else None).watch() is None


def test_one_move_says_nothing_about_the_next() -> None:
    assert Simulated(lambda now_ns: now_ns // 200_000_000).watch(seconds=0.3) is None


def test_watching_ends_with_its_time_and_as_soon_as_it_has_seen_enough() -> None:
    still = Simulated(lambda now_ns: 5)
    still.watch(seconds=0.1)
    assert still.now_ns == 100_000_000
    moving = Simulated(lambda now_ns: now_ns // 10_000_000)
    moving.watch(seconds=0.3)
    assert moving.now_ns == 50_000_000


def test_a_counter_that_starts_again_is_measured_from_there() -> None:
    def restarted(now_ns: int) -> int:
        return now_ns // 20_000_000 * 300 + (900_000 if now_ns < 50_000_000 else 0)

    assert Simulated(restarted).watch() == EnergyStep(20.0, 300.0)
