"""That the comparison of runs in a container and native ones turns its figures into the right words."""

from __future__ import annotations

import math

import pytest

from tests.perf.container import Measured, compare, measured, report


def test_the_ratio_is_of_pairs_and_what_is_added_the_median_of_their_differences() -> None:
    contained = [Measured(10.1, 3.5, 0.3), Measured(41.2, 4.0, 0.2), Measured(10.0, 9.0, 0.2)]
    native = [Measured(10.0, 3.0, 0.1), Measured(40.0, 3.0, 0.1), Measured(10.0, 3.0, 0.1)]
    found = compare(contained, native)
    assert found.ratio == pytest.approx(math.exp((math.log(1.01) + math.log(1.03)) / 3))
    assert found.low < found.ratio < found.high
    assert (found.start_adds_seconds, found.end_adds_seconds) == pytest.approx((1.0, 0.1))


def test_one_pair_has_no_interval() -> None:
    words = report(compare([Measured(10.0, 3.5, 0.3)], [Measured(10.0, 3.0, 0.1)]))
    assert words.splitlines()[0] == "training in the container / native: 1.0000 (1 pairs)"
    assert "adds 0.50 s to the start of a run and 0.20 s to its end" in words


def test_a_run_that_did_not_train_its_schedule_is_no_measurement() -> None:
    from tests.support.records import Run

    with pytest.raises(SystemExit, match="whole schedule"):
        measured(Run(status="failed").record())
