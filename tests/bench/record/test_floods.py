"""Runs of as many events as a trainer may write: what is made of them takes time that grows with the events alone.

Steps are counted, not seconds: a line of Python each, so that a slow day changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import frames
from bench.record import PhaseSpan, build_record
from bench.record.counter_snapshots import CounterSnapshot, amounts
from bench.record.model import Evaluation
from bench.record.utilization import Training, trainings
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run

#: Four times the events may take so many times the steps: 4 and what sorting adds.
MOST = 5.0


def flood(kind: str, count: int) -> list[dict[str, Any]]:
    """The lines of a run with ``count`` events of a kind between its hello and its end."""
    lines = Run(machine=Machine()).lines()
    hello = next(index for index, line in enumerate(lines) if line["event"] == "hello")
    begin_ns = t_ns = lines[hello]["t_ns"]
    added: list[dict[str, Any]] = []

    def event(kind: str, **body: Any) -> None:
        added.append({"v": 1, "event": kind, "run": 0, "t_ns": t_ns, **body, "received_ns": t_ns + 10})

    def own(name: str, **body: Any) -> None:
        added.append({"event": name, **body, "received_ns": t_ns + 10})

    def epoch(number: float, correct: int = 9500, view: str = "plain") -> None:
        event("epoch", epoch=number, steps=1, images=10, loss=1.0, correct=correct, total=10_000, view=view)

    for index in range(count):
        before_ns, t_ns = t_ns, t_ns + 1000
        if kind in ("trainings", "trainings backwards", "overlapping trainings"):
            number = count - index if kind == "trainings backwards" else index
            begin = begin_ns if kind == "overlapping trainings" else before_ns
            event("phase", name="train_k", begin_ns=begin, end_ns=t_ns, epoch=number)
            own("harness_edge", edge="train_k", t_ns=t_ns, epoch=number, energy_mj=index, cost_us=3.0)
        elif kind == "epochs":
            event("phase", name=("train_k", "eval_k")[index % 2], begin_ns=before_ns, end_ns=t_ns, epoch=index)
            epoch(index, correct=9500 if index == count - 1 else 10)
        elif kind == "views":
            epoch(5, view=("plain", "six", "flip")[index % 3])
        elif kind == "recounts":
            epoch(index)
            own("harness_recount", epoch=-1, correct=9500, total=10_000)
        elif kind == "waits":
            event("phase", name="train_k", begin_ns=before_ns, end_ns=t_ns, epoch=index)
            event("waits", epoch=index, edges_us=[1.0], counts=[1, 1], floor_us=0.5, sum_us=3.0)
            epoch(index)
        elif kind == "snapshots":
            own("harness_edge", edge="x", t_ns=t_ns, lost_ns={f"c{index}": 1}, pressure_seconds={f"p{index}": 1.0})
        else:
            event("warning", message="x")
    end = {**lines[-1], "exited_ns": t_ns + 1_000_000_000}
    return [*lines[: hello + 2], *added, end]


KINDS = (
    *("trainings", "trainings backwards", "overlapping trainings", "epochs", "views", "recounts", "waits"),
    *("snapshots", "warnings"),
)


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` runs through, each pass of a loop counted."""
    counted = 0

    def line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal counted
        counted += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def everything(lines: list[dict[str, Any]], ticks: Any) -> None:
    record = with_verdict(build_record(lines, telemetry=ticks))
    frames.summary(frames.runs([record]))
    frames.epochs([record])


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_events_are_four_times_the_work(kind: str) -> None:
    ticks = Run(machine=Machine()).ticks()
    everything(flood(kind, 1), ticks)  # what is read and compiled once
    none, few, many = (steps(partial(everything, flood(kind, count), ticks)) for count in (0, 150, 600))
    assert many - none <= MOST * (few - none)


# The same as before, by what each means.

EPOCHS = st.integers(0, 6).map(float)


def phase(epoch: float, end_ns: int = 0) -> PhaseSpan:
    return PhaseSpan("train_k", epoch, 0, end_ns)


@given(st.lists(EPOCHS, max_size=6), st.lists(EPOCHS, max_size=8))
def test_each_training_belongs_to_the_first_evaluation_that_is_not_before_it(
    evaluated: list[float], trained: list[float]
) -> None:
    evaluations = [Evaluation(epoch, 1, 1, 0.0, 1, 1, "plain") for epoch in evaluated]
    phases = [phase(epoch, end_ns) for end_ns, epoch in enumerate(trained)]
    expected, left = [], sorted(phases, key=lambda each: each.epoch or 0)
    for epoch in (*evaluated, *(each.epoch or 0 for each in left)):
        taken = tuple(each for each in left if (each.epoch or 0) <= epoch)
        left = left[len(taken) :]
        expected += [Training(epoch, taken)] if taken else []
    assert trainings(evaluations, phases) == tuple(expected)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)), max_size=6))
def test_each_counter_grows_by_itself(read: list[dict[str, int]]) -> None:
    edges = [CounterSnapshot("x", t_ns * 1_000_000_000, lost_ns=each) for t_ns, each in enumerate(read)]
    found = amounts(edges, lambda each: each.lost_ns)
    for name in "abc":
        known = [(t, each[name]) for t, each in enumerate(read) if name in each]
        values = [value for _, value in known]
        if len(known) < 2 or values != sorted(values):
            assert name not in found
        else:
            assert found[name].amount == values[-1] - values[0]
            assert found[name].seconds == known[-1][0] - known[0][0]


def test_a_recount_is_of_the_nearest_evaluation_of_its_epoch_before_it() -> None:
    lines = flood("views", 3)
    own = {"event": "harness_recount", "epoch": 5, "correct": 9500, "total": 10_000, "received_ns": 1}
    first = next(index for index, line in enumerate(lines) if line["event"] == "epoch")
    record = build_record([*lines[: first + 1], own, *lines[first + 1 : -1], own, {**own, "epoch": 4}, lines[-1]])
    assert [(each.epoch, each.index) for each in record.recounts] == [(5, 0), (5, 2), (4, None)]
