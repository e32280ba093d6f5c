"""``python -m bench doctor`` as a person types it, with a TensorFlow that imports in no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.rules import RULES
from tests.support import fake_nvml

CHECKOUT = Path(__file__).parents[3]


def doctor(modules: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it with the modules of a folder before the installed ones, on the CPU unless told otherwise."""
    argv = [sys.executable, "-m", "bench", "doctor", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(modules), "DEVICE": "cpu", "OUT": str(modules / "results"), **environ}
    return subprocess.run(argv, cwd=CHECKOUT, env=environ, capture_output=True, text=True)


TENSORFLOW = """
from types import SimpleNamespace as Space
__version__ = '9.9.9'
config = Space(list_physical_devices=lambda kind: [Space(name=name) for name in {gpus}])
test = Space(is_built_with_cuda=lambda: False)
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder with a TensorFlow of a few lines."""
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW.format(gpus=[]))
    return tmp_path


def on_a_gpu(modules: Path, *lines: str, **environ: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Its exit code and its checks by rule on a V100 whose driver answers with ``lines`` for what differs."""
    library = fake_nvml.build(modules)
    story = fake_nvml.scenario(modules / "scenario", "gpu 0 processes -", *lines, profile="V100")
    (modules / "tensorflow.py").write_text(TENSORFLOW.format(gpus=["/GPU:0"]))
    driver = {"LD_LIBRARY_PATH": str(library.parent), fake_nvml.VARIABLE: str(story)}
    done = doctor(modules, "--json", **{"DEVICE": "auto", **driver, **environ})
    assert done.stderr == ""
    return done.returncode, {each["rule"]: each for each in json.loads(done.stdout)["checks"]}


def test_a_machine_that_can_run_leaves_with_0_and_a_line_for_each_check(modules: Path) -> None:
    done = doctor(modules)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "ok   TensorFlow        9.9.9" in lines
    assert "ok   GPU               not used, as DEVICE=cpu says" in lines
    assert {line.split()[0] for line in lines} <= {"ok", "warn", "->"}


def test_json_holds_value_verdict_and_advice_of_each_check(modules: Path) -> None:
    answer = json.loads(doctor(modules, "--json").stdout)
    assert answer["good"] is True
    assert {tuple(check) for check in answer["checks"]} == {("rule", "check", "value", "verdict", "advice")}
    assert answer["rules"] == RULES


def test_a_machine_that_cannot_leaves_with_4_and_names_what_fails(modules: Path) -> None:
    (modules / "tensorflow.py").write_text("raise ImportError('no such library')")
    done = doctor(modules)
    assert done.returncode == 4
    assert done.stderr == "bench: This machine cannot run a campaign yet. See TensorFlow above.\n"
    assert "ImportError: no such library" in done.stdout
    answer = doctor(modules, "--json")
    assert (answer.returncode, json.loads(answer.stdout)["good"]) == (4, False)


def test_data_that_is_named_and_is_not_there_fails(modules: Path) -> None:
    done = doctor(modules, DATA=str(modules / "nothing"))
    assert done.returncode == 4
    assert "CIFAR-10" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_gpu_that_will_do_is_described_by_what_the_driver_says(modules: Path) -> None:
    code, checks = on_a_gpu(modules)
    assert code == 0
    shown = {rule: checks[rule]["value"] for rule in ("gpu", "foreign-process", "temperature", "persistence", "ecc")}
    assert shown == {
        "gpu": "Tesla V100-SXM2-16GB (driver 550.54.15)",
        "foreign-process": "the driver lists none",
        "temperature": "55 C",
        "persistence": "on",
        "ecc": "on",
    }
    assert (checks["power-limit"]["value"], checks["clock-limit"]["value"]) == ("300 W", "1312 MHz for applications")
    assert "mig" not in checks
    assert checks["gpu-unwatched"]["value"] == "the driver answers every call"


def test_a_card_that_is_set_up_otherwise_is_warned_of_with_the_way_back(modules: Path) -> None:
    lowered = ("gpu 0 power_limit 200000", "gpu 0 persistence 0", "gpu 0 temperature 80")
    code, checks = on_a_gpu(modules, *lowered)
    assert code == 0
    assert {rule for rule in ("power-limit", "persistence", "temperature") if checks[rule]["verdict"] == "warn"} == {
        "power-limit", "persistence", "temperature",
    }  # fmt: skip
    assert checks["power-limit"]["advice"].endswith("later undo it with `sudo nvidia-smi -pl 200`")


def test_somebody_else_on_the_card_fails(modules: Path) -> None:
    code, checks = on_a_gpu(modules, *fake_nvml.FOREIGN_PROCESS)
    assert (code, checks["foreign-process"]["verdict"]) == (4, "fail")
    assert checks["foreign-process"]["value"] == "1 compute process"


def test_a_card_that_is_in_use_is_warned_of_although_the_driver_lists_nobody(modules: Path) -> None:
    _, quiet = on_a_gpu(modules)
    assert (quiet["gpu-in-use"]["verdict"], quiet["gpu-in-use"]["value"]) == ("ok", "no")
    code, checks = on_a_gpu(modules, "gpu 0 utilisation 97", "gpu 0 memory_used 10000000000")
    assert (code, checks["foreign-process"]["value"]) == (0, "the driver lists none")
    assert checks["gpu-in-use"]["verdict"] == "warn"
    assert checks["gpu-in-use"]["value"] == "97 % busy, 10.0 GB of memory taken"


def test_what_the_driver_does_not_let_us_see_is_told_and_stops_nobody(modules: Path) -> None:
    code, checks = on_a_gpu(modules, *fake_nvml.LOCKED_COUNTERS, "gpu 0 ecc not-supported")
    assert code == 0
    assert checks["foreign-process"]["value"] == "not known, as the driver does not list them (no permission)"
    assert (checks["gpu-unwatched"]["check"], checks["gpu-unwatched"]["verdict"]) == ("GPU telemetry", "warn")
    assert "energy (no permission), processes (no permission)" in checks["gpu-unwatched"]["value"]
    assert "let this user read them" in checks["gpu-unwatched"]["advice"]
    assert "ecc" not in checks


def test_a_lost_gpu_beside_the_one_of_a_run_is_warned_of_and_stops_nobody(modules: Path) -> None:
    beside = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 handle lost")
    code, checks = on_a_gpu(modules, *beside)
    assert code == 0
    assert (checks["gpu"]["verdict"], checks["gpu-neighbour"]["verdict"]) == ("ok", "warn")
    assert "GPU 1 is lost" in checks["gpu-neighbour"]["value"]
    assert checks["gpu-unwatched"]["verdict"] == "ok"
    code, checks = on_a_gpu(modules, *beside, DEVICE="GPU-bbbbbbbb-0000")
    assert (code, checks["gpu"]["verdict"], "gpu-neighbour" in checks) == (4, "fail", False)


def test_a_fact_that_the_driver_cannot_tell_is_named_and_the_others_are_judged(modules: Path) -> None:
    code, checks = on_a_gpu(modules, "gpu 0 power_limit unknown", "gpu 0 persistence 0")
    assert code == 0
    assert checks["gpu-unwatched"]["value"] == ("the driver does not give power_limit_watts (code 999 (Unknown Error))")
    assert (checks["persistence"]["verdict"], checks["ecc"]["verdict"]) == ("warn", "ok")
    assert "power-limit" not in checks


@pytest.mark.parametrize(("value", "typed"), [("", "''"), ("-1", "-1"), ("cuda:0", "cuda:0")])
def test_a_variable_that_hides_the_gpu_is_named(modules: Path, value: str, typed: str) -> None:
    code, checks = on_a_gpu(modules, CUDA_VISIBLE_DEVICES=value)
    assert (code, checks["gpu"]["verdict"]) == (0, "warn")
    assert f"CUDA_VISIBLE_DEVICES={typed} hides Tesla V100-SXM2-16GB" in checks["gpu"]["value"]
    assert "unset CUDA_VISIBLE_DEVICES" in checks["gpu"]["advice"]
    assert "foreign-process" not in checks
    code, checks = on_a_gpu(modules, CUDA_VISIBLE_DEVICES=value, DEVICE="gpu")
    assert (code, checks["gpu"]["verdict"]) == (4, "fail")


@pytest.mark.parametrize(
    ("line", "device", "sentence"),
    [
        ("driver init mismatch", "auto", "restart the machine"),
        ("driver init no-permission", "auto", "join the group that owns /dev/nvidia*"),
        ("", "GPU-zzzz", "No one GPU here is 'GPU-zzzz'. Choose of 0 (GPU-aaaaaaaa-0000)"),
    ],
)
def test_a_driver_or_a_choice_that_cannot_work_fails_in_one_sentence(
    modules: Path, line: str, device: str, sentence: str
) -> None:
    library = fake_nvml.build(modules)
    story = fake_nvml.scenario(modules / "scenario", *filter(None, [line]), profile="V100")
    driver = {"LD_LIBRARY_PATH": str(library.parent), fake_nvml.VARIABLE: str(story)}
    done = doctor(modules, DEVICE=device, **driver)
    assert done.returncode == 4
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_help_comes_at_once_and_imports_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "tensorflow", "scipy"}
    code = f"import sys, bench.cli.doctor; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
