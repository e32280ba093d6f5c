"""What every share of stalls is made of: the waits of epochs that were trained, and looks at the buffer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.record import Record, WaitHistogram, input_waits
from tests.support.records import Run

#: Five epochs of 10 s.
TRAINED = Run().record()


def told(*waits: WaitHistogram) -> Record:
    return replace(TRAINED, waits=waits)


def waits(epoch: float, seconds: float | None, floor_us: float = 0.0) -> WaitHistogram:
    return WaitHistogram(epoch, (), (97,), floor_us, None if seconds is None else 1e6 * seconds)


def looks(samples: int | None, mean: float | None, empty: float | None, capacity: int | None = 4) -> WaitHistogram:
    seen = WaitHistogram(2.0, (), (97,), 0.0, 0.0)
    return replace(seen, level_samples=samples, level_mean=mean, level_capacity=capacity, level_empty_share=empty)


def test_an_epoch_has_its_training_its_waits_and_what_of_them_was_beyond_the_floor() -> None:
    (second,) = input_waits.waited(told(waits(2, 3.0, floor_us=1e6 / 97)))
    assert (second.epoch, second.train_seconds, second.wait_seconds) == (2.0, 10.0, 3.0)
    assert second.stall_seconds == pytest.approx(2.0)


def test_waits_of_an_epoch_that_are_told_in_parts_are_one_sum() -> None:
    assert [each.wait_seconds for each in input_waits.waited(told(waits(2, 3.0), waits(2, 4.0)))] == [7.0]


def test_waits_that_are_not_known_or_of_no_training_are_none_and_not_zero() -> None:
    assert input_waits.waited(told(waits(2, None), waits(3, 1.0), waits(3, None), waits(9, 1.0))) == ()
    assert input_waits.stall_share(()) is None


def test_the_first_epoch_is_left_out_whether_its_waits_are_known_or_not() -> None:
    assert [each.epoch for each in input_waits.after_first(told(waits(1, 9.0), waits(2, 1.0)))] == [2.0]
    assert [each.epoch for each in input_waits.after_first(told(waits(2, 1.0), waits(3, 1.0)))] == [2.0, 3.0]
    assert input_waits.after_first(replace(Run(correct=(9500,), epochs=1).record(), waits=(waits(1, 9.0),))) == ()


def test_every_look_at_the_buffer_weighs_the_same() -> None:
    assert input_waits.level([looks(30, 4.0, 0.0), looks(10, 0.0, 1.0)]) == input_waits.Level(40, 3.0, 4, 0.25)


def test_what_looks_do_not_tell_is_left_out_and_no_zero() -> None:
    assert input_waits.level([looks(30, 4.0, 0.5), looks(10, None, None, None)]) == input_waits.Level(40, 4.0, 4, 0.5)
    assert input_waits.level([looks(10, None, None, None)]) == input_waits.Level(10, None, None, None)
    assert input_waits.level([looks(None, None, None), looks(0, 0.0, 0.0)]) is None
