"""``bench stalls``: both inputs through the harness in turn, the table and its answer, and what is said otherwise."""

from __future__ import annotations

import json
import signal
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
from bench.record.stalls import read_stalls
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
    assert read_stalls(bench.folder).seeds == (0, 1, 2)
    assert "input-bound needs two witnesses" in out.partition("host, seed 0 (run 1 of 6)")[0]


def test_runs_that_were_ended_after_enough_epochs_are_compared_without_their_first(bench: Bench) -> None:
    bench("--pairs", "2")

    assert [(row["epoch"], row["host_runs"], row["memory_runs"]) for row in bench.table()] == [
        ("2.0", "2", "2"), ("", "2", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stalled_us", "empty", "answer"),
    [(10e6, 1.0, "input-bound"), (0.0, 1.0, "not input-bound"), (0.0, 0.0, "not input-bound")],
)
def test_the_answer_is_printed_with_its_witnesses(bench: Bench, stalled_us: float, empty: float, answer: str) -> None:
    bench.stalled_us, bench.empty = stalled_us, empty

    code, out, _ = bench("--pairs", "2")

    assert code == 0
    assert f"\n{answer}: steps waited for input in " in out
    assert f"empty in {100 * empty:.3g}" in out and "beside its control the input costs" in out
    assert "says nothing about CIFAR-10's" in out
    assert [row["answer"] for row in bench.table()] == [answer, answer]


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
    assert "name a campaign" in capfd.readouterr().err


def test_an_input_on_the_device_is_not_applicable_and_not_zero(bench: Bench) -> None:
    code, out, _ = bench("--input", "device")

    assert code == 0 and "not applicable" in out and "0 %" not in out
    assert bench.asked == [] and not bench.results.exists()


def test_one_pair_of_runs_that_waited_and_had_batches_ready_is_not_enough(bench: Bench) -> None:
    bench.stalled_us = 10e6

    _, out, _ = bench("--pairs", "1")

    assert "\nnot enough runs: " in out and "--pairs 5" in out


def test_a_run_that_fails_is_left_out_and_told(bench: Bench) -> None:
    bench.scripts["memory", 1] = [["print", "out of luck"], ["exit", 1]]

    code, out, err = bench()

    assert code == 5 and "memory, seed 1" in err and "out of luck" in err
    assert "Of 3 pairs only 2 can be compared" in out
    assert bench.table()[-1]["memory_runs"] == "2" and len(bench.asked) == 6


def test_an_interruption_keeps_what_is_finished_and_makes_its_table(bench: Bench) -> None:
    bench.scripts["memory", 1] = [["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, out, err = bench()

    assert code == 130 and "Stopped. What is finished is kept in results/" in err and "Traceback" not in out
    assert bench.asked == [("host", 0), ("memory", 0), ("memory", 1)]
    assert bench.table()[-1]["host_runs"] == "1"


def test_the_same_command_continues_what_was_interrupted_and_makes_a_torn_pair_anew(bench: Bench) -> None:
    bench.scripts["host", 1] = [["signal_parent", int(signal.SIGINT)], ["sleep"]]
    _, _, err = bench()
    assert "the same command again makes the 4 runs left" in err
    bench.scripts.clear()
    bench.asked.clear()

    code, out, err = bench()

    assert (code, err) == (0, "") and "continuing results/" in out and "2 runs kept, 4 to run" in out
    # Of the second pair the control was finished, hours ago for all that is known.
    assert bench.asked == [("memory", 1), ("host", 1), ("host", 2), ("memory", 2)]
    assert bench.table()[-1]["pairs"] == "3"
    assert (bench.folder / "memory" / "seed-001.cut_short-1").is_dir()


def test_what_is_finished_is_not_made_again_where_its_folder_is_named(bench: Bench) -> None:
    bench("--pairs", "2", "--out", "here")
    table = (bench.place / "here" / "stalls.csv").read_bytes()
    bench.asked.clear()

    code, out, _ = bench("--pairs", "2", "--out", "here")

    assert code == 0 and bench.asked == [] and "4 runs kept, 0 to run" in out and "beside its control" in out
    assert (bench.place / "here" / "stalls.csv").read_bytes() == table


def test_what_is_finished_is_not_continued_where_no_folder_is_named(bench: Bench) -> None:
    bench("--pairs", "1")
    bench("--pairs", "1")
    assert len(list(bench.results.iterdir())) == 2 and len(bench.asked) == 4


def test_other_pairs_are_not_continued(bench: Bench) -> None:
    bench.scripts["memory", 1] = [["exit", 1]]
    bench("--out", "here")
    bench.asked.clear()

    for words, said in [
        (("--pairs", "2"), "seeds (0, 1, 2) instead of (0, 1)"),
        (("--epochs", "3"), "epochs 2 instead of 3"),
        (("--precision", "bf16"), "precision"),
        (("--warm-up", "1"), "warm_up 0 instead of 1"),
    ]:
        code, _, err = bench("--out", "here", *words)
        assert code == 6 and "holds other pairs" in err and said in err, err
    assert bench.asked == []


@pytest.mark.parametrize("name", ["TRAINER", "TARGET"])
def test_a_trainer_of_one_s_own_is_refused_and_not_left_unheard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "95")

    code, _, err = bench()

    assert code == 2 and f"`bench stalls` trains recipes, and {name} of your environment" in err
    assert f"`unset {name}`" in err and bench.asked == []


def test_without_a_control_the_waits_of_the_host_are_told(bench: Bench) -> None:
    bench.scripts["memory", 0] = [["exit", 1]]

    code, out, _ = bench("--pairs", "1")

    assert code == 5 and "steps waited for input in" in out and "no control to compare with" in out
    assert "no run tells" not in out


def test_a_side_of_the_comparison_is_no_campaign_to_continue(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench("--pairs", "1")

    assert main(["report", str(bench.folder / "host")]) == 0

    told = capfd.readouterr().out
    assert "one side of a comparison of inputs" in told and "continues" not in told


def test_a_folder_with_something_in_it_is_left_alone(bench: Bench) -> None:
    (bench.place / "full").mkdir()
    (bench.place / "full" / "letter.txt").write_text("dear")

    code, _, err = bench("--out", "full")

    assert code == 2 and "letter.txt" in err and bench.asked == []


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
