"""Real trainings whose input or step is slowed down by a known time, and what the harness makes of them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import stalls
from bench.analysis.stalls import INPUT_BOUND, NOT_INPUT_BOUND
from bench.launch import launch
from bench.record import EVENTS_FILE, Record, build_record_from
from bench.record.expected_run import ExpectedRun
from bench.rules import with_verdict
from resnet9.data import synthetic

ROOT = Path(__file__).parents[3]
EPOCHS = 3
#: A net so narrow, and a batch so small, that a step is short beside the delays: what it hides of one is no stall.
TINY = {"widths": [2, 4, 8, 16], "epochs": EPOCHS, "batch": 64}
STEPS, DELAY_SECONDS = 16, 0.2

pytestmark = pytest.mark.slow


def trained(folder: Path, **asked: Any) -> Record:
    """The judged record of one run through the harness, of a trainer that is told what to slow down."""
    told = {"input": "host", "images": 64 * STEPS, "recipe": TINY, **asked}
    argv = [sys.executable, "-m", "tests.resnet9.slowed_trainer", json.dumps(told)]
    labels = synthetic.make().test_labels.tobytes()
    job = launch.RunSpec(
        argv, argv, dict(os.environ), ROOT, folder, ExpectedRun(seed=0, target_percent=94.0, test_labels=labels)
    )
    outcome = launch.launch(job)
    assert outcome.status == "done", (outcome, (folder / launch.LOG_FILE).read_text()[-2000:])
    return with_verdict(build_record_from(folder / EVENTS_FILE))


def whole(host: Record, memory: Record | None = None) -> Any:
    """The row of all epochs after the first, of one run of the host's input and of its control.

    Without a control the run is its own, which saves nothing: the other indicators alone decide.
    """
    return stalls.table({"host": [host], "memory": [memory or host]}).iloc[-1]


def rules(record: Record) -> set[str]:
    return {reason.rule for reason in record.verdict.reasons} if record.verdict else set()


def test_a_slow_input_is_input_bound_by_the_time_that_it_was_slowed_down(tmp_path: Path) -> None:
    host = trained(tmp_path / "host", batch_seconds=DELAY_SECONDS)
    memory = trained(tmp_path / "memory", input="memory")
    row = whole(host, memory)
    injected_share = (EPOCHS - 1) * STEPS * DELAY_SECONDS / row["host_seconds"]
    assert row["answer"] == INPUT_BOUND
    assert row["stall_share"] == pytest.approx(injected_share, rel=0.1)
    assert row["cost_share"] == pytest.approx(injected_share, rel=0.1)
    assert row["buffer_empty_share"] > 0.9
    assert "input-bound" in rules(host) and "memory-input" in rules(memory)


def test_an_input_that_keeps_up_with_its_step_is_not_input_bound(tmp_path: Path) -> None:
    host = trained(tmp_path / "host", images=4608, recipe={"epochs": EPOCHS, "widths": [16, 32, 64, 128]})
    row = whole(host)
    assert row["answer"] == NOT_INPUT_BOUND
    assert row["buffer_empty_share"] < 0.5
    assert "input-bound" not in rules(host)


def test_a_slow_step_is_not_mistaken_for_a_slow_input(tmp_path: Path) -> None:
    host = trained(tmp_path / "host", step_seconds=DELAY_SECONDS)
    row = whole(host)
    assert row["host_seconds"] > (EPOCHS - 1) * STEPS * DELAY_SECONDS
    assert row["answer"] == NOT_INPUT_BOUND
    assert row["stall_share"] < 0.1 and row["buffer_empty_share"] < 0.1
    assert "input-bound" not in rules(host)
