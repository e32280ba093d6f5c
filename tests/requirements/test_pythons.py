"""Which Python makes the environment: the one that runs the set-up, another one on PATH, or one that uv fetches.

Pythons of other versions are stand-ins: this one, made to claim another version, and scripts that print what they were
started with. uv is one, too: a wheel whose program writes such a script where it was told to install a Python.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements.conftest import SOURCE, Checkout, build_wheel

#: A Python without the stand-in's claim; asked for its version it says what the test wants.
PYTHON = """#!/bin/sh
unset PYTHONPATH
if [ "$1" = -c ]; then echo {version}; else {action}; fi
"""
REPORT = 'echo "ran $2 $3"'
UV = """#!{python}
import os, sys
from pathlib import Path
if os.environ.get("FAKE_UV") == "fails":
    sys.exit("error: the download host is unreachable")
*words, folder, version = sys.argv[1:]
assert words == ["python", "install", "--no-bin", "--install-dir"]
program = Path(folder) / f"cpython-{{version}}-fake" / "bin" / f"python{{version}}"
program.parent.mkdir(parents=True)
program.write_text(os.environ["FAKE_PYTHON"])
program.chmod(0o755)
"""


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def put_python(folder: Path, version: str, action: str = REPORT) -> None:
    program(folder / f"python{version}", PYTHON.format(version=version, action=action))


def put_uv(checkout: Checkout) -> None:
    checkout.lock("uv", build_wheel(checkout.folder / "wheels", "uv", UV.format(python=sys.executable)))


@pytest.mark.parametrize(
    ("claimed", "group", "given", "chosen"),
    [
        ("3.14", "runtime", {"DEVICE": "cpu"}, "3.13"),
        ("3.14", "runtime", {"WHERE": "native"}, "3.13"),
        ("3.14", "native", {"WHERE": "container"}, "3.13"),
        ("3.14", "dev", {}, "3.13"),
        ("3.15", "harness", {}, "3.14"),
        ("3.10", "harness", {}, "3.14"),
        ("3.10", "parquet", {}, "3.14"),
        ("3.10", "runtime", {"WHERE": "container"}, "3.14"),
        ("3.10", "runtime", {}, "3.13"),
        ("3.9", "runtime", {}, "3.14"),  # which then decides for itself
        ("3.9", "trainer-2.13", {}, "3.10"),
        ("3.12", "trainer-2.13", {}, "3.10"),
        ("3.14", "trainer-2.17", {}, "3.12"),
    ],
)
def test_python_that_cannot_hold_the_lock_gives_way_to_the_newest_on_path_that_can(
    checkout: Checkout,
    claims: dict[str, dict[str, str]],
    tmp_path: Path,
    claimed: str,
    group: str,
    given: dict[str, str],
    chosen: str,
) -> None:
    for version in ("3.10", "3.12", "3.13", "3.14"):
        put_python(tmp_path / "programs", version, f'echo "{version} ran $2"')
    result = checkout.install(group, **claims[claimed], **given)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{chosen} ran {group}\n", "")


def test_program_that_is_no_python_is_passed_over(
    checkout: Checkout, claims: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    program(tmp_path / "programs" / "python3.13", "#!/bin/sh\necho 'not installed'; exit 127\n")
    put_python(tmp_path / "programs", "3.12")
    assert checkout.install("native", **claims["3.14"]).stdout == "ran native \n"


@pytest.mark.slow
@pytest.mark.parametrize(("group", "given"), [("harness", {}), ("runtime", {"WHERE": "container"})])
def test_harness_needs_no_other_python_on_one_that_is_too_new_for_tensorflow(
    checkout: Checkout, claims: dict[str, dict[str, str]], group: str, given: dict[str, str]
) -> None:
    result = checkout.install(group, **claims["3.14"], **given)
    assert result.returncode == 0, result.stderr
    assert json.loads((checkout.venv / "installed.json").read_text())["python"] == "3.14"
    assert set(checkout.installed()) == {"harness"}


@pytest.mark.slow
def test_python_that_tensorflow_needs_is_fetched_where_path_has_none(
    checkout: Checkout, claims: dict[str, dict[str, str]]
) -> None:
    put_uv(checkout)
    fetched = {"FAKE_PYTHON": PYTHON.format(version="3.13", action=REPORT)}
    result = checkout.install("runtime", **claims["3.14"], **fetched)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[1:] == ["ran runtime "]
    assert sorted(each.name for each in (checkout.folder / ".cache" / "python").iterdir()) == [
        "cpython-3.13-fake", "fetch.lock"
    ]  # fmt: skip
    (checkout.folder / "requirements" / "uv.txt").unlink()
    assert checkout.install("runtime", **claims["3.14"]).stdout == "ran runtime \n", "it is not fetched twice"


@pytest.mark.slow
def test_environment_of_the_harness_is_made_anew_with_the_fetched_python(
    checkout: Checkout, claims: dict[str, dict[str, str]]
) -> None:
    put_uv(checkout)
    assert checkout.install("harness", **claims["3.14"]).returncode == 0
    fetched = {"FAKE_PYTHON": PYTHON.format(version="3.13", action=f"exec '{sys.executable}' \"$@\"")}
    result = checkout.install("runtime", **claims["3.14"], **fetched)
    assert result.returncode == 0, result.stderr
    assert set(checkout.installed()) == {"cpu"}
    assert checkout.has("tiny_cpu") and not checkout.has("tiny_harness")
    assert checkout.install("harness", **claims["3.14"]).stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["uv", "pip", "python"])
def test_python_that_cannot_be_fetched_is_one_sentence_with_two_commands(
    checkout: Checkout, claims: dict[str, dict[str, str]], failure: str
) -> None:
    put_uv(checkout)
    if failure == "pip":
        (checkout.folder / "wheels" / "uv-1.0-py3-none-any.whl").unlink()
    fetched = {"FAKE_UV": "fails" if failure == "uv" else "", "FAKE_PYTHON": "#!/bin/sh\nexit 1\n"}
    result = checkout.install("native", **claims["3.14"], **fetched)
    assert result.returncode == 4
    *log, sentence = result.stderr.splitlines()
    assert log and all(line.startswith("  | ") for line in log)
    assert sentence.startswith("Python 3.11 to 3.13 is needed for TensorFlow")
    assert "`pipx install uv` and `uv python install 3.13`" in sentence
    assert not checkout.venv.exists()


def test_python_named_by_the_person_gives_way_to_no_other(
    checkout: Checkout, claims: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    put_python(tmp_path / "programs", "3.13")
    put_uv(checkout)
    result = checkout.install("native", "--exact", **claims["3.14"])
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.count("\n") == 1
    assert not (checkout.folder / ".cache").exists()


@pytest.mark.parametrize("name", ["install.py", "pythons.py"])
def test_entry_can_be_read_by_pythons_that_are_too_old(name: str) -> None:
    tree = ast.parse((SOURCE / name).read_text(), feature_version=(3, 6))
    at_top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in at_top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in at_top if isinstance(node, ast.ImportFrom)}
    standard = {"argparse", "fcntl", "glob", "os", "shutil", "subprocess", "sys", "tempfile", "typing"}
    assert names <= {*standard, "pythons"}


@pytest.mark.parametrize("closed", ["", " <&- >&- 2>&-"])
def test_the_set_up_finds_its_own_files_where_python_does_not_look_beside_a_script(closed: str) -> None:
    script = f"{shlex.quote(sys.executable)} requirements/install.py --help{closed}"
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run(["sh", "-c", script], cwd=SOURCE.parent, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
