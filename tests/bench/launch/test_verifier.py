from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import protocol
from bench.launch.verifier import EventVerifier
from bench.record import Evaluation
from bench.record.expected_run import ExpectedRun

LABELS = bytes(range(10)) * 2


def hello(epochs: float = 3, view: str | None = None, target: float = 94.0) -> protocol.Hello:
    table = {"name": "x", "sha256": "", "target_percent": target, "epochs": epochs, "steps_per_epoch": 5, "batch": 4}
    return protocol.Hello(
        trainer="t",
        framework="f",
        runs=1,
        seed=0,
        recipe=table if view is None else {**table, "view": view},
        dataset={"name": "", "sha256": "", "state": ""},
        precision="fp32",
        input="host",
        device={"kind": "cpu", "name": "", "uuid": ""},
        threads=1,
        xla={"on": False, "flags": ""},
    )


def epoch(number: float, correct: int, total: int = 20, view: str = "plain") -> protocol.Epoch:
    return protocol.Epoch(number, 5, 20, 1.0, correct, total, view)


def recounted(folder: Path, *events: protocol.Event, target: float = 94.0) -> list[int]:
    """The indices of the events after which predictions were counted."""
    referee = EventVerifier(ExpectedRun(0, target, test_labels=LABELS), folder)
    found = []
    for index, event in enumerate(events):
        assert referee.fault(event) == ""
        if referee.recount(event) is not None:
            found.append(index)
    return found


def test_the_first_crossing_and_the_last_epoch_are_recounted(tmp_path: Path) -> None:
    assert recounted(tmp_path, hello(), epoch(1, 19), epoch(2, 19), epoch(3, 19), protocol.Done("done")) == [1, 3]


def test_a_crossing_in_the_last_epoch_is_recounted_once(tmp_path: Path) -> None:
    assert recounted(tmp_path, hello(), epoch(1, 1), epoch(3, 19), protocol.Done("done")) == [2]


def test_the_last_epoch_may_be_a_fraction_that_rounding_shortened(tmp_path: Path) -> None:
    assert recounted(tmp_path, hello(epochs=9.9), epoch(9.9 - 1e-9, 1)) == [1]


def test_another_view_of_the_last_epoch_is_the_last_evaluation_where_the_recipe_declares_it(tmp_path: Path) -> None:
    events = (hello(view="six"), epoch(3, 1), epoch(3, 2, view="six"), protocol.Done("done"))

    assert recounted(tmp_path, *events) == [2]


def test_a_view_that_the_recipe_does_not_declare_crosses_nothing(tmp_path: Path) -> None:
    assert recounted(tmp_path, hello(), epoch(1, 20, view="flip"), epoch(2, 19), epoch(3, 1)) == [2, 3]


def test_done_without_an_evaluation_recounts_nothing(tmp_path: Path) -> None:
    assert recounted(tmp_path, hello(), protocol.Done("done")) == []


def test_without_labels_nothing_is_recounted(tmp_path: Path) -> None:
    referee = EventVerifier(ExpectedRun(0, 94.0), tmp_path)
    referee.fault(hello())

    assert referee.recount(epoch(3, 19)) is None


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.floats(0.01, 100))
def test_the_referee_and_the_record_agree_on_what_a_crossing_is(total: int, correct: int, target: float) -> None:
    correct = min(correct, total)
    evaluation = Evaluation(1, 5, 20, 1.0, correct, total, "plain")

    crossed = recounted(Path("/nowhere"), hello(target=target), epoch(1, correct, total), target=target) == [1]

    assert crossed is evaluation.reaches(target)


def test_an_honest_recount_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "predictions.u8").write_bytes(LABELS[:19] + b"\xff")
    referee = EventVerifier(ExpectedRun(0, 94.0, test_labels=LABELS), tmp_path)
    referee.fault(hello())

    recount = referee.recount(epoch(1, 19))

    assert recount is not None
    assert (recount.correct, recount.total, recount.fault) == (19, 20, "")


def test_predictions_that_are_no_plain_file_are_a_fault_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "predictions.u8")
    referee = EventVerifier(ExpectedRun(0, 94.0, test_labels=LABELS), tmp_path)
    referee.fault(hello())

    recount = referee.recount(epoch(1, 19))

    assert recount is not None
    assert recount.fault.endswith("predictions.u8 cannot be read (it is no plain file)")


@pytest.mark.parametrize("event", [protocol.Error("no GPU"), protocol.Warning("slow disk")])
def test_a_trainer_that_cannot_begin_may_say_so_before_hello(tmp_path: Path, event: protocol.Event) -> None:
    assert EventVerifier(ExpectedRun(0, 94.0), tmp_path).fault(event) == ""


# The data a trainer says it trains on


def data_fault(sha256: str, state: str, asked_state: str = "canonical") -> str:
    referee = EventVerifier(ExpectedRun(0, 94.0, dataset_sha256="d" * 64, dataset_state=asked_state), Path())
    return referee.fault(replace(hello(), dataset={"name": "cifar10", "sha256": sha256, "state": state}))


def test_the_data_that_were_given_are_believed() -> None:
    assert data_fault("d" * 64, "canonical") == ""


def test_other_data_or_a_better_state_than_was_found_are_not() -> None:
    assert "dataset.sha256" in data_fault("e" * 64, "canonical")
    assert "dataset.state 'canonical', not 'unverified'" in data_fault("d" * 64, "canonical", "unverified")


def test_a_trainer_with_a_reader_of_its_own_may_vouch_for_nothing() -> None:
    assert data_fault("", "unverified") == ""
    assert "dataset.sha256" in data_fault("", "canonical")


def test_nobody_turns_the_stand_in_into_data_that_only_lack_a_check() -> None:
    assert "dataset.state 'unverified', not 'synthetic'" in data_fault("", "unverified", "synthetic")
