"""Predictions recounted: what a trainer claims of its accuracy is believed when its predictions give it."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bench import protocol
from bench.launch import launch
from bench.launch.verifier import EventVerifier
from bench.record.expected_run import ExpectedRun
from tests.bench.launch.test_verifier import hello
from tests.support.scripted_runs import LABELS, SHORT, Hears, events, job, of_kind


def test_the_crossing_and_the_last_evaluation_are_recounted(tmp_path: Path) -> None:
    crossing = [["predictions", 19, 20], ["epoch", {"epoch": 1, "correct": 19}]]
    between = [["predictions", 0, 20], ["epoch", {"epoch": 2, "correct": 20}]]
    last = [["predictions", 18, 20], ["epoch", {"epoch": 3, "correct": 18}]]
    heard = tmp_path / "heard"
    work = job(tmp_path, ["hello"], *crossing, ["wait", str(heard)], *between, *last, ["done"])

    outcome = launch.launch(work, [Hears("epoch", heard.touch)], SHORT)

    assert outcome.status == "done"
    assert [(each["epoch"], each["correct"], each["total"]) for each in of_kind(work, "harness_recount")] == [
        (1, 19, 20),
        (3, 18, 20),
    ]
    left = (work.folder / "predictions.u8").read_bytes()
    assert of_kind(work, "harness_recount")[-1]["predictions_sha256"] == sha256(left).hexdigest()
    places = [each["event"] for each in events(work)]
    assert places[2:4] == ["epoch", "harness_recount"]


def test_a_trainer_that_stops_early_has_its_last_evaluation_recounted_at_done(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["predictions", 12, 20], ["epoch", {"epoch": 1.4, "correct": 12}], ["done"])

    outcome = launch.launch(work, limits=SHORT)

    assert outcome.status == "done"
    assert [each["correct"] for each in of_kind(work, "harness_recount")] == [12]


def test_an_accuracy_its_predictions_do_not_give_fails_the_run_and_is_kept(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["predictions", 15, 20], ["epoch", {"epoch": 3, "correct": 19}], ["done"])

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.code) == ("failed", "predictions-disagree")
    (recount,) = of_kind(work, "harness_recount")
    assert (recount["correct"], recount["total"]) == (15, 20)
    assert (events(work)[-1]["reason"], events(work)[-1]["reason_code"]) == (outcome.reason, outcome.code)


@pytest.mark.parametrize(
    ("predictions", "code", "found"),
    [
        (LABELS[:15] + b"\xff" * 5, "predictions-disagree", (15, 20)),
        (LABELS[:19], "predictions-size", (19, 19)),
        (LABELS[:19] + b"\xff" * 2, "predictions-size", (19, 21)),
        (None, "predictions-unreadable", (0, 0)),
    ],
)
def test_every_violation_of_a_recount_has_a_code(
    tmp_path: Path, predictions: bytes | None, code: str, found: tuple[int, int]
) -> None:
    if predictions is not None:
        (tmp_path / "predictions.u8").write_bytes(predictions)
    verifier = EventVerifier(ExpectedRun(0, 94.0, test_labels=LABELS), tmp_path)
    verifier.violation(hello(epochs=1))
    recount = verifier.recount(protocol.Epoch(1, 1, 1, 0.0, 19, 20, "plain"))
    assert recount is not None and recount.violation is not None
    assert (recount.violation.code, recount.correct, recount.total) == (code, *found)


def test_of_two_accuracies_that_are_not_believed_the_first_is_told(tmp_path: Path) -> None:
    work = job(
        tmp_path, ["hello"], ["epoch", {"epoch": 1, "correct": 19}], ["epoch", {"epoch": 3, "correct": 1}], ["done"]
    )

    outcome = launch.launch(work, limits=SHORT)

    assert outcome.reason.startswith("after epoch 1 the trainer claims 19 of 20")
    assert len(of_kind(work, "harness_recount")) == 2


def test_predictions_without_an_end_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with open(folder / "predictions.u8", "wb") as stream:
        stream.truncate(100 << 30)
    asked = ExpectedRun(0, 94.0, test_labels=LABELS)
    verifier = EventVerifier(asked, folder)
    verifier.violation(hello(epochs=1))
    found = verifier.recount(protocol.Epoch(1, 1, 1, 0.0, 20, 20, "plain"))
    assert found is not None and found.violation is not None
    assert (found.total, found.sha256, found.violation.code) == (100 << 30, None, "predictions-size")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_predictions_that_are_no_file_are_not_waited_for(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "predictions.u8")
    verifier = EventVerifier(ExpectedRun(0, 94.0, test_labels=LABELS), tmp_path)
    verifier.violation(hello(epochs=1))
    found = verifier.recount(protocol.Epoch(1, 1, 1, 0.0, 20, 20, "plain"))
    assert found is not None and found.violation is not None
    assert (found.correct, found.total, found.violation.code) == (0, 0, "predictions-unreadable")
