"""A place is counted as on a board: ties share it, misses are infinite, and no price is no place for cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.ranking import Neighbour, Place, Ranking, Sample, place, rank


@dataclass(frozen=True)
class Entry:
    name: str
    seconds: float
    cost: float | None = None


BOARD = (Entry("a", 9.5), Entry("b", 40.0, 0.1), Entry("c", 74.041416, 0.0629), Entry("d", 500.0, 3.0))


def names(neighbours: tuple[Neighbour[Entry], ...]) -> str:
    return "".join(each.entrant.name for each in neighbours)


def at(seconds: float) -> Place[Entry]:
    return place(seconds, BOARD, lambda each: each.seconds)


def ranked(*seconds: float, price: float | None = None) -> Ranking[Entry]:
    times = dict(enumerate(seconds))
    hits = sorted((each, seed) for seed, each in times.items() if math.isfinite(each))
    chosen = hits[len(hits) // 2][1] if hits else None
    return rank(Sample(times, chosen), price, BOARD, lambda each: each.seconds, lambda each: each.cost)


@pytest.mark.parametrize(
    ("seconds", "expected", "above", "below"),
    [(1.65, 1, "", "abcd"), (9.6, 2, "a", "bcd"), (60.0, 3, "ab", "cd"), (1e6, 5, "abcd", "")],
)
def test_a_place_is_one_after_all_that_are_faster(seconds: float, expected: int, above: str, below: str) -> None:
    found = at(seconds)
    assert (found.rank, found.of, found.tied) == (expected, 5, 0)
    assert (names(found.above), names(found.below)) == (above, below)


def test_a_tie_shares_the_rank_and_stands_above_it() -> None:
    assert (at(40.0).rank, at(40.0).tied, names(at(40.0).below)) == (2, 1, "bcd")


def test_neighbours_have_the_rank_they_have_with_the_value_among_them() -> None:
    found = place(40.0, (9.5, 9.5, 40.0, 50.0), lambda each: each)
    assert [each.rank for each in found.above] == [1, 1]
    assert (found.rank, [each.rank for each in found.below]) == (3, [3, 5])


def test_the_float_dust_of_an_hour_does_not_break_a_tie() -> None:
    assert at(74.041416 / 3600 * 3600 + 1e-9).tied == 1


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_miss_has_no_place(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        at(value)


@pytest.mark.parametrize(
    ("seconds", "count", "above", "below"),
    [(1.0, 3, "", "abc"), (60.0, 2, "b", "c"), (60.0, 3, "b", "cd"), (1e6, 3, "bcd", ""), (60.0, 99, "ab", "cd")],
)
def test_neighbours_are_the_nearest_and_one_side_fills_for_the_other(
    seconds: float, count: int, above: str, below: str
) -> None:
    assert tuple(map(names, at(seconds).around(count))) == (above, below)


@given(st.floats(0, 1e6), st.lists(st.floats(0, 1e6), max_size=40), st.integers(0, 50))
def test_a_place_leaves_nobody_out_and_its_neighbours_stand_next_to_it(
    value: float, times: list[float], count: int
) -> None:
    found = place(value, times, lambda each: each)
    assert [each.entrant for each in (*found.above, *found.below)] == sorted(times)
    assert found.rank + len(found.below) == found.of == len(times) + 1
    above, below = found.around(count)
    assert len(above) + len(below) == min(count, len(times))
    assert found.above[len(found.above) - len(above) :] == above and found.below[: len(below)] == below


def test_the_run_that_stands_for_the_campaign_has_the_place_and_not_the_best() -> None:
    found = ranked(30.0, 8.0, 60.0)
    assert found.time is not None and found.best is not None
    assert (found.time.value, found.time.rank, found.best.value, found.best.rank) == (30.0, 2, 8.0, 1)


def test_where_half_of_the_runs_miss_there_is_no_place_but_what_a_run_alone_would_have_made() -> None:
    found = ranked(8.0, math.inf, 30.0, math.inf, price=3.6)
    assert found.sample.median_seconds == math.inf
    assert (found.time, found.cost) == (None, None)
    assert found.single is not None and found.best is not None
    assert (found.single.value, found.best.value) == (30.0, 8.0)
    assert found.sample.success_rate.estimate == 0.5


def test_a_miss_counts_in_the_rate_and_the_median_where_most_reached() -> None:
    found = ranked(10.0, 20.0, math.inf)
    assert (found.sample.reached, found.sample.runs, found.sample.median_seconds) == (2, 3, 20.0)
    assert found.time is not None


@pytest.mark.parametrize("times", [(), (math.inf,), (math.inf, math.inf)])
def test_where_nothing_reached_the_target_there_is_no_place_at_all(times: tuple[float, ...]) -> None:
    found = ranked(*times, price=1.0)
    assert (found.time, found.cost, found.single, found.best) == (None, None, None, None)
    assert (found.sample.best_seed, found.sample.has_a_time) == (None, False)


def test_the_cost_board_has_only_entries_with_a_price() -> None:
    found = ranked(100.0, price=3.6)
    assert found.cost is not None
    assert (round(found.cost.value, 6), found.cost.rank, found.cost.of) == (0.1, 2, 4)
    assert (found.cost.tied, names(found.cost.above), names(found.cost.below)) == (1, "c", "bd")


def test_without_a_price_there_is_no_place_on_the_cost_board() -> None:
    assert ranked(100.0).cost is None


def test_the_best_of_equal_runs_is_the_first_seed() -> None:
    assert ranked(5.0, 5.0).sample.best_seed == 0
