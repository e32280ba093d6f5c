"""The Makefile: its help, and that what a person types reaches the program letter by letter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
VARIABLES = [
    "SET", "A", "B", "TRAINER", "TARGET", "RECIPE", "SEEDS", "DATA", "INPUT", "PRECISION", "DEVICE",
    "WARMUP", "IDLE", "CACHE", "TELEMETRY", "WATCH",
    "WHERE", "IMAGE", "DOCKER", "DOCKER_FLAGS", "BASE_IMAGE", "DOCKER_BUILD_FLAGS", "OUT",
    "AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL",
]  # fmt: skip
TARGETS = [
    "help", "bench", "smoke", "ablate", "stalls", "images", "image", "shell", "verify-image", "check-trainer", "doctor",
    "data", "report", "published", "compare", "ab",
    "rank", "parquet", "net", "augmented", "test", "test-slow", "test-deep", "lint",
    "perf", "perf-gpu", "perf-sampler", "perf-container", "perf-report", "lock", "clean",
]  # fmt: skip
NEED_NO_TENSORFLOW = (
    "images", "image", "shell", "verify-image", "report", "published", "compare", "rank", "perf-report", "data", "net",
)  # fmt: skip
PARALLEL = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")
NEED_TENSORFLOW = ("augmented", "perf", "perf-gpu", "perf-sampler", "perf-container")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile alone, in a folder with an awkward name, with a .venv whose Python tells what it was given."""
    place = tmp_path / "it's a $HOME"
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / "requirements").mkdir()
    shutil.copy(CHECKOUT / "Makefile", place)
    (place / "requirements" / "install.py").write_text("import sys\nprint('set-up', *sys.argv[1:])\n")
    teller = place / ".venv" / "bin" / "python"
    told = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    teller.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{told}' \"$@\"\n")
    teller.chmod(0o755)
    return place


