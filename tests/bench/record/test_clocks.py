"""The clocks against sums made by hand, and the order among them that must always hold."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Evaluation, PhaseSpan, Record, build_record
from bench.record.clocks import (
    CLOCKS,
    HEADLINE,
    cumulative_seconds,
    fixed_work_seconds,
    to_target_seconds,
)
from tests.support.records import NS, Run, changed

# The contract's table, row by row, written down once more: a clock may not change without a new version.
TABLE = {
    "import": "wall",
    "device_init": "wall",
    "data_load": "dawnbench dawnbench-cold wall",
    "compile": "dawnbench-cold wall",
    "build": "dawnbench dawnbench-cold run wall",
    "preprocess": "dawnbench dawnbench-cold run wall",
    "train_k": "dawnbench dawnbench-cold run train wall",
    "eval_k": "wall",
    "checkpoint_k": "wall",
    "final_eval": "run wall",
    "exit": "",
}


@pytest.mark.parametrize("phase", TABLE)
def test_a_phase_counts_where_the_contract_says(phase: str) -> None:
    assert {name for name, clock in CLOCKS.items() if phase in clock.phases} == set(TABLE[phase].split())


def test_every_clock_has_a_label_with_its_version() -> None:
    assert [clock.label for clock in CLOCKS.values()] == [
        "dawnbench@1",
        "dawnbench-cold@1",
        "run@1",
        "train@1",
        "wall@1",
    ]
    assert HEADLINE.label == "dawnbench@1"


# Seconds: import 3, device_init 1, data_load 0.5, compile 20, build 0.25, preprocess 0.75; each epoch train 10, eval 2,
# checkpoint 1; then final_eval 4.
RUN = Run(checkpoint_seconds=1.0, final_eval_seconds=4.0)


@pytest.mark.parametrize(("clock", "to_target", "fixed_work"), [
    ("dawnbench", 0.5 + 0.25 + 0.75 + 4 * 10, 1.5 + 50),
    ("dawnbench-cold", 1.5 + 20 + 4 * 10, 21.5 + 50),
    ("run", 1.0 + 4 * 10, 1.0 + 50 + 4),
    ("train", 4 * 10, 50),
    ("wall", 25.5 + 4 * 12 + 3 * 1, 25.5 + 5 * 13 + 4),
])  # fmt: skip
def test_times_agree_with_sums_by_hand(clock: str, to_target: float, fixed_work: float) -> None:
    record = RUN.record()
    assert to_target_seconds(CLOCKS[clock], record) == to_target
    assert fixed_work_seconds(CLOCKS[clock], record) == fixed_work


@pytest.mark.parametrize(
    ("clock", "expected"), [("run", 1.0 + 50 + 4), ("train", 50), ("wall", 25.5 + 5 * 12 + 4 * 1 + 4)]
)
def test_the_final_evaluation_counts_where_the_last_evaluation_crosses(clock: str, expected: float) -> None:
    record = replace(RUN, correct=(4000, 9000, 9100, 9200, 9500)).record()
    assert to_target_seconds(CLOCKS[clock], record) == expected


def test_the_clock_runs_on_from_evaluation_to_evaluation() -> None:
    assert cumulative_seconds(HEADLINE, RUN.record()) == [11.5, 21.5, 31.5, 41.5, 51.5]
    assert cumulative_seconds(CLOCKS["run"], RUN.record()) == [11, 21, 31, 41, 55]


def test_a_miss_takes_for_ever_and_its_fixed_work_does_not() -> None:
    record = Run(correct=(1, 2, 3, 4, 9399)).record()
    assert [to_target_seconds(clock, record) for clock in CLOCKS.values()] == [math.inf] * 5
    assert fixed_work_seconds(CLOCKS["train"], record) == 50.0


def test_a_run_that_broke_off_before_the_target_is_unknown_not_a_miss() -> None:
    record = Run(correct=(4000, 9000), status="failed").record()
    assert to_target_seconds(HEADLINE, record) is None
    assert fixed_work_seconds(HEADLINE, record) is None


@pytest.mark.parametrize("epochs", [3, 5])
def test_a_run_that_stops_at_the_target_has_no_fixed_work_time(epochs: int) -> None:
    record = Run(correct=(4000, 9500), epochs=epochs).record()
    assert to_target_seconds(HEADLINE, record) == 21.5
    assert fixed_work_seconds(HEADLINE, record) is None


@pytest.mark.parametrize("pause_seconds", [0.0, 7.0])
def test_a_pause_between_phases_is_not_charged(pause_seconds: float) -> None:
    record = replace(RUN, pause_seconds=pause_seconds).record()
    assert to_target_seconds(CLOCKS["train"], record) == 40.0
    assert to_target_seconds(HEADLINE, record) == 41.5


def test_training_announced_only_after_its_evaluation_still_counts() -> None:
    lines = Run().lines()
    late = [line for line in lines if line["event"] == "phase" and line.get("epoch") == 4]
    index = next(i for i, line in enumerate(lines) if line["event"] == "epoch" and line["epoch"] == 4)
    rest = [line for line in lines if line not in late]
    reordered = [*rest[: index - 1], *late, *rest[index - 1 :]]
    assert to_target_seconds(HEADLINE, build_record(reordered)) == 41.5


def test_training_under_a_later_epochs_name_is_charged_all_the_same() -> None:
    lines = changed(Run(eval_seconds=0.0).lines(), "phase", 12, epoch=99)
    assert build_record(lines).phases[12].end_ns == build_record(lines).epochs[3].at_ns
    assert to_target_seconds(HEADLINE, build_record(lines)) == 41.5


def test_an_evaluation_announced_before_its_training_ended_is_charged_for_it() -> None:
    lines = Run().lines()
    at_ns = next(line["t_ns"] for line in lines if line["event"] == "epoch" and line["epoch"] == 4)
    early = changed(lines, "epoch", 3, t_ns=at_ns - 5 * NS)
    assert to_target_seconds(HEADLINE, build_record(early)) == 41.5
    assert to_target_seconds(CLOCKS["wall"], build_record(early)) == 73.5


def test_sums_are_exact_nanoseconds() -> None:
    record = Run(train_seconds=0.1, once_seconds={"import": 1.0}, correct=(1,) * 9 + (10_000,), epochs=10).record()
    assert to_target_seconds(CLOCKS["train"], record) == 1.0  # ten times 0.1 in floats is 0.9999999999999999


SECONDS = st.floats(0, 100, allow_nan=False)


@st.composite
def runs(draw: st.DrawFn) -> Record:
    epochs = draw(st.integers(1, 8))
    names = ("import", "device_init", "data_load", "compile", "build", "preprocess")
    return Run(
        correct=draw(st.lists(st.integers(0, 10_000), min_size=epochs, max_size=epochs)),
        epochs=epochs,
        train_seconds=draw(SECONDS),
        eval_seconds=draw(SECONDS),
        checkpoint_seconds=draw(SECONDS),
        final_eval_seconds=draw(SECONDS),
        pause_seconds=draw(SECONDS),
        once_seconds={name: draw(SECONDS) for name in draw(st.permutations(names))},
    ).record()


@given(runs())
def test_a_clock_that_counts_more_never_shows_less(record: Record) -> None:
    at = {name: cumulative_seconds(clock, record) for name, clock in CLOCKS.items()}
    for wall, cold, headline, train, run in zip(
        at["wall"], at["dawnbench-cold"], at["dawnbench"], at["train"], at["run"], strict=True
    ):
        assert wall >= cold >= headline >= train
        assert wall >= run >= train


@given(runs())
def test_no_clock_runs_backwards_or_past_the_fixed_work(record: Record) -> None:
    for clock in CLOCKS.values():
        at = cumulative_seconds(clock, record)
        total = fixed_work_seconds(clock, record)
        assert at == sorted(at)
        assert total is not None
        assert at[-1] <= total
        if record.crossing_index is not None:
            assert to_target_seconds(clock, record) == at[record.crossing_index]


def defined(names: frozenset[str], record: Record) -> list[float]:
    """The clock at each evaluation, phase by phase, as the contract defines it."""

    def counts(phase: PhaseSpan, evaluation: Evaluation, last: bool) -> bool:
        if phase.name == "final_eval":
            return last
        reported = phase.name in ("train_k", "eval_k") and phase.epoch is not None
        return (reported and (phase.epoch or 0) <= evaluation.epoch) or phase.end_ns <= evaluation.at_ns

    pairs = [(each, index == len(record.epochs) - 1) for index, each in enumerate(record.epochs)]
    return [sum(p.duration_ns for p in record.phases if p.name in names and counts(p, *pair)) / 1e9 for pair in pairs]


TIMES = st.integers(0, 20)
PHASES = st.builds(
    lambda name, epoch, begin, length: PhaseSpan(name, epoch if name.endswith("_k") else None, begin, begin + length),
    st.sampled_from(sorted(TABLE)),
    st.integers(0, 5).map(float),
    TIMES,
    TIMES,
)
EVALUATIONS = st.builds(
    lambda epoch, at_ns: Evaluation(epoch, 1, 1, 0.0, 1, 1, "plain", at_ns=at_ns), st.integers(0, 5).map(float), TIMES
)


@given(st.lists(PHASES, max_size=12), st.lists(EVALUATIONS, max_size=6))
def test_a_clock_is_its_definition_whatever_the_order_of_phases_and_evaluations(
    phases: list[PhaseSpan], evaluations: list[Evaluation]
) -> None:
    record = replace(Run().record(), phases=tuple(phases), epochs=tuple(evaluations), crossing_index=None)
    for clock in CLOCKS.values():
        if any(each.name == "train_k" for each in phases):
            assert cumulative_seconds(clock, record) == defined(clock.phases, record)
        else:
            assert all(map(math.isnan, cumulative_seconds(clock, record)))


def test_a_run_that_does_not_say_how_long_it_trained_has_no_time_and_not_0() -> None:
    whole = Run().record()
    record = replace(whole, phases=tuple(each for each in whole.phases if each.name != "train_k"))
    for clock in CLOCKS.values():
        assert to_target_seconds(clock, record) is None
        assert fixed_work_seconds(clock, record) is None
