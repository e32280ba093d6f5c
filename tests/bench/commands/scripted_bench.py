"""``python -m bench run`` for tests: in a folder of its own, with a trainer that does what the test says."""

from __future__ import annotations

import csv
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bench import trainers
from bench.__main__ import main
from bench.commands import run
from resnet9 import dataset, recipe

SCRIPTED = Path(__file__).parents[1] / "scripted_trainer.py"
SMOKE = recipe.load("smoke")
#: Those of ``make``: whoever runs the tests may have some of them in their environment.
VARIABLES = (
    *("RECIPE", "SEEDS", "DATA", "INPUT", "PRECISION", "DEVICE", "OUT"),
    *("AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"),
    *("WARMUP", "IDLE", "CACHE", "TELEMETRY", "WATCH", "TRAINER", "TARGET"),
)
stand_in = cache(dataset.load)


class Bench:
    """``python -m bench run`` in a place of its own, on the CPU, its trainer doing what each seed's script says.

    ``usual`` are words that every call begins with: most tests count runs, and want none that do not count.
    """

    usual: tuple[str, ...] = ("--warm-up", "0")

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
        code = main(["run", "--device", device, "--timeout", "20", *self.usual, *words])
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


Kind = TypeVar("Kind", bound=Bench)


def installed(
    kind: type[Kind], folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Kind:
    """A Bench in ``folder``, in which the commands find its trainer and its data until the test is over."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(dataset, "load", stand_in)
    made = kind(folder, capfd)
    monkeypatch.setattr(run, "RESULTS", made.results)
    monkeypatch.setitem(trainers.TRAINERS, "resnet9", made.argv)
    return made
