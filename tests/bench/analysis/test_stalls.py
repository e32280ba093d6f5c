"""What an input costs, and that two indicators have to agree before training is called input-bound."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bench.analysis import stalls
from bench.analysis.censored import Interval
from bench.analysis.stalls import INPUT_BOUND, NOT_ENOUGH, NOT_INPUT_BOUND
from bench.record import Record, build_record
from bench.rules import with_verdict
from tests.support.records import Run

UNKNOWN = Interval(math.nan, math.nan, math.nan)
ONE_PAIR = Interval(0.5, math.nan, math.nan)


def run(
    seconds: float, seed: int = 0, *, input: str = "host", stalled: float | None = None, empty: float | None = None,
    status: str = "cut_short", epochs: int = 3, **changes: Any,
) -> Record:  # fmt: skip
    """A judged run of ``epochs`` epochs of ``seconds`` each, ``stalled`` seconds of them spent waiting."""
    told = Run(
        seed=seed, correct=[1000] * epochs, epochs=5 if status == "cut_short" else epochs, train_seconds=seconds,
        status=status, hello={"input": input}, **changes,
    )  # fmt: skip
    lines = []
    for line in told.lines():
        if line["event"] == "epoch" and stalled is not None:
            looks = {} if empty is None else {"level_samples": 32, "level_capacity": 4, "level_empty_share": empty}
            looks |= {} if empty is None else {"level_mean": 4 * (1 - empty)}
            # Ten steps of 100 us, which is the floor, and what they waited beyond it.
            waits = {"epoch": line["epoch"], "edges_us": [1e3], "counts": [0, 10], "floor_us": 100.0}
            lines.append({**line, "event": "waits", **waits, "sum_us": 1e6 * stalled + 1000.0, **looks})
        lines.append(line)
    return with_verdict(build_record(lines))


def pairs(host: list[float], memory: list[float], **indicator: Any) -> dict[str, list[Record]]:
    """Runs of both inputs whose epochs take these seconds."""
    return {
        "host": [run(each, seed, **indicator) for seed, each in enumerate(host)],
        "memory": [run(each, seed, input="memory") for seed, each in enumerate(memory)],
    }


def whole(frame: pd.DataFrame) -> Any:
    return frame.iloc[-1]


@pytest.mark.parametrize(
    ("stalled", "empty", "cost", "said"),
    [
        (0.5, 0.9, UNKNOWN, INPUT_BOUND),
        (0.5, 0.5, UNKNOWN, INPUT_BOUND),
        (0.5, 0.1, Interval(0.4, 0.3, 0.5), INPUT_BOUND),
        (0.5, None, Interval(0.4, 0.3, 0.5), INPUT_BOUND),
        (0.5, None, Interval(0.4, -0.1, 0.6), NOT_INPUT_BOUND),
        (0.5, 0.1, Interval(0.02, 0.01, 0.03), NOT_INPUT_BOUND),
        (0.5, None, ONE_PAIR, NOT_ENOUGH),
        (0.5, 0.1, ONE_PAIR, NOT_ENOUGH),
        (0.5, None, UNKNOWN, NOT_ENOUGH),
        (0.05, 1.0, Interval(0.4, 0.3, 0.5), NOT_INPUT_BOUND),
        (0.10, 1.0, Interval(0.4, 0.3, 0.5), NOT_INPUT_BOUND),
        (None, None, Interval(0.4, 0.3, 0.5), NOT_ENOUGH),
    ],
)
def test_input_bound_needs_waiting_and_one_more_indicator(
    stalled: float | None, empty: float | None, cost: Interval, said: str
) -> None:
    assert stalls.answer(stalled, empty, cost) == said


def test_the_cost_is_what_the_control_saves_of_the_host_s_time() -> None:
    found = stalls.cost([(10.0, 7.5), (10.1, 7.6), (9.9, 7.4)])
    assert found.estimate == pytest.approx(0.25, abs=0.001)
    assert 0.2 < found.low < found.estimate < found.high < 0.3


def test_a_control_that_is_slower_makes_a_cost_below_zero() -> None:
    assert stalls.cost([(7.0, 7.7), (7.1, 7.8)]).estimate == pytest.approx(-0.1, abs=0.01)


def test_one_pair_has_a_cost_and_no_interval() -> None:
    found = stalls.cost([(10.0, 5.0)])
    assert found.estimate == pytest.approx(0.5) and math.isnan(found.low)


def test_a_machine_that_slows_down_over_the_pairs_does_not_hide_what_the_input_costs() -> None:
    """Each run is compared with the one beside it, whose share of the drift is the same."""
    frame = stalls.table(pairs([10.0, 15.1, 20.0, 30.2], [8.0, 12.0, 16.1, 24.0], stalled=3.0))
    last = whole(frame)
    assert 0.19 < last["cost_share_low"] < last["cost_share"] < last["cost_share_high"] < 0.21
    assert last["answer"] == INPUT_BOUND
    # The same runs beside others' partners: the drift is then a difference of seeds, and the interval says so.
    shuffled = stalls.table(pairs([10.0, 15.1, 20.0, 30.2], [24.0, 8.0, 12.0, 16.1], stalled=3.0))
    assert whole(shuffled)["cost_share_low"] < 0


def test_a_run_without_its_partner_is_in_no_comparison() -> None:
    records = pairs([10.0, 10.2, 90.0], [5.0, 5.1, 5.2])
    records["memory"] = [records["memory"][0], records["memory"][1], run(1.0, 7, input="memory")]
    last = whole(stalls.table(records))
    assert (last["host_runs"], last["memory_runs"], last["pairs"]) == (3, 3, 2)
    assert last["cost_share"] == pytest.approx(0.5) and last["cost_share_low"] > 0.49


def test_a_starved_input_is_input_bound_with_its_shares_epoch_by_epoch() -> None:
    frame = stalls.table(pairs([10.0, 10.2, 9.8], [4.0, 4.1, 3.9], stalled=6.0, empty=0.75))
    assert [None if pd.isna(each) else each for each in frame["epoch"]] == [2.0, 3.0, None]
    last = whole(frame)
    assert last["answer"] == INPUT_BOUND and (last["host_runs"], last["memory_runs"]) == (3, 3)
    assert last["stall_share"] == pytest.approx(36 / 60, rel=1e-9)
    assert (last["buffer_level_mean"], last["buffer_capacity"], last["buffer_empty_share"]) == (1.0, 4, 0.75)
    assert last["cost_share"] == pytest.approx(0.6, abs=0.001)
    # Two epochs together: twice the difference of the geometric means of one.
    assert last["cost_seconds"] == pytest.approx(2 * frame.iloc[0]["cost_seconds"])


def test_an_input_that_keeps_up_is_not_input_bound() -> None:
    frame = stalls.table(pairs([4.1, 4.0, 4.2], [4.0, 4.1, 3.9], stalled=0.1, empty=0.0))
    assert whole(frame)["answer"] == NOT_INPUT_BOUND


def test_waiting_that_costs_nothing_is_not_input_bound() -> None:
    """As where a device works on while the host waits."""
    frame = stalls.table(pairs([4.0, 4.1, 4.2], [4.05, 4.1, 4.15], stalled=2.0, empty=0.2))
    assert whole(frame)["answer"] == NOT_INPUT_BOUND


def test_the_first_epoch_is_left_out() -> None:
    records = pairs([4.0, 4.1], [4.0, 4.1], stalled=0.1, empty=0.0)
    assert stalls.table(records).iloc[0]["epoch"] == 2.0


def test_a_buffer_nobody_could_see_is_unknown_and_not_empty() -> None:
    last = whole(stalls.table(pairs([10.0, 10.2], [4.0, 4.1], stalled=6.0)))
    assert pd.isna(last["buffer_empty_share"]) and pd.isna(last["buffer_level_mean"])
    assert last["answer"] == INPUT_BOUND  # The control is the other indicator.


def test_runs_that_were_ended_after_enough_epochs_and_runs_that_ended_well_both_count() -> None:
    ended = [run(4.0, status="cut_short"), run(4.0, 1, status="done")]
    assert stalls.counted(ended) == ended


def test_runs_with_anything_else_wrong_do_not_count() -> None:
    wrong = [
        run(4.0, status="failed"),
        run(4.0, status="timed_out"),
        run(4.0, total=500, start={"test_images": 10_000}),
    ]
    assert stalls.counted(wrong) == []
    records = {"host": [run(4.0, stalled=1.0, empty=0.9), *wrong], "memory": [run(3.0, input="memory")]}
    assert whole(stalls.table(records))["host_runs"] == 1


def test_nothing_to_compare_is_one_row_of_unknowns() -> None:
    for records in ({}, {"host": [], "memory": [run(4.0, input="memory")]}, {"host": [run(4.0, epochs=1)]}):
        frame = stalls.table(records)
        assert len(frame) == 1 and whole(frame)["answer"] == NOT_ENOUGH
        assert pd.isna(whole(frame)["cost_share"]) and pd.isna(whole(frame)["stall_share"])


def test_waits_are_told_without_a_control_and_what_they_cost_is_not_known() -> None:
    frame = stalls.table({"host": [run(4.0, stalled=1.0, empty=0.2)], "memory": []})
    assert [None if pd.isna(each) else each for each in frame["epoch"]] == [2.0, 3.0, None]
    last = whole(frame)
    assert last["stall_share"] == pytest.approx(0.25) and last["buffer_empty_share"] == 0.2
    assert last["answer"] == NOT_ENOUGH and last["pairs"] == 0 and pd.isna(last["cost_share"])


def test_looks_that_do_not_tell_how_many_were_empty_are_not_counted_as_full() -> None:
    """As in the record of an older trainer, from before the level was told whole or not at all."""
    seen = run(10.0, stalled=6.0, empty=0.75)
    untold = [replace(each, level_empty_share=None, level_mean=None) for each in seen.waits]
    last = whole(stalls.table({"host": [replace(seen, waits=(seen.waits[0], seen.waits[1], untold[2]))]}))
    assert (last["buffer_empty_share"], last["buffer_level_mean"]) == (0.75, 1.0)
    last = whole(stalls.table({"host": [replace(seen, waits=tuple(untold))]}))
    assert pd.isna(last["buffer_empty_share"]) and pd.isna(last["buffer_level_mean"])


def test_a_run_that_ended_early_is_left_out_where_its_epochs_are_missing() -> None:
    records = pairs([4.0, 4.1], [4.0, 4.1], stalled=0.1, empty=0.0)
    records["host"].append(run(4.2, 2, stalled=0.1, empty=0.0, epochs=2))
    frame = stalls.table(records)
    assert list(frame["host_runs"]) == [3, 2, 2] and list(frame["pairs"]) == [2, 2, 2]
