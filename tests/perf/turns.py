"""Interleaved epochs of long-lived workers: processes that train an epoch on request and answer with its time.

Runs of the harness are interleaved by ``bench.campaign.experiment``; a peer's framework has no such runs.

Standard library only, because the peer's environment has nothing else of ours. A worker answers every line on its
standard input with one line of JSON: seconds, images and the mean loss of an epoch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]


def serve(epoch: Callable[[int], float], images: int) -> None:
    """Be a worker: train epoch 0, 1, ... of so many images for every line read; ``epoch`` returns its mean loss."""
    for number, _ in enumerate(sys.stdin):
        began = time.perf_counter()
        loss = epoch(number)
        answer = {"seconds": time.perf_counter() - began, "images": images, "loss": loss}
        print(json.dumps(answer), flush=True)


@dataclass
class Side:
    """A worker process and what it has answered; the first answer, which compiles and warms up, is not kept."""

    name: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    answers: list[dict[str, float]] = field(default_factory=list)
    process: Any = None

    def start(self) -> None:
        environment = {**os.environ, **self.environment}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(self.argv, cwd=ROOT, env=environment, text=True, **pipes)
        self._ask()

    def turn(self) -> None:
        """Train one more epoch."""
        self.answers.append(self._ask())

    def _ask(self) -> dict[str, float]:
        try:
            print("epoch", file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"perf: the worker {self.name} ended without an answer; its output is above")
        return json.loads(line)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)

    @property
    def speeds(self) -> list[float]:
        """Images/s of each turn."""
        return [answer["images"] / answer["seconds"] for answer in self.answers]

    def figures(self, ours: Side) -> dict[str, Any]:
        """Return a side's median images/s, the median of the ratios of our speed to its, and its last mean loss."""
        ratios = [a / b for a, b in zip(ours.speeds, self.speeds, strict=True)]
        return {
            "images_per_second": round(median(self.speeds), 1),
            "all_images_per_second": [round(speed, 1) for speed in self.speeds],
            "ours_over_it": None if self is ours else round(median(ratios), 3),
            "last_loss": round(self.answers[-1]["loss"], 4),
        }


def interleave(sides: list[Side], rounds: int) -> dict[str, dict[str, Any]]:
    """Start every side and train one epoch of each, ``rounds`` times; the first side is ours."""
    try:
        for side in sides:
            side.start()
        for _ in range(rounds):
            for side in sides:
                side.turn()
    finally:
        for side in sides:
            if side.process is not None:
                side.stop()
    return {side.name: side.figures(sides[0]) for side in sides}
