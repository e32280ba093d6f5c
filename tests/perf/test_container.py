"""That what a container adds to a run becomes the right figures."""

from __future__ import annotations

import pytest

from tests.perf.container import adds, edges
from tests.support.records import Run


def test_what_is_added_is_the_median_of_the_pairs_differences() -> None:
    contained, native = [(3.5, 0.3), (4.0, 0.2), (9.0, 0.2)], [(3.0, 0.1), (3.0, 0.1), (3.0, 0.1)]
    assert adds(contained, native).startswith("the container adds 1.00 s to the start of a run and 0.10 s to its end")


def test_the_start_of_a_run_is_until_it_loads_its_data() -> None:
    assert edges(Run().record()) == pytest.approx((4.0, -0.001))
