"""How a measurement of the input is shown: every row, the answer with its indicators, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from bench.analysis import frames
from bench.analysis.columns import STALLS
from bench.record.experiment import StoredStalls
from bench.report import stalls as shown

STORED = StoredStalls(1, "hive", "cifar10", 3, (0, 1, 2))
ROW: dict[str, Any] = {
    "epoch": None, "host_runs": 3, "memory_runs": 3, "pairs": 3, "host_seconds": 10.0, "memory_seconds": 7.5,
    "stall_share": 0.25, "buffer_level_mean": 0.4, "buffer_capacity": 4, "buffer_empty_share": 0.75,
    "cost_seconds": 2.5, "cost_share": 0.25, "cost_share_low": 0.2, "cost_share_high": 0.3, "answer": "input-bound",
}  # fmt: skip


def render(stored: StoredStalls = STORED, **changes: Any) -> str:
    rows = [{**ROW, "epoch": 2.0}, {**ROW, **changes}]
    return shown.render(stored, frames.frame(STALLS, rows), width=160)


def test_every_row_has_its_figures_and_the_last_is_of_all() -> None:
    second, last = (" ".join(line.split()) for line in render().splitlines()[1:3])
    told = "25 % 0.4 of 4 75 % 10.000 7.500 2.5 s, 25.0 % (20.0 to 30.0) input-bound"
    assert (second, last) == (f"2 {told}", f"all {told}")


def test_the_answer_comes_with_its_indicators_and_what_to_do() -> None:
    text = " ".join(render().split())
    assert (
        "input-bound: steps waited for input in 25 % of training; the prefetch buffer was empty in 75 % of the" in text
    )
    assert "compared with its control the input costs 2.5 s, 25.0 % (20.0 to 30.0)." in text and "INPUT=device" in text


def test_what_is_not_known_is_no_zero() -> None:
    unknown = dict.fromkeys(("stall_share", "buffer_level_mean", "buffer_capacity", "buffer_empty_share"))
    last = render(**unknown, answer="not enough runs").splitlines()[2]
    assert last.split()[:4] == ["all", "-", "-", "-"]
    assert "no run recorded how long steps waited" in render(**unknown, answer="not enough runs")


def test_one_pair_has_a_cost_without_an_interval() -> None:
    text = render(cost_share_low=None, cost_share_high=None, pairs=1, answer="not enough runs")
    assert "2.5 s, 25.0 %  not enough runs" in text
    assert "Of 3 pairs only 1 can be compared" in text and "--pairs 5" in text


def test_without_a_control_what_the_input_costs_is_not_known() -> None:
    unknown = dict.fromkeys(("memory_seconds", "cost_seconds", "cost_share", "cost_share_low", "cost_share_high"))
    text = render(**unknown, pairs=0, answer="not enough runs")
    assert "steps waited for input in" in text and "no control to compare with" in text


def test_a_cost_without_waiting_is_told_as_shared_cores() -> None:
    text = render(answer="not input-bound", stall_share=0.01)
    assert "CPU cores that the step uses" in text
    assert "CPU cores that the step" not in render(answer="not input-bound", stall_share=0.01, cost_share_low=-0.1)


def test_the_stand_in_says_so() -> None:
    assert shown.STAND_IN in " ".join(render(StoredStalls(1, "smoke", "synthetic", 3, (0, 1, 2))).split())
    assert shown.STAND_IN not in render()


@pytest.mark.parametrize("width", [1, 40, 80, 300])
def test_it_fits_a_terminal_of_any_width(width: int) -> None:
    text = shown.render(STORED, frames.frame(STALLS, [ROW]), width)
    assert max(map(len, text.splitlines())) <= max(width, 40)


def test_what_decides_is_said_before_the_first_run() -> None:
    told = " ".join(shown.plan(STORED))
    assert "3 pairs of runs" in told and "3 epochs each, the first left out" in told
    assert "over 10 % of training waited" in told and "empty in 50 % or more" in told
