"""That the measurements can be taken: what they parse, and both commands rehearsed with narrow nets and no PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.perf import operations, originals
from tests.perf.turns import ROOT, Side, interleave

BARS = """
|  run     |  epoch  |  val_acc  |  tta_val_acc  |  time_seconds  |
-------------------------------------------------------------------
|  warmup  |   eval  |   0.0978  |       0.0987  |       39.6400  |
|       1  |   eval  |   0.9302  |       0.9391  |        2.0185  |
Mean accuracy after 1 runs: 0.939100 | Mean time: 2.018457s|       2  |   eval  |   0.9316  |   0.9414  |   2.0190  |
"""
COLUMNS = """
       epoch           lr   train time     test acc   total time
           1       0.0800       3.1000       0.3469       3.1000
           2       0.1600       3.0900       0.5000       6.1900
"""


@pytest.mark.parametrize(
    "printed, told",
    [
        (
            BARS,
            [
                "val_acc 0.9302, tta_val_acc 0.9391, time_seconds 2.0185",
                "val_acc 0.9316, tta_val_acc 0.9414, time_seconds 2.0190",
            ],
        ),
        (COLUMNS, ["train time 3.0900, test acc 0.5000, total time 6.1900"]),
    ],
)
def test_the_rows_that_end_a_run_of_an_original_are_told(printed: str, told: list[str]) -> None:
    assert originals.summary(printed) == told


def test_an_original_that_is_not_there_is_told_and_not_run(tmp_path: Path) -> None:
    assert originals.run("air94", tmp_path, sys.executable) == [
        f"{tmp_path / 'legacy' / 'airbench94_compiled.py'} is not there"
    ]


def test_a_profile_counts_kernels_and_compiled_functions_and_not_who_waits_for_them() -> None:
    names = [
        "gradient_tape/Conv2DBackpropFilter_1:_MklNativeConv2DBackpropFilter",
        "CpuExecutable::ExecuteAsyncOnStream",
        "EagerLocalExecute: __inference_train_12",
        "ExecutorState::Process",
    ]
    events = [SimpleNamespace(metadata_id=index, duration_ps=2e9) for index in range(len(names))]
    metadata = {index: SimpleNamespace(name=name) for index, name in enumerate(names)}
    plane = SimpleNamespace(name="/host:CPU", lines=[SimpleNamespace(events=events)], event_metadata=metadata)
    assert operations.summary([plane], steps=2)["kinds"] == {
        "convolution, gradient of the weights": 1.0,
        "activations (compiled by XLA)": 1.0,
    }


def test_sides_are_interleaved_and_the_first_answer_of_each_is_dropped() -> None:
    script = (
        "import json, sys\n"
        "for turn, _ in enumerate(sys.stdin):\n"
        "    print(json.dumps({'seconds': SECONDS if turn else 99, 'images': 8, 'loss': 1.0}), flush=True)\n"
    )
    sides = [
        Side(name, [sys.executable, "-c", script.replace("SECONDS", str(seconds))])
        for name, seconds in (("ours", 2), ("theirs", 4))
    ]
    found = interleave(sides, rounds=3)
    assert found["ours"]["all_images_per_second"] == [4.0, 4.0, 4.0] and found["ours"]["ours_over_it"] is None
    assert found["theirs"]["images_per_second"] == 2.0 and found["theirs"]["ours_over_it"] == 2.0


def run(module: str, *arguments: str) -> str:
    """What a measurement prints, run as `make` runs it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    argv = [sys.executable, "-m", f"tests.perf.{module}", *arguments]
    result = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_the_cpu_measurements_can_be_rehearsed_without_pytorch(tmp_path: Path) -> None:
    recipes, figures = tmp_path / "narrow.json", tmp_path / "figures.json"
    recipes.write_text(
        json.dumps({"narrow": {"extends": "air94", "dataset": "synthetic", "widths": [8, 8, 8], "batch": 50}})
    )
    narrow = f"{recipes}:narrow"
    amounts = ["--steps", "2", "--rounds", "2", "--starts", "1", "--matrix-side", "64", "--peer", "none"]
    run("run", "--recipes", narrow, "--activation-recipes", narrow, *amounts, "--json", str(figures))
    found = json.loads(figures.read_text())
    assert set(found["compare"][narrow]["step"]) == {"tensorflow"}
    assert found["startup"][narrow]["total"] > 0 and found["operations"][narrow]["kinds"]
    assert found["activations"][narrow]["gelu (TensorFlow)"]["images_per_second"] > 0


@pytest.mark.slow
def test_the_gpu_measurements_can_be_rehearsed_on_a_cpu(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    printed = run(
        "gpu", "--rehearse", "--peer", "none", "--runs", "2", "--turns", "1", "--original", f"hive={tmp_path}",
        "--json", str(figures),
    )  # fmt: skip
    found = json.loads(figures.read_text())
    for name in ("page24", "air94", "hive"):
        assert len(found[name]["accuracies"]) == 2 and found[name]["tflops"] > 0
        assert found[name]["run_seconds"] >= found[name]["train_seconds"] > 0
    assert "cifar10_speedrun.py is not there" in printed
