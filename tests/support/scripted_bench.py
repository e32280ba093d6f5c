"""``python -m bench run`` for tests, its trainer doing what each seed's script says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.cli import run
from bench.launch import trainer_command
from tests.support.scripted_command import ScriptedCommand, greeting, installed, stand_in

__all__ = ["Bench", "installed", "stand_in"]


class Bench(ScriptedCommand):
    """A campaign on the CPU; ``scripts`` by seed, an honest run of two epochs elsewhere."""

    module = run

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capfd)
        self.scripts: dict[int, list[Any]] = {}
        self.requests: list[trainer_command.Request] = []

    def script(self, request: trainer_command.Request) -> list[Any]:
        self.requests.append(request)
        return self.scripts.get(request.seed, self.honest(1880))

    def hello(self) -> list[Any]:
        return greeting(trainer_command.Request("smoke", "synthetic", "host", "auto", "cpu", 0, 1), epochs=2)

    def honest(self, correct: int) -> list[Any]:
        steps: list[Any] = [self.hello(), ["phase", {"name": "import"}]]
        for number, right in ((1, 100), (2, correct)):
            steps += [["phase", {"name": "train_k", "epoch": number}], ["predict", str(self.labels), right]]
            steps += [["phase", {"name": "eval_k", "epoch": number}]]
            steps += [["epoch", {"epoch": number, "correct": right, "total": 2000}]]
        return [*steps, ["done"]]

    def runs(self) -> dict[str, dict[str, str]]:
        """``runs.csv`` by seed."""
        return {row["seed"]: row for row in self.rows("runs.csv")}
