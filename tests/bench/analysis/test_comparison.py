"""What is compared, what is refused, and which of the three answers is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.analysis.comparison import (
    FASTER,
    NO_DIFFERENCE,
    NOT_ENOUGH,
    SLOWER,
    WITHIN_DRIFT,
    Comparison,
    Side,
    compare,
)
from bench.analysis.comparison_table import table
from bench.analysis.fixed_work import Work
from bench.errors import Refused, UsageError
from bench.record import Record
from bench.rules import with_verdict
from tests.support.records import NS, Run

EVEN = (10.0, 10.05, 9.95, 10.02, 9.98)


def side(name: str, times: Sequence[float], seeds: Sequence[int] | None = None, **changes: Any) -> Side:
    """A side whose runs train their epochs in these times, one a run."""
    place = ord(name) * 1_000_000
    records = []
    for index, seconds in enumerate(times):
        run = Run(
            seed=index if seeds is None else seeds[index], train_seconds=seconds,
            spawned_ns=(place + index * 1_000) * NS, **changes,
        )  # fmt: skip
        records.append(with_verdict(run.record()))
    return Side(name, f"configuration {name}", tuple(records))


def turns(*sides: Side) -> list[Side]:
    """The sides as those of one A/B, whose runs alternated."""
    return [replace(each, interleaved_in="ab") for each in sides]


def slowed(times: Sequence[float], percent: float) -> list[float]:
    return [each * (1 + percent / 100) for each in times]


def answers(comparison: Comparison) -> list[str]:
    return [each.answer.kind for each in comparison.versus]


def test_a_side_that_takes_longer_is_slower_and_the_other_way_round_faster() -> None:
    one, other = side("A", EVEN), side("B", slowed(EVEN[::-1], 5))
    found = compare([one, other]).versus[0]
    assert (found.answer.kind, found.effect.design) == (SLOWER, "unpaired")  # Made one after the other.
    paired = compare(turns(one, other)).versus[0]
    assert (paired.answer.kind, paired.effect.design, paired.effect.pairs) == (SLOWER, "paired", 5)
    assert found.effect.estimate_percent == pytest.approx(5, abs=0.1)
    back = compare([other, one]).versus[0]
    assert back.answer.kind == FASTER
    assert back.effect.estimate_percent == pytest.approx(100 * (1 / 1.05 - 1), abs=0.1)


def test_from_six_pairs_on_the_differences_within_pairs_are_ranked() -> None:
    six = (*EVEN, 10.01)
    theirs = [each * (1.01 + index / 1000) for index, each in enumerate(six)]
    found = compare(turns(side("A", six), side("B", theirs))).versus[0].effect
    gaps = np.log(theirs) - np.log(six)
    assert found.test == "Wilcoxon signed ranks"
    assert found.p_value == pytest.approx(stats.wilcoxon(gaps).pvalue)
    # All six are of one sign: the interval is from the least to the greatest, with 1 - 2 / 64.
    assert [found.low_percent, found.high_percent] == pytest.approx(
        [100 * math.expm1(gaps.min()), 100 * math.expm1(gaps.max())]
    )
    assert found.confidence_percent == pytest.approx(100 * (1 - 2 / 64))


def test_other_seeds_are_compared_unpaired_by_the_rank_sum() -> None:
    theirs = slowed(EVEN, 1)
    found = compare(turns(side("A", EVEN), side("B", theirs, seeds=[5, 6, 7, 8, 9]))).versus[0].effect
    assert (found.design, found.pairs, found.test) == ("unpaired", 0, "Mann-Whitney")
    assert found.p_value == pytest.approx(stats.mannwhitneyu(theirs, EVEN, method="exact").pvalue)
    gaps = sorted(math.log(one / other) for one in theirs for other in EVEN)
    assert [found.low_percent, found.high_percent] == pytest.approx(
        [100 * math.expm1(gaps[2]), 100 * math.expm1(gaps[-3])]
    )
    assert found.confidence_percent == pytest.approx(100 * (1 - 2 * 4 / 252))


def test_sides_that_share_some_seeds_are_compared_with_all_their_runs() -> None:
    times = (*EVEN, 10.01, 9.99, 10.03)
    comparison = compare([side("A", times[:7]), side("B", times)])
    assert comparison.versus[0].effect.design == "unpaired"


def test_alike_sides_differ_by_no_more_than_the_interval_says() -> None:
    found = compare(turns(side("A", EVEN), side("B", EVEN[::-1]))).versus[0]
    assert found.answer.kind == NO_DIFFERENCE
    assert found.effect.furthest_percent < 2


def test_what_cannot_be_told_asks_for_more_runs_and_says_how_many_with_an_interval() -> None:
    wide = (10.0, 12.0, 9.0, 11.0, 10.5)
    both = turns(side("A", wide), side("B", wide[::-1]))
    answer = compare(both).versus[0].answer
    assert answer.kind == NOT_ENOUGH
    assert answer.runs_needed is not None and answer.runs_needed > 50
    assert answer.runs_needed_low is not None and answer.runs_needed_high is not None
    assert answer.runs_needed_low < answer.runs_needed / 2 and answer.runs_needed_high > 5 * answer.runs_needed
    # The same runs do tell a larger difference.
    assert answers(compare(both, tell_percent=40)) == [NO_DIFFERENCE]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_sides_of_three_runs_or_fewer_are_never_no_difference_nor_slower(count: int) -> None:
    for theirs in (EVEN[:count], slowed(EVEN[:count], 50)):
        comparison = compare(turns(side("A", EVEN[:count]), side("B", theirs)), tell_percent=60)
        found = comparison.versus[0]
        assert (found.answer.kind, found.answer.runs_needed) == (NOT_ENOUGH, 4)
        assert math.isnan(found.effect.low_percent)
        assert comparison.unable() == (found,)


def test_equal_times_differ_by_nothing_and_by_exactly_what_they_differ() -> None:
    same = compare(turns(side("A", [10.0] * 5), side("B", [10.0] * 5))).versus[0]
    assert (same.answer.kind, same.effect.estimate_percent) == (NO_DIFFERENCE, 0)
    found = compare(turns(side("A", [10.0] * 5), side("B", [15.0] * 5))).versus[0]
    assert (found.answer.kind, found.effect.estimate_percent) == (SLOWER, pytest.approx(50))


def test_among_several_sides_so_few_runs_can_show_nothing_and_that_is_told() -> None:
    four = EVEN[:4]
    sides = [side("A", four), side("B", slowed(four[::-1], 10)), side("C", slowed(four[::-1], 20))]
    comparison = compare(sides)
    # 2 of 70 orders, and two comparisons: 0.057. One-sided it is 0.029, which a gate can use.
    assert answers(comparison) == [NOT_ENOUGH, NOT_ENOUGH]
    assert [each.answer.runs_needed for each in comparison.versus] == [5, 5]
    assert comparison.unable() == ()
    assert len(comparison.slower_than(2)) == 2
    assert answers(compare(sides[:2])) == [SLOWER]
    six = (*EVEN, 10.01)  # 2 of 64 signs, twice: 0.0625, so the runs are ranked together.
    comparison = compare([side("A", six), side("B", slowed(six[::-1], 10)), side("C", slowed(six[::-1], 50))])
    assert {each.effect.test for each in comparison.versus} == {"Mann-Whitney"}
    assert answers(comparison) == [SLOWER, SLOWER]


def test_one_outlier_does_not_hide_that_every_run_is_slower() -> None:
    a = (14.05, 14.12, 14.05, 13.82, 14.13)
    for third in (14.75, 19.22, 1900.0):
        comparison = compare([side("A", a), side("B", (14.77, 14.62, third, 14.75, 14.74))])
        assert answers(comparison) == [SLOWER]
        assert [each.side.name for each in comparison.slower_than(2)] == ["B"]
        assert comparison.versus[0].effect.bare is not None
        assert comparison.versus[0].effect.bare.p_value == pytest.approx(2 / 252)


def test_runs_that_took_no_time_are_left_out() -> None:
    comparison = compare([side("A", EVEN), side("B", [*EVEN[::-1], 0.0])])
    assert comparison.sides[1].left_out == ("seed 5 (did not do all of the work)",)
    assert list(table(comparison)["runs"]) == [5, 5]


def test_a_miss_is_compared_like_any_run_and_counted_as_none_that_reached() -> None:
    missing = side("B", EVEN, correct=(4000, 9000, 9100, 9200, 9300))
    comparison = compare([side("A", EVEN), missing])
    rows = table(comparison)
    assert list(rows["runs"]) == [5, 5]
    assert list(rows["reached"]) == [5, 0]
    assert list(rows["success_rate"]) == [1, 0]
    assert rows["dawnbench_median_seconds"][1] == math.inf


def test_runs_that_do_not_count_are_named() -> None:
    one = side("A", EVEN)
    failed = with_verdict(Run(seed=7, status="failed", spawned_ns=77 * NS, correct=(4000,)).record())
    comparison = compare([replace(one, records=(*one.records, failed)), side("B", EVEN)])
    assert comparison.sides[0].left_out == ("seed 7 (failed)",)
    assert list(table(comparison)["left_out"]) == [1, 0]


def test_a_run_that_stands_out_is_told_and_kept() -> None:
    comparison = compare([side("A", EVEN), side("B", [*EVEN[:4], 20.0])])
    assert comparison.sides[1].outliers == (4,)
    assert list(table(comparison)["runs"]) == [5, 5]


def test_what_differs_is_told_with_whether_it_may_be_mixed() -> None:
    start = {"fingerprint": {"git.dirty": False, "gpu.driver_version": "570.1", "gpu.count": 2}}
    comparison = compare([side("A", EVEN), side("B", EVEN, start=start)])
    told = {each.name: (each.values, each.must_match) for each in comparison.config_diff}
    assert told["gpu.driver_version"] == (("-", "570.1"), True)
    assert told["gpu.count"] == (("-", "2"), False)
    order = [each.must_match for each in comparison.config_diff]
    assert order == sorted(order, reverse=True)


def test_different_data_or_recipes_are_refused() -> None:
    with pytest.raises(Refused, match="more than one dataset, cifar10 and synthetic"):
        compare([side("A", EVEN), side("B", EVEN, dataset="synthetic")])
    numbers = {"target_percent": 94.0, "epochs": 5, "steps_per_epoch": 97, "batch": 512}
    other = {"recipe": {"name": "hive", "sha256": "ef" * 32, **numbers}}
    with pytest.raises(Refused, match=r"different recipes \(hive efefefef, page24 abababab\).*make ablate"):
        compare([side("A", EVEN), side("B", EVEN, hello=other)])
    compare([side("A", EVEN), side("B", EVEN[::-1], hello=other)], different_work=True)


def test_one_run_on_two_sides_is_refused() -> None:
    one = side("A", EVEN)
    with pytest.raises(Refused, match=r"the same run, seed 0 of .* is on A and on B"):
        compare([one, replace(one, name="B")])


def test_one_run_under_several_seeds_is_refused() -> None:
    one = side("A", EVEN[:2])
    copied = replace(one, records=(*one.records, replace(one.records[0], seed=7)))
    with pytest.raises(Refused, match="is twice on A"):
        compare([copied, side("B", EVEN)])


def test_several_runs_in_one_process_have_no_time_and_are_said_to() -> None:
    comparison = compare([side("A", EVEN), side("B", EVEN, runs=3)])
    assert len(comparison.sides[1].left_out) == len(EVEN)
    assert comparison.unable()


def test_a_run_without_events_is_named() -> None:
    comparison = compare([side("A", EVEN), replace(side("B", EVEN), without_events=("seed-007",))])
    assert comparison.sides[1].left_out == ("seed-007 (no events)",)


def test_a_planned_seed_without_a_run_is_named_and_not_successful() -> None:
    planned = replace(side("B", EVEN), plan=(*range(len(EVEN)), 7, 8), without_events=("seed-007",))
    comparison = compare([side("A", EVEN), planned])
    assert comparison.sides[1].left_out == ("seed-007 (no events)", "seed 8 (no run)")
    row = table(comparison).iloc[1]
    assert (row["left_out"], row["success_rate"]) == (2, row["reached"] / (len(EVEN) + 2))


def test_half_an_epoch_is_not_the_time_of_an_epoch() -> None:
    def halved(record: Record) -> Record:
        last = replace(record.epochs[-1], epoch=4.5, train_seconds=1.0)
        return replace(record, epochs=(*record.epochs[:-1], last))

    one = side("A", EVEN)
    comparison = compare([replace(one, records=tuple(map(halved, one.records)), work=Work(3, 1)),
                          replace(side("B", EVEN[::-1]), work=Work(3, 1))])  # fmt: skip
    assert table(comparison)["epoch_train_seconds"][0] == pytest.approx(10.0)


def test_one_side_and_an_empty_side_are_no_comparison() -> None:
    with pytest.raises(UsageError, match="two campaigns"):
        compare([side("A", EVEN)])
    with pytest.raises(Refused, match="B has no run yet"):
        compare([side("A", EVEN), Side("B", "", ())])


def test_several_sides_are_each_held_against_the_first_and_judged_together() -> None:
    comparison = compare([side("A", EVEN), side("B", slowed(EVEN[::-1], 5)), side("C", EVEN[::-1])])
    assert answers(comparison) == [SLOWER, WITHIN_DRIFT]
    assert comparison.versus[0].effect.p_holm == pytest.approx(2 * comparison.versus[0].effect.p_value)
    rows = table(comparison)
    assert list(rows["against"].fillna("")) == ["", "A", "A"]


def test_the_gate_stops_what_is_slower_by_more_and_nothing_else() -> None:
    comparison = compare([side("A", EVEN), side("B", slowed(EVEN[::-1], 5)), side("C", slowed(EVEN[::-1], -5))])
    assert [each.side.name for each in comparison.slower_than(2)] == ["B"]
    assert comparison.slower_than(6) == ()
    assert comparison.unable() == ()


def test_fixed_work_of_a_few_epochs_leaves_the_first_out_and_needs_no_whole_schedule() -> None:
    work = Work(epochs=3, left_out=1)
    assert str(work) == "train@1, epochs 2 to 3"

    def cut(name: str, times: Sequence[float]) -> Side:
        whole = side(name, times, status="cut_short", correct=(4000, 5000, 6000))
        return replace(whole, work=work)

    comparison = compare(turns(cut("A", EVEN), cut("B", slowed(EVEN[::-1], 5))))
    assert answers(comparison) == [SLOWER]
    assert comparison.sides[0].seconds == pytest.approx([2 * each for each in EVEN])
    assert list(table(comparison)["reached"].isna()) == [True, True]


def test_sides_with_other_work_are_refused() -> None:
    with pytest.raises(Refused, match="not the same work"):
        compare([side("A", EVEN), replace(side("B", EVEN), work=Work(3, 1))])


def test_a_record_that_was_not_judged_is_a_mistake_of_ours() -> None:
    raw: Record = Run().record()
    with pytest.raises(ValueError, match="verdict"):
        compare([Side("A", "", (raw,)), side("B", EVEN)])
