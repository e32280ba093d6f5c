from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import protocol
from bench.launch.verifier import EventVerifier, Violation
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
    verifier = EventVerifier(ExpectedRun(0, target, test_labels=LABELS), folder)
    found = []
    for index, event in enumerate(events):
        assert verifier.violation(event) is None
        if verifier.recount(event) is not None:
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
    verifier = EventVerifier(ExpectedRun(0, 94.0), tmp_path)
    verifier.violation(hello())

    assert verifier.recount(epoch(3, 19)) is None


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.floats(0.01, 100))
def test_the_verifier_and_the_record_agree_on_what_a_crossing_is(total: int, correct: int, target: float) -> None:
    correct = min(correct, total)
    evaluation = Evaluation(1, 5, 20, 1.0, correct, total, "plain")

    crossed = recounted(Path("/nowhere"), hello(target=target), epoch(1, correct, total), target=target) == [1]

    assert crossed is evaluation.reaches(target)


def test_an_honest_recount_has_no_violation(tmp_path: Path) -> None:
    (tmp_path / "predictions.u8").write_bytes(LABELS[:19] + b"\xff")
    verifier = EventVerifier(ExpectedRun(0, 94.0, test_labels=LABELS), tmp_path)
    verifier.violation(hello())

    recount = verifier.recount(epoch(1, 19))

    assert recount is not None
    assert (recount.correct, recount.total, recount.violation) == (19, 20, None)


@pytest.mark.parametrize("event", [protocol.Error("no GPU"), protocol.Warning("slow disk")])
def test_a_trainer_that_cannot_begin_may_say_so_before_hello(tmp_path: Path, event: protocol.Event) -> None:
    assert EventVerifier(ExpectedRun(0, 94.0), tmp_path).violation(event) is None


# The data a trainer says it trains on


def data_violation(sha256: str, state: str, asked_state: str = "canonical") -> str:
    verifier = EventVerifier(ExpectedRun(0, 94.0, dataset_sha256="d" * 64, dataset_state=asked_state), Path())
    found = verifier.violation(replace(hello(), dataset={"name": "cifar10", "sha256": sha256, "state": state}))
    return "" if found is None else found.code


@pytest.mark.parametrize(
    ("sha256", "state", "asked_state", "code"),
    [
        ("d" * 64, "canonical", "canonical", ""),
        ("e" * 64, "canonical", "canonical", "wrong-dataset.sha256"),
        ("d" * 64, "canonical", "unverified", "wrong-dataset.state"),  # a better state than was found
        ("", "unverified", "canonical", ""),  # a custom reader may not know the hash
        ("", "canonical", "canonical", "wrong-dataset.sha256"),
        ("", "unverified", "synthetic", "wrong-dataset.sha256"),
    ],
)
def test_the_data_of_hello_must_be_those_that_were_given(sha256: str, state: str, asked_state: str, code: str) -> None:
    assert data_violation(sha256, state, asked_state) == code


@pytest.mark.parametrize(
    ("events", "expected", "code"),
    [
        ([hello(), protocol.Done("done"), epoch(1, 1)], {}, "after-done"),
        ([hello(), replace(epoch(1, 1), run=2)], {}, "other-run"),
        ([hello(), hello()], {}, "second-hello"),
        ([epoch(1, 1)], {}, "before-hello"),
        ([replace(hello(), runs=4)], {}, "several-runs"),
        ([replace(hello(), seed=9)], {}, "wrong-seed"),
        ([hello()], {"target_percent": 93.0}, "wrong-target_percent"),
        ([hello()], {"device_kind": "gpu"}, "wrong-device.kind"),
        ([hello()], {"input": "device"}, "wrong-input"),
        ([hello()], {"precision": "bf16"}, "wrong-precision"),
        ([hello()], {"recipe_sha256": "a" * 64}, "wrong-recipe.sha256"),
        ([hello()], {"dataset_sha256": "b" * 64}, "wrong-dataset.sha256"),
    ],
)
def test_an_event_that_no_honest_run_sends_is_a_violation(
    events: list[protocol.Event], expected: dict[str, Any], code: str
) -> None:
    verifier = EventVerifier(ExpectedRun(**{"seed": 0, "target_percent": 94.0, **expected}), Path())
    *before, last = [verifier.violation(event) for event in events]
    assert not any(before)
    assert isinstance(last, Violation) and last.code == code
