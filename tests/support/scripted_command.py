"""A command that trains, for tests: in a folder of its own, with a trainer that does what the test says."""

from __future__ import annotations

import csv
import json
import sys
from abc import ABC, abstractmethod
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from bench.__main__ import main
from bench.containers import selection
from bench.launch import trainer_command
from bench.probes.device import device as find_device
from bench.probes.gpu import Gpu, GpuInventory
from resnet9 import recipe
from resnet9.data import sources

SCRIPTED = Path(__file__).parents[0] / "scripted_trainer.py"
#: Those of ``make``: whoever runs the tests may have some of them in their environment.
VARIABLES = (
    *("SET", "A", "B", "RECIPE", "SEEDS", "DATA", "INPUT", "PRECISION", "DEVICE", "OUT"),
    *("AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"),
    *("WARMUP", "IDLE", "CACHE", "TELEMETRY", "WATCH", "TRAINER", "TARGET"),
)
stand_in = cache(sources.load)


class ScriptedCommand(ABC):
    """``python -m bench`` with a command of ``module`` in a place of its own; a kind of it says what its trainer does.

    ``usual`` are words that every call begins with: most tests count runs, and want none that do not count.
    """

    module: ModuleType
    usual: tuple[str, ...] = ("--warm-up", "0")

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.place, self.results = folder, folder / "results"
        self.labels = folder / "labels.u8"
        self.labels.write_bytes(stand_in("synthetic").test_labels.tobytes())
        self._capfd = capfd

    @abstractmethod
    def script(self, request: trainer_command.Request) -> list[Any]:
        """What the trainer does for a request (``scripted_trainer.py``)."""

    def argv(self, request: trainer_command.Request) -> list[str]:
        """The words that start the trainer, as a row of ``trainers.TRAINERS`` gives them."""
        script = self.place / f"script-{request.recipe.rpartition(':')[2]}-{request.input}-{request.seed}.json"
        script.write_text(json.dumps(self.script(request)))
        return [sys.executable, "-I", "-S", str(SCRIPTED), str(script)]

    def __call__(self, *words: str, device: str = "cpu") -> tuple[int, str, str]:
        """The exit code, what was printed, and what was complained of."""
        name = self.module.__name__.rpartition(".")[2]
        # No honest script is silent for 20 s; a test of broken code must end.
        code = main([name, "--device", device, "--timeout", "20", *self.usual, *words])
        told = self._capfd.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    @property
    def folder(self) -> Path:
        (only,) = self.results.iterdir()
        return only

    def rows(self, file: str) -> list[dict[str, str]]:
        """The rows of a table in the folder."""
        with open(self.folder / file, newline="") as stream:
            return list(csv.DictReader(stream))


def greeting(request: trainer_command.Request, epochs: int) -> list[Any]:
    """The ``hello`` of a trainer that does what was asked of it, for so many epochs."""
    chosen, data = recipe.load(request.recipe), stand_in("synthetic")
    table = {"name": chosen.name, "sha256": chosen.sha256, "target_percent": 94.0, "epochs": epochs}
    facts = {"recipe": {**table, "steps_per_epoch": 5, "batch": 4}, "input": request.input}
    facts["dataset"] = {"name": data.name, "sha256": data.sha256, "state": data.state}
    return ["hello", facts]


#: The first line of every command that trains beside the GPU of ``hide_a_gpu``.
HIDDEN = "No GPU here: CUDA_VISIBLE_DEVICES='' hides it (type `unset CUDA_VISIBLE_DEVICES` to use it)."


def hide_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a machine with one GPU, and a variable left over that hides it."""
    card = Gpu(0, "GPU-0000", "Tesla V100", None, "550.54", "12.4", (7, 0))
    monkeypatch.setattr(selection, "find_device", partial(find_device, look=lambda: GpuInventory((card,))))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


Kind = TypeVar("Kind", bound=ScriptedCommand)


def installed(
    kind: type[Kind], folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Kind:
    """A command in ``folder`` that finds its trainer and its data there until the test is over."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sources, "load", stand_in)
    made = kind(folder, capfd)
    monkeypatch.setattr(kind.module, "RESULTS", made.results)
    monkeypatch.setitem(trainer_command.TRAINERS, "resnet9", made.argv)
    return made
