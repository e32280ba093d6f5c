"""A position is counted as on a board: ties share it, and what has no value is not on it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.ranking import Position, position

TIMES = (9.5, 40.0, 74.041416, 500.0)


@pytest.mark.parametrize(
    ("value", "rank", "tied"),
    [(1.0, 1, 0), (9.5, 1, 1), (9.6, 2, 0), (40.0, 2, 1), (74.0414164, 3, 1), (74.041418, 4, 0), (9999.0, 5, 0)],
)
def test_a_value_stands_after_those_that_are_better(value: float, rank: int, tied: int) -> None:
    assert position(value, TIMES) == Position(value, rank, 5, tied)


def test_what_has_no_value_is_not_counted() -> None:
    assert position(0.08, (None, 0.1, 0.0629, None)) == Position(0.08, 2, 3, 0)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_miss_has_no_position(value: float) -> None:
    with pytest.raises(ValueError, match="only a finite value has a place"):
        position(value, TIMES)


@given(st.floats(0, 1e6), st.lists(st.floats(0, 1e6)))
def test_a_rank_is_one_more_than_the_number_of_better_values(value: float, others: list[float]) -> None:
    found = position(value, others)
    assert 1 <= found.rank <= found.of == len(others) + 1
    assert found.rank - 1 + found.tied + sum(round(each, 6) > round(value, 6) for each in others) == len(others)
