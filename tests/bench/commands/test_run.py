from __future__ import annotations

import csv
import json
import os
import signal
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench import execute, locks, trainers
from bench.__main__ import main
from bench.commands import _results, run
from bench.record import load_campaign
from resnet9 import dataset, recipe

SCRIPTED = Path(__file__).parents[1] / "scripted_trainer.py"
SMOKE = recipe.load("smoke")
#: Those of ``make``: whoever runs the tests may have some of them in their environment.
VARIABLES = (
    *("RECIPE", "SEEDS", "DATA", "INPUT", "PRECISION", "DEVICE", "OUT"),
    *("AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"),
)
stand_in = cache(dataset.load)


class Bench:
    """``python -m bench run`` in a place of its own, on the CPU, its trainer doing what each seed's script says."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.results = folder / "results"
        self.scripts: dict[int, list[Any]] = {}
        self.requests: list[trainers.Request] = []
        self._labels = folder / "labels.u8"
        self._labels.write_bytes(stand_in("synthetic").test_labels.tobytes())
        self._capfd = capfd

    def argv(self, request: trainers.Request) -> list[str]:
        self.requests.append(request)
        script = self._labels.with_name(f"script-{request.seed}.json")
        script.write_text(json.dumps(self.scripts.get(request.seed, self.honest(1880))))
        return [sys.executable, "-I", "-S", str(SCRIPTED), str(script)]

    def hello(self) -> list[Any]:
        data = stand_in("synthetic")
        table = {
            "name": "smoke",
            "sha256": SMOKE.sha256,
            "target_percent": 94.0,
            "epochs": 2,
            "steps_per_epoch": 5,
            "batch": 4,
        }
        return ["hello", {"recipe": table, "dataset": {"name": data.name, "sha256": data.sha256, "state": data.state}}]

    def honest(self, correct: int) -> list[Any]:
        steps: list[Any] = [self.hello(), ["phase", {"name": "import"}]]
        for number, right in ((1, 100), (2, correct)):
            steps += [["phase", {"name": "train_k", "epoch": number}], ["predict", str(self._labels), right]]
            steps += [["phase", {"name": "eval_k", "epoch": number}]]
            steps += [["epoch", {"epoch": number, "correct": right, "total": 2000}]]
        return [*steps, ["done"]]

    def __call__(self, *words: str, device: str = "cpu") -> tuple[int, str, str]:
        """The exit code, what was printed, and what was complained of."""
        # No honest script is silent for 20 s; a test of broken code must end.
        code = main(["run", "--device", device, "--timeout", "20", "--warm-up", "0", *words])
        told = self._capfd.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    @property
    def folder(self) -> Path:
        (only,) = self.results.iterdir()
        return only

    def runs(self) -> dict[str, dict[str, str]]:
        """``runs.csv`` by seed."""
        with open(self.folder / "runs.csv", newline="") as stream:
            return {row["seed"]: row for row in csv.DictReader(stream)}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dataset, "load", stand_in)
    made = Bench(tmp_path, capfd)
    monkeypatch.setattr(run, "RESULTS", made.results)
    monkeypatch.setitem(trainers.TRAINERS, "resnet9", made.argv)
    return made


# A campaign


def test_without_anything_said_a_cpu_gets_the_smoke_check(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")

    code, out, err = bench(device="auto")

    assert (code, err) == (0, "")
    assert "checks the harness on a built-in stand-in and is no CIFAR-10 result." in out.splitlines()[0]
    assert "make bench RECIPE=hive SEEDS=1 DEVICE=cpu" in out.splitlines()[0]
    assert [request.seed for request in bench.requests] == [0, 1]
    assert bench.folder.name.endswith("Z-smoke-cpu")
    assert sorted(path.name for path in bench.folder.iterdir()) == [
        "campaign.json", "epochs.csv", "runs.csv", "seed-000", "seed-001", "summary.csv",
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

    def argv(request: trainers.Request) -> list[str]:
        words.append(request.recipe)
        return [*bench.argv(request), request.recipe]

    monkeypatch.setitem(trainers.TRAINERS, "resnet9", argv)

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
    fold = _results.write_record

    def stopped_while_folding(folder: Path) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return fold(folder)

    monkeypatch.setattr(_results, "write_record", stopped_while_folding)

    code, _, err = bench("--seeds", "3")

    assert code == 130
    assert "the same command again runs seed 1, 2." in err
    assert [row["status"] for row in bench.runs().values()] == ["done"]
    assert sorted(path.name for path in bench.folder.glob("seed-*")) == ["seed-000"]


def test_another_configuration_gets_a_campaign_of_its_own(bench: Bench) -> None:
    bench.scripts[0] = [bench.hello(), ["signal_parent", int(signal.SIGTERM)], ["sleep"]]
    bench("--seeds", "1")

    code, _, _ = bench("--seeds", "1", "--precision", "fp32")

    assert code == 130
    assert len(list(bench.results.iterdir())) == 2


def test_the_tables_grow_with_every_run_and_what_a_killed_harness_left_is_swept(bench: Bench) -> None:
    script = bench.honest(1880)
    bench.scripts[1] = [["wait", str(Path.cwd() / "mine" / "runs.csv")], *script]
    bench.scripts[0] = [["wait", str(Path.cwd() / "mine" / "campaign.json")], *script]
    Path("mine").mkdir()
    bench("--seeds", "2", "--out", "mine")
    Path("mine/.runs.csv.1.part").touch()

    code, _, _ = bench("--seeds", "3", "--out", "mine")

    assert code == 0
    assert sorted(path.name for path in Path("mine").iterdir() if path.is_file()) == [
        "campaign.json", "epochs.csv", "runs.csv", "summary.csv",
    ]  # fmt: skip


def test_out_that_is_finished_runs_nothing_and_shows_its_results(bench: Bench) -> None:
    bench("--seeds", "1", "--out", "mine")
    bench.requests.clear()

    code, out, _ = bench("--seeds", "1", "--out", "mine")

    assert code == 0
    assert bench.requests == []
    assert "continuing mine: seed 0 kept, none to run" in out
    assert "Time to 94 %" in out


def test_out_of_another_configuration_is_refused(bench: Bench) -> None:
    bench("--seeds", "1", "--out", "mine")

    code, _, err = bench("--seeds", "1", "--out", "mine", "--threads", "7")

    assert code == 6
    assert "OUT=mine holds another configuration: threads" in err
    assert "instead of 7;" in err


# Runs that fail


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
    ("script", "says"),
    [
        ([["raw", "Epoch 1/24\n"], ["sleep"]], "wrote a line that is no event"),
        ([["signal", int(signal.SIGKILL)]], "was ended by SIGKILL"),
        ([["raw", '{"v":1,"event":"epoch","run":0,"t_ns":1,"epoch":1,"loss":NaN}\n'], ["sleep"]], "a number is NaN"),
        ([["hello"], ["sleep"]], "runs something else than it was asked: recipe.sha256"),
        ([["hello", {"input": "device"}], ["sleep"]], "input 'device', not 'host'"),
        ([["hello", {"device": {"kind": "gpu", "name": "", "uuid": ""}}], ["sleep"]], "device.kind 'gpu', not 'cpu'"),
    ],
)
def test_a_trainer_that_misbehaves_is_told_in_a_sentence(bench: Bench, script: list[Any], says: str) -> None:
    bench.scripts[0] = script

    code, _, err = bench("--seeds", "1")

    assert code == 5
    assert err.startswith("bench: seed 0: the trainer ")
    assert says in err
    assert bench.runs()["0"]["verdict"] == "invalid"


def test_a_trainer_on_other_data_is_told(bench: Bench) -> None:
    name, fields = bench.hello()
    bench.scripts[0] = [[name, {**fields, "dataset": {**fields["dataset"], "sha256": "0" * 64}}], ["sleep"]]

    code, _, err = bench("--seeds", "1")

    assert code == 5
    assert "dataset.sha256 '000" in err


def test_an_accuracy_its_predictions_do_not_give_is_no_result(bench: Bench) -> None:
    bench.scripts[0] = bench.honest(1900)
    bench.scripts[0][-2] = ["epoch", {"epoch": 2, "correct": 1950, "total": 2000}]

    code, _, err = bench("--seeds", "1")

    assert code == 5
    assert "claims 1950 of 2000 test images correct, but its predictions give 1900 of 2000" in err
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


# What was typed


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--recipe", "pgae24"], 2, "did you mean `page24`?"),
        (["--seeds", "0,0"], 2, "SEEDS='0,0' has seed 0 twice"),
        (["--sedes", "3"], 2, "'--seeds'"),
        (["--precision", "fp23"], 2, "'fp23' is not one of"),
        (["--smoke", "--recipe", "page24"], 2, "leave RECIPE=page24 out"),
        (["--data", "/cifar"], 2, "no use for DATA=/cifar"),
        (["--timeout", "0"], 2, "0 is not in the range 1<=x<=1000000"),
        (["--timeout", "nan"], 2, "'nan' is not a valid integer"),
        (["--timeout", "1e9"], 2, "'1e9' is not a valid integer"),
        (["--timeout", "3000000"], 2, "3000000 is not in the range"),
        (["--email", "nobody"], 2, "EMAIL='nobody' is no e-mail address"),
        (["--cost-per-hour", "-2"], 2, "COST_PER_HOUR=-2.0 is no price"),
        (["--cost-per-hour", "cheap"], 2, "(env var: 'COST_PER_HOUR'): 'cheap' is not a valid float"),
    ],
)
def test_a_wrong_word_is_one_sentence(bench: Bench, words: list[str], code: int, says: str) -> None:
    got, out, err = bench(*words)

    assert got == code
    assert says in err
    assert err.count("\n") == 1
    assert (out, bench.requests) == ("", [])
    assert not bench.results.exists()


def test_data_that_is_not_there_is_one_sentence_before_anything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "load", stand_in.__wrapped__)

    code, _, err = bench("--recipe", "page24", "--data", "/no/such/folder")

    assert code == 3
    assert "/no/such/folder" in err
    assert not bench.results.exists()


def test_cifar10_that_is_not_there_is_downloaded_and_a_failure_ends_with_its_exit_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(dataset, "DEFAULT_FOLDER", Path.cwd() / "data")
    monkeypatch.setattr(execute, "call", lambda argv, cwd: asked.append(list(argv)) or 4)

    with pytest.raises(SystemExit) as ended:
        bench("--recipe", "page24")

    assert ended.value.code == 4
    assert asked == [[sys.executable, "-m", "resnet9", "data", str(Path.cwd() / "data")]]


def test_two_campaigns_at_once_on_one_device_are_refused(bench: Bench) -> None:
    with locks.held(locks.device_lock("cpu", os.environ), "x"):
        code, _, err = bench("--seeds", "1")

    assert code == 6
    assert (
        err == f"bench: the device cpu is in use by another campaign (process {os.getpid()}); wait for it or stop it.\n"
    )


def test_two_campaigns_at_once_in_one_folder_are_refused(bench: Bench) -> None:
    Path("mine").mkdir()
    with locks.held(Path("mine/.lock"), "x"):
        code, _, err = bench("--seeds", "1", "--out", "mine")

    assert code == 6
    assert err.startswith("bench: mine is in use by another campaign")


def test_results_that_cannot_be_written_are_one_sentence(bench: Bench) -> None:
    Path("file").write_text("")

    code, _, err = bench("--seeds", "1", "--out", "file/x")

    assert code in (2, 4)
    assert "file/x" in err
    assert err.count("\n") == 1