def make(folder: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    dropped = {*VARIABLES, "PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env={**environment, **extra}, capture_output=True, text=True, check=False
    )


def told(result: subprocess.CompletedProcess[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment that the program behind a target was given."""
    assert result.returncode == 0, result.stderr
    arguments, environment = json.loads(result.stdout.splitlines()[-1])
    return arguments, environment


def test_bare_make_prints_the_help_with_every_target_and_variable(folder: Path) -> None:
    result = make(folder)
    assert result.returncode == 0
    assert result.stdout == make(folder, "help").stdout
    assert re.findall(r"^  make ([a-z-]+) +\S", result.stdout, re.MULTILINE) == TARGETS
    assert re.findall(r"^  ([A-Z_]+) +\S", result.stdout, re.MULTILINE) == [*VARIABLES, "PYTHON"]
    assert all(len(line) <= 120 for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    "value",
    [
        "Jane O'Neil",
        'a "quoted" name',
        "$(shell touch spilt)",
        "`touch spilt`; touch spilt && touch spilt | touch spilt > spilt",
        "$2.50 of $HOME and $$ ${PATH}",
        "  two  spaces  ",
        "back\\slash # and hash = equals : colon % percent ~ * ? [a]",
        "Žofia 東京",
        "-n --help",
    ],
)
@pytest.mark.parametrize("way", ["command line", "environment"])
def test_value_reaches_the_program_letter_by_letter(folder: Path, value: str, way: str) -> None:
    result = make(folder, "bench", f"AUTHOR={value}") if way == "command line" else make(folder, "bench", AUTHOR=value)
    arguments, environment = told(result)
    assert arguments == ["-m", "bench", "run"]
    # make itself drops the blanks before a value on its command line.
    assert environment["AUTHOR"] == (value.lstrip() if way == "command line" else value)
    assert not (folder / "spilt").exists()


def test_every_variable_travels_and_those_not_given_are_absent(folder: Path) -> None:
    _, environment = told(make(folder, "bench", *[f"{name}=value of {name}" for name in VARIABLES]))
    assert {name: environment[name] for name in VARIABLES} == {name: f"value of {name}" for name in VARIABLES}
    _, environment = told(make(folder, "bench"))
    assert [name for name in VARIABLES if environment.get(name)] == []


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("bench", ["-m", "bench", "run"]),
        ("smoke", ["-m", "bench", "run", "--smoke"]),
        ("ablate", ["-m", "bench", "ablate"]),
        ("stalls", ["-m", "bench", "stalls"]),
        ("images", ["-m", "bench", "image", "list"]),
        ("image", ["-m", "bench", "image", "build"]),
        ("shell", ["-m", "bench", "image", "shell"]),
        ("verify-image", ["-m", "bench", "image", "verify"]),
        ("doctor", ["-m", "bench", "doctor"]),
        ("report", ["-m", "bench", "report"]),
        ("ab", ["-m", "bench", "ab"]),
        ("rank", ["-m", "bench", "rank"]),
        ("data", ["-m", "bench", "data"]),
        ("net", ["-m", "resnet9", "net", "docs/images/net.svg"]),
        ("augmented", ["-m", "resnet9", "augmented", "docs/images/augmented.png"]),
        ("perf", ["-m", "tests.perf.run"]),
        ("perf-gpu", ["-m", "tests.perf.gpu"]),
        ("perf-sampler", ["-m", "tests.perf.sampler"]),
        ("perf-container", ["-m", "tests.perf.container"]),
        ("perf-report", ["-m", "tests.perf.report"]),
        ("test", ["-m", "pytest", *PARALLEL, "-m", "not slow and not deep"]),
        ("test-slow", ["-m", "pytest", "-m", "slow"]),
        ("test-deep", ["-m", "pytest", "-m", "deep"]),
    ],
)
def test_target_sets_up_and_runs_its_program(folder: Path, target: str, arguments: list[str]) -> None:
    result = make(folder, target)
    assert told(result)[0] == arguments
    groups = {"test": "dev", **dict.fromkeys(NEED_NO_TENSORFLOW, "harness"), **dict.fromkeys(NEED_TENSORFLOW, "native")}
    group = groups.get(target.partition("-")[0] if target.startswith("test") else target, "runtime")
    assert result.stdout.splitlines()[0] == f"set-up {group}"


def test_two_folders_are_compared_and_one_is_asked_for(folder: Path) -> None:
    result = make(folder, "compare", "A=results/one", "B=results/with a space")
    assert told(result)[0] == ["-m", "bench", "compare", "results/one", "results/with a space"]
    lacking = make(folder, "compare", "A=results/one")
    assert lacking.returncode == 2
    assert "two folders are compared: make compare A=results/... B=results/..." in lacking.stderr


def test_parquet_is_a_set_up_and_nothing_else(folder: Path) -> None:
    assert make(folder, "parquet").stdout == "set-up parquet\n"


def test_unknown_variable_stops_before_anything_is_spent(folder: Path) -> None:
    result = make(folder, "bench", "SEED=3")
    assert result.returncode == 2
    assert "no variable SEED" in result.stderr
    assert "SEEDS" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("target", ["stalls", "ablate", "smoke", "report"])
def test_a_trainer_that_a_target_would_not_start_is_refused(folder: Path, target: str) -> None:
    result = make(folder, target, "TRAINER=python train.py")

    assert result.returncode == 2
    assert result.stdout == ""
    assert "started by `make bench` and `make check-trainer` alone" in result.stderr


def test_failed_set_up_stops_the_target(folder: Path) -> None:
    (folder / "requirements" / "install.py").write_text("import sys\nsys.exit('no room')\n")
    result = make(folder, "bench")
    assert result.returncode == 2
    assert "no room" in result.stderr
    assert result.stdout == ""


def test_python_is_exact_only_where_a_person_named_it(folder: Path) -> None:
    assert "set-up runtime" in make(folder, "bench").stdout.splitlines()
    assert "set-up --exact runtime" in make(folder, "bench", f"PYTHON={sys.executable}").stdout.splitlines()
    assert "set-up --exact runtime" in make(folder, "bench", PYTHON=sys.executable).stdout.splitlines()


def test_missing_python_is_one_sentence(folder: Path) -> None:
    result = make(folder, "bench", "PYTHON=python3.0")
    assert result.returncode == 2
    assert result.stderr.startswith("There is no python3.0 here: install Python 3.11 to 3.14")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONHOME", "/elsewhere"),
        ("PYTHONPATH", "/elsewhere"),
        ("PYTHONSAFEPATH", "1"),
        ("PYTHONPLATLIBDIR", "lib64"),
        ("PYTHONEXECUTABLE", "/elsewhere"),
        ("PYTHONINSPECT", "1"),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONWARNINGS", "error"),
    ],
)
def test_what_is_set_for_other_pythons_stays_out(folder: Path, name: str, value: str) -> None:
    # The Python of this test's .venv is a shell script that starts one; it is not to be told either.
    _, environment = told(make(folder, "bench", **{name: value}))
    assert name not in environment


def test_clean_keeps_results_and_data(folder: Path) -> None:
    for name in ("results", "data", "bench/__pycache__", "resnet9", "tests", ".mypy_cache", ".cache/kernels/cuda"):
        (folder / name).mkdir(parents=True)
    result = make(folder, "clean")
    assert result.returncode == 0, result.stderr
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "Makefile", "bench", "data", "requirements", "resnet9", "results", "tests"
    ]  # fmt: skip
    assert not (folder / "bench" / "__pycache__").exists()
