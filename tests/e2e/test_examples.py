"""The trainers in examples/: that they keep the contract, and speak the protocol as it is."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from bench import protocol
from bench.__main__ import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PYTORCH = EXAMPLES / "pytorch_trainer.py"
TRAINERS = sorted(EXAMPLES.glob("*.py"))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call of something in ``protocol``, with its name there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = node.func.value
            if isinstance(module, ast.Name) and module.id == "protocol":
                yield node.func.attr, node


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_an_example_reads_no_variable_that_is_not_there(path: Path) -> None:
    variables = {value for name, value in vars(protocol).items() if name.endswith("_VARIABLE")}

    read = set(re.findall(r'"(BENCH_\w+)"', path.read_text()))

    assert {"BENCH_EVENTS", "BENCH_SEED", "BENCH_DEVICE"} <= read <= variables


def test_the_pytorch_example_makes_every_event_with_its_own_fields() -> None:
    made = dict(calls(ast.parse(PYTORCH.read_text())))

    assert set(made) == {"Hello", "Phase", "Epoch", "Done"}
    for name, call in made.items():
        known = [each.name for each in fields(getattr(protocol, name))]
        given = {*known[: len(call.args)], *(word.arg for word in call.keywords)}
        required = {each.name for each in fields(getattr(protocol, name)) if each.default is each.default_factory}
        assert required <= given <= set(known)


@pytest.mark.parametrize("path", TRAINERS, ids=lambda path: path.stem)
def test_an_example_stays_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 200


@pytest.mark.slow
def test_the_pytorch_example_keeps_every_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    code = main(["check-trainer", "--device", "cpu", shlex.join([_python_with_torch(), str(PYTORCH)])])

    out = capfd.readouterr().out
    assert code == 0, out
    assert re.findall(r"^hint +(\S+)", out, re.MULTILINE) == []


def _python_with_torch() -> str:
    """The Python that TORCH_PYTHON names, or this one. Skips the test where neither has PyTorch."""
    named = os.environ.get("TORCH_PYTHON")
    if named is None and importlib.util.find_spec("torch") is not None:
        return sys.executable
    if named is None:
        pytest.skip(
            "needs PyTorch, which no lock file installs: name a Python that has it with TORCH_PYTHON=/path/to/python"
        )
    found = subprocess.run([named, "-c", "import torch, numpy"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr  # who names a Python wants the test to run
    return named
