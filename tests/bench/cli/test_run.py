"""``bench run``: a campaign, and one that was stopped and is continued."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.campaign import records
from bench.launch import trainer_command
from bench.record import load_campaign
from resnet9 import recipe
from tests.support.scripted_bench import Bench, installed
from tests.support.scripted_command import HIDDEN, hide_a_gpu


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    return installed(Bench, tmp_path, monkeypatch, capfd)


# A campaign


@pytest.mark.parametrize("words", [(), ("--smoke",), ("--recipe", "smoke")])
def test_the_first_line_says_what_hides_the_gpu(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    hide_a_gpu(monkeypatch)
    code, out, err = bench("--seeds", "1", *words, device="auto")
    assert (code, err, out.splitlines()[0]) == (0, "", HIDDEN)


def test_without_anything_said_a_cpu_gets_the_smoke_check(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")

    code, out, err = bench(device="auto")

    assert (code, err) == (0, "")
    why, notice = out.splitlines()[:2]
    assert why.startswith("No GPU here: ")
    assert "checks the harness on the synthetic dataset and is not a CIFAR-10 result." in notice
    assert "make bench RECIPE=speedrun SEEDS=1 DEVICE=cpu" in notice
    assert [request.seed for request in bench.requests] == [0, 1]
    assert bench.folder.name.endswith("Z-smoke-cpu")
    assert sorted(path.name for path in bench.folder.iterdir()) == [
        "campaign.json", "epochs.csv", "report.html", "runs.csv", "seed-000", "seed-001", "summary.csv",
    ]  # fmt: skip
    assert sorted(path.name for path in (bench.folder / "seed-000").iterdir()) == [
        "events.jsonl", "predictions.u8", "record.json", "telemetry.csv", "trainer.log",
    ]  # fmt: skip
    assert json.loads((bench.folder / "campaign.json").read_text())["status"] == "finished"
    assert {row["reached_epoch"] for row in bench.runs().values()} == {"2.0"}
    assert "seed 1  done: 94.00 % after epoch 2, 94 % at epoch 2 in 0.0" in out
    assert "s (dawnbench@1)" in out
    assert "DAWNBench" not in out


def test_a_campaign_that_misses_the_target_is_a_result(bench: Bench) -> None:
    bench.scripts[0] = bench.honest(1879)

    code, out, _ = bench("--seeds", "1")

    assert code == 0
    assert "93.95 % after epoch 2, 94 % not reached" in out
    assert bench.runs()["0"]["dawnbench_seconds"] == "inf"


def test_variables_are_options_and_an_empty_one_was_not_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SEEDS": "4,2", "PRECISION": "fp32", "RECIPE": "", "DATA": "", "OUT": "", "INPUT": ""}.items():
        monkeypatch.setenv(name, value)

    code, _, _ = bench("--out", "", "--recipe", "", "--threads", "1")

    assert code == 0
    assert [(each.seed, each.precision, each.input, each.threads) for each in bench.requests] == [
        (4, "fp32", "host", 1),
        (2, "fp32", "host", 1),
    ]


def test_the_record_tells_no_path_of_this_host(bench: Bench) -> None:
    bench("--seeds", "1")

    text = (bench.folder / "seed-000" / "record.json").read_text()
    assert str(bench.folder) not in text
    assert str(Path.cwd()) not in text
    assert json.loads(text)["argv"][0] == "python"


def test_a_recipe_of_ones_own_is_told_to_the_trainer_by_its_whole_path_and_to_the_record_by_its_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("my.json").write_text('{"mine": {"extends": "smoke", "summary": "mine"}}')
    bench.scripts[0] = bench.honest(1880)
    bench.scripts[0][0][1]["recipe"]["sha256"] = recipe.load("my.json:mine").sha256
    words: list[str] = []

    def argv(request: trainer_command.Request) -> list[str]:
        words.append(request.recipe)
        return [*bench.argv(request), request.recipe]

    monkeypatch.setitem(trainer_command.TRAINERS, "resnet9", argv)

    code, _, err = bench("--recipe", "my.json:mine", "--seeds", "1")

    assert (code, err) == (0, "")
    assert words == [f"{Path.cwd()}/my.json:mine"]
    assert bench.folder.name.endswith("Z-my-mine-cpu")
    text = (bench.folder / "seed-000" / "record.json").read_text()
    assert json.loads(text)["argv"][-1] == "my.json:mine"
    assert str(Path.cwd()) not in text
    assert load_campaign(bench.folder).recipe["summary"] == "mine"


def test_what_the_parent_costs_is_in_every_record(bench: Bench) -> None:
    bench("--seeds", "1")

    (record,) = load_campaign(bench.folder).records
    assert record.harness.cpu_seconds is not None
    assert record.harness.voluntary_switches is not None
    assert record.fingerprint["python.version"]


# Stopped and continued


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_continues(bench: Bench) -> None:
    bench.scripts[1] = [bench.hello(), ["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, _, err = bench("--smoke", "--seeds", "3")

    assert code == 130
    assert "Stopped. What is finished is kept in results/" in err
    assert "runs seed 1, 2." in err
    assert [row["status"] for row in bench.runs().values()] == ["done", "interrupted"]

    kept = (bench.folder / "seed-000" / "events.jsonl").read_bytes()
    bench.scripts.clear()
    bench.requests.clear()
    code, out, _ = bench("--smoke", "--seeds", "3")

    assert code == 0
    assert "seed 0 kept, 1, 2 to run" in out
    assert [request.seed for request in bench.requests] == [1, 2]
    assert (bench.folder / "seed-000" / "events.jsonl").read_bytes() == kept
    assert (bench.folder / "seed-001.interrupted-1" / "events.jsonl").is_file()
    assert [row["status"] for row in bench.runs().values()] == ["done"] * 3


def test_a_wish_to_stop_between_two_runs_waits_until_the_last_one_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = records.write_record

    def stopped_while_folding(folder: Path) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return fold(folder)

    monkeypatch.setattr(records, "write_record", stopped_while_folding)

    code, _, err = bench("--seeds", "3")

    assert code == 130
    assert "the same command again runs seed 1, 2." in err
    assert [row["status"] for row in bench.runs().values()] == ["done"]
    assert sorted(path.name for path in bench.folder.glob("seed-*")) == ["seed-000"]


def test_a_second_ctrl_c_ends_the_command_while_it_folds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed_twice(folder: Path) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_record", pressed_twice)
        code, _, err = bench("--seeds", "3", "--warm-up", "0")
    assert code == 130
    assert "Traceback" not in err

    code, out, _ = bench("--seeds", "3", "--warm-up", "0")
    assert code == 0
    assert "seed 0 kept, 1, 2 to run" in out
    assert [row["status"] for row in bench.runs().values()] == ["done"] * 3


def test_another_configuration_gets_a_campaign_of_its_own(bench: Bench) -> None:
    bench.scripts[0] = [bench.hello(), ["signal_parent", int(signal.SIGTERM)], ["sleep"]]
    bench("--seeds", "1")

    code, _, _ = bench("--seeds", "1", "--precision", "fp32")

    assert code == 130
    assert len(list(bench.results.iterdir())) == 2


def test_the_plan_is_written_first_and_what_a_killed_harness_left_is_swept(bench: Bench) -> None:
    script = bench.honest(1880)
    bench.scripts[0] = [["wait", str(Path.cwd() / "mine" / "campaign.json")], *script]
    Path("mine").mkdir()
    bench("--seeds", "2", "--out", "mine")
    Path("mine/.runs.csv.1.part").touch()

    code, _, _ = bench("--seeds", "3", "--out", "mine")

    assert code == 0
    assert sorted(path.name for path in Path("mine").iterdir() if path.is_file()) == [
        "campaign.json", "epochs.csv", "report.html", "runs.csv", "summary.csv",
    ]  # fmt: skip


def test_out_that_is_finished_runs_nothing_and_shows_its_results(bench: Bench) -> None:
    bench("--seeds", "1", "--out", "mine")
    bench.requests.clear()

    code, out, _ = bench("--seeds", "1", "--out", "mine")

    assert code == 0
    assert bench.requests == []
    assert "continuing mine: seed 0 kept, none to run" in out
    assert "Time to 94 %" in out


def test_seeds_that_were_deleted_stay_planned_and_are_made_again_where_they_are_asked_for(bench: Bench) -> None:
    bench("--seeds", "2", "--out", "mine")
    shutil.rmtree("mine/seed-000")
    bench.requests.clear()

    code, out, _ = bench("--seeds", "1,", "--out", "mine")

    assert (code, bench.requests) == (0, [])
    assert "1 of 2 planned" in out
    assert json.loads(Path("mine/campaign.json").read_text())["seeds"] == [0, 1]

    code, out, _ = bench("--out", "mine", "--seeds", "2")

    assert code == 0
    assert "seed 1 kept, 0 to run" in out and "2 of 2; 100 %" in out


def test_out_of_another_configuration_is_refused(bench: Bench) -> None:
    bench("--seeds", "1", "--out", "mine")

    code, _, err = bench("--seeds", "1", "--out", "mine", "--threads", "7")

    assert code == 6
    assert "OUT=mine holds another configuration: threads" in err
    assert "instead of 7." in err
