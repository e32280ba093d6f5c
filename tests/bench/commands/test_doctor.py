"""``python -m bench doctor`` as a person types it, with a TensorFlow that imports in no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.checks import RULES

CHECKOUT = Path(__file__).parents[3]


def doctor(modules: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run it with the modules of a folder before the installed ones, on the CPU unless told otherwise."""
    argv = [sys.executable, "-m", "bench", "doctor", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(modules), "DEVICE": "cpu", "OUT": str(modules / "results"), **environ}
    return subprocess.run(argv, cwd=CHECKOUT, env=environ, capture_output=True, text=True)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder with a TensorFlow of a few lines."""
    (tmp_path / "tensorflow.py").write_text(
        "from types import SimpleNamespace as Space\n"
        "__version__ = '9.9.9'\n"
        "config = Space(list_physical_devices=lambda kind: [])\n"
        "test = Space(is_built_with_cuda=lambda: False)\n"
    )
    return tmp_path


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
    assert done.stderr == "bench: This machine cannot run a campaign yet: see TensorFlow above.\n"
    assert "ImportError: no such library" in done.stdout
    answer = doctor(modules, "--json")
    assert (answer.returncode, json.loads(answer.stdout)["good"]) == (4, False)


def test_data_that_is_named_and_is_not_there_fails(modules: Path) -> None:
    done = doctor(modules, DATA=str(modules / "nothing"))
    assert done.returncode == 4
    assert "see CIFAR-10 above" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_help_comes_at_once_and_imports_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "tensorflow", "scipy"}
    code = f"import sys, bench.commands.doctor; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
