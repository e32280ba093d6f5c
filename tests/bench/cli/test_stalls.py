"""``bench stalls``: both inputs through the harness in turn, the table and its answer, and what is said otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cli import stalls
from bench.dawnbench import publish
from bench.errors import Refused
from bench.launch import trainer_command
from bench.record.claims import Claims
from bench.record.experiment import StoredStalls, read_experiment
from bench.rules import with_verdict
from tests.support import fake_engine
from tests.support.records import Run
from tests.support.scripted_command import ScriptedCommand, greeting, installed


class Bench(ScriptedCommand):
    """``python -m bench stalls`` on the CPU, with a trainer that waits as it is told."""

    module = stalls
    usual = ("--warm-up", "0", "--telemetry", "off", "--epochs", "2")

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capfd)
        self.stalled_us, self.empty = 0.0, 0.0
        self.asked: list[tuple[str, int]] = []
        self.scripts: dict[tuple[str, int], list[Any]] = {}

    def script(self, request: trainer_command.Request) -> list[Any]:
        run = (request.input, request.seed)
        self.asked.append(run)
        return self.scripts.get(run) or self.honest(request)

    def honest(self, request: trainer_command.Request) -> list[Any]:
        """The trainer of a recipe of five epochs, which goes on until it is ended."""
        steps: list[Any] = [greeting(request, epochs=5), ["phase", {"name": "import"}]]
        for epoch in range(1, 6):
            steps.append(["phase", {"name": "train_k", "epoch": epoch}])
            if request.input == "host":
                steps.append(["event", self.waits(epoch)])
            steps.append(["phase", {"name": "eval_k", "epoch": epoch}])
            steps.append(["epoch", {"epoch": epoch, "correct": 200, "total": 2000}])
            steps += [["sleep"]] if epoch == 2 else []
        return steps

    def waits(self, epoch: int) -> dict[str, Any]:
        looks = {"level_samples": 4, "level_mean": 4 - 4 * self.empty, "level_capacity": 4}
        told = {"edges_us": [1e3], "counts": [5, 0], "floor_us": 0.0, "sum_us": self.stalled_us}
        return {"event": "waits", "epoch": epoch, **told, **looks, "level_empty_share": self.empty}

    def table(self) -> list[dict[str, str]]:
        return self.rows("stalls.csv")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.setenv("COLUMNS", "200")
    return installed(Bench, tmp_path, monkeypatch, capfd)


def test_the_inputs_take_turns_with_the_same_seeds_and_the_order_of_a_pair_alternates(bench: Bench) -> None:
    code, out, err = bench()

    assert (code, err) == (0, "")
    assert bench.asked == [
        ("host", 0), ("memory", 0), ("memory", 1), ("host", 1), ("host", 2), ("memory", 2),
    ]  # fmt: skip
    assert bench.folder.name.endswith("Z-stalls-smoke-cpu")
    assert sorted(path.name for path in bench.folder.iterdir()) == ["host", "memory", "stalls.csv", "stalls.json"]
    assert read_experiment(bench.folder, StoredStalls).seeds == (0, 1, 2)
    assert "input-bound needs two indicators" in out.partition("host, seed 0 (run 1 of 6)")[0]


def test_runs_that_were_ended_after_enough_epochs_are_compared_without_their_first(bench: Bench) -> None:
    bench("--pairs", "2")

    assert [(row["epoch"], row["host_runs"], row["memory_runs"]) for row in bench.table()] == [
        ("2.0", "2", "2"), ("", "2", "2"),
    ]  # fmt: skip


def test_the_answer_is_printed_and_in_the_table(bench: Bench) -> None:
    bench.stalled_us, bench.empty = 10e6, 1.0

    code, out, _ = bench("--pairs", "2")

    assert code == 0 and "\ninput-bound: steps waited for input in " in out
    assert [row["answer"] for row in bench.table()] == ["input-bound"] * 2


def test_a_report_writes_and_prints_the_same_again(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = bench("--pairs", "2")
    table = (bench.folder / "stalls.csv").read_bytes()
    (bench.folder / "stalls.csv").unlink()

    assert main(["report", str(bench.folder)]) == 0

    again = capfd.readouterr().out
    assert (bench.folder / "stalls.csv").read_bytes() == table
    shown = out[out.index("epoch  waited") : out.index("The table, its records")]
    assert again.startswith(shown)
    assert main(["report", str(bench.folder), "--plot", "x.svg"]) == 2
    assert "neither a picture nor a DAWNBench pair" in capfd.readouterr().err


def test_an_input_on_the_device_is_not_applicable_and_not_zero(bench: Bench) -> None:
    code, out, _ = bench("--input", "device")

    assert code == 0 and "not applicable" in out and "0 %" not in out
    assert bench.asked == [] and not bench.results.exists()


def test_a_run_that_fails_is_left_out_and_told(bench: Bench) -> None:
    bench.scripts["memory", 1] = [["print", "out of luck"], ["exit", 1]]

    code, out, err = bench()

    assert code == 5 and "memory, seed 1" in err and "out of luck" in err
    assert "Of 3 pairs only 2 can be compared" in out
    assert bench.table()[-1]["memory_runs"] == "2" and len(bench.asked) == 6


@pytest.mark.parametrize("name", ["TRAINER", "TARGET"])
def test_a_trainer_of_one_s_own_is_refused_and_not_left_unheard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "95")

    code, _, err = bench()

    assert code == 2 and f"`bench stalls` trains recipes, and {name} of your environment" in err
    assert f"`unset {name}`" in err and bench.asked == []


def test_a_side_of_the_comparison_is_no_campaign_to_continue(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench("--pairs", "1")

    assert main(["report", str(bench.folder / "host")]) == 0

    told = capfd.readouterr().out
    assert "one side of a comparison of inputs" in told and "continues" not in told


def test_a_recipe_of_one_epoch_is_refused_in_a_sentence(bench: Bench) -> None:
    (bench.place / "mine.json").write_text(json.dumps({"short": {"extends": "smoke", "epochs": 1}}))

    code, _, err = bench("--recipe", "mine.json:short")

    assert code == 2 and "the first is left out" in err and bench.asked == []


def test_a_run_of_the_control_is_no_result_and_makes_no_entry(tmp_path: Path) -> None:
    record = with_verdict(Run(hello={"input": "memory"}).record())
    assert record.verdict is not None and record.verdict.level == "invalid"
    assert [each.rule for each in record.verdict.reasons if each.level == "invalid"] == ["memory-input"]
    trusted = replace(record, verdict=replace(record.verdict, level="clean"))
    for each in (record, trusted):
        with pytest.raises(Refused, match="INPUT=memory repeats"):
            publish.write_dawnbench(tmp_path, [each], Claims(), {}, "x", plan=[0], allow_unverified_data=False)


def test_both_inputs_run_in_the_container_that_is_asked_for(bench: Bench, engine: Callable[..., Path]) -> None:
    state = engine()

    code, out, err = bench("--image", "cpu", "--pairs", "1")

    assert (code, err) == (0, "")
    assert "In the image cpu (resnet9-bench:cpu)" in out
    assert [words[0] for words in fake_engine.calls(state)].count("run") == 2
    assert fake_engine.containers(state) == []
