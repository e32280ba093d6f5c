"""``bench run``: trainers that fail, hang, lie or write what is no event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted_bench import Bench, installed


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    return installed(Bench, tmp_path, monkeypatch, capfd)


def test_a_failed_run_costs_one_seed(bench: Bench) -> None:
    bench.scripts[1] = [bench.hello(), ["print", "Segmentation fault"], ["exit", 139]]

    code, out, err = bench("--seeds", "3")

    assert code == 5
    assert [row["status"] for row in bench.runs().values()] == ["done", "failed", "done"]
    assert err.count("\n") == 1
    assert "seed 1: the trainer ended with exit code 139" in err
    assert "the last line of trainer.log is: Segmentation fault" in err
    assert "the same command again runs seed 1." in err
    assert "Time to 94 %" in out


def test_two_failures_in_a_row_end_the_campaign(bench: Bench) -> None:
    for seed in range(5):
        bench.scripts[seed] = [["exit", 1]]

    code, _, err = bench("--seeds", "5")

    assert code == 5
    assert [request.seed for request in bench.requests] == [0, 1]
    assert "seed 0: " in err
    assert "seed 1: " in err


def test_a_gpu_that_tensorflow_does_not_see_ends_the_campaign_with_the_trainers_sentence(bench: Bench) -> None:
    error = {"event": "error", "message": "libcudnn.so.9 failed to load", "hint": "type DEVICE=cpu"}
    bench.scripts[0] = [["event", error], ["exit", 4]]

    code, _, err = bench("--seeds", "3")

    assert code == 4
    assert err == "bench: seed 0: libcudnn.so.9 failed to load; type DEVICE=cpu.\n"
    assert len(bench.requests) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"recipe": {"sha256": "0"}}, "recipe.sha256"),
        ({"input": "device"}, "input 'device', not 'host'"),
        ({"device": {"kind": "gpu", "name": "", "uuid": ""}}, "device.kind 'gpu', not 'cpu'"),
        ({"dataset": {"sha256": "0" * 64}}, "dataset.sha256 '000"),
    ],
)
def test_a_trainer_that_runs_something_else_is_told(bench: Bench, fields: dict[str, Any], says: str) -> None:
    name, known = bench.hello()
    changed = {
        key: {**known.get(key, {}), **value} if isinstance(value, dict) else value for key, value in fields.items()
    }
    bench.scripts[0] = [[name, {**known, **changed}], ["sleep"]]

    code, _, err = bench("--seeds", "1")

    assert (code, says in err) == (5, True)
    assert bench.runs()["0"]["verdict"] == "invalid"


def test_an_accuracy_its_predictions_do_not_give_is_no_result(bench: Bench) -> None:
    bench.scripts[0] = bench.honest(1900)
    bench.scripts[0][-2] = ["epoch", {"epoch": 2, "correct": 1950, "total": 2000}]

    code, _, _ = bench("--seeds", "1")

    assert code == 5
    assert bench.runs()["0"]["verdict"] == "invalid"


def test_a_time_it_cannot_have_is_told_and_kept_as_suspect(bench: Bench) -> None:
    bench.scripts[0] = bench.honest(1900)
    bench.scripts[0][3] = [
        "event",
        {"event": "phase", "name": "train_k", "epoch": 1, "begin_ns": 1, "end_ns": 2, "t_ns": 3},
    ]

    code, out, _ = bench("--seeds", "1")

    assert code == 0
    assert "arrived more than 50 ms after the time they claim" in " ".join(out.split())
    assert bench.runs()["0"]["verdict"] == "suspect"


def test_a_trainer_that_hangs_is_stopped_after_the_time_given(bench: Bench) -> None:
    bench.scripts[0] = [bench.hello(), ["sleep"]]

    code, _, err = bench("--seeds", "1", "--timeout", "1")

    assert code == 5
    assert "wrote no event for 1 s" in err
