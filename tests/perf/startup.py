"""From the start of the process to the end of the first training step: what each phase takes, medians of several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.protocol import EVENTS_VARIABLE
from resnet9 import recipe as recipes
from tests.perf.turns import ROOT

#: The phases before the first step, in their order, and the one that is that step.
PHASES = ("import", "device_init", "data_load", "compile", "build", "preprocess", "train_k")
PATIENCE_SECONDS = 600.0


def one_step(name: str, train_images: int, folder: Path) -> str:
    """The name of a recipe that is ``name`` with a schedule of a single step."""
    recipe = recipes.load(name)
    file = folder / "first.json"
    table = {**asdict(recipe), "epochs": 0.5 / recipe.steps_per_epoch(train_images)}
    del table["name"]
    file.write_text(json.dumps({"first": table}))
    return f"{file}:first"


def phases(recipe: str, data: str | None, precision: str, folder: Path) -> dict[str, float]:
    """Seconds of every phase of one training process up to its first step; it is stopped there."""
    events = folder / "events.jsonl"
    events.write_text("")
    where = ["--data", data] if data else []
    argv = [sys.executable, "-m", "resnet9", "train", "--recipe", recipe, "--device", "cpu", "--precision", precision]
    environment = {**os.environ, EVENTS_VARIABLE: str(events)}
    seconds: dict[str, float] = {}
    with subprocess.Popen([*argv, *where], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while "train_k" not in seconds and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
            lines = events.read_text().splitlines(keepends=True)
            told = [json.loads(line) for line in lines if line.endswith("\n")]
            seconds = {each["name"]: (each["end_ns"] - each["begin_ns"]) / 1e9 for each in told if "begin_ns" in each}
        process.kill()
    if "train_k" not in seconds:
        raise SystemExit(f"perf: the trainer of {recipe} ended before its first step; what it said is above")
    return {name: seconds[name] for name in PHASES}


def measure(name: str, data: str | None, train_images: int, precision: str, repeats: int) -> dict[str, float]:
    """Median seconds of each phase and of their sum, ``total``, over so many processes."""
    with tempfile.TemporaryDirectory() as place:
        recipe = one_step(name, train_images, Path(place))
        runs = [phases(recipe, data, precision, Path(place)) for _ in range(repeats)]
    found = {phase: round(median(run[phase] for run in runs), 2) for phase in PHASES}
    return {**found, "total": round(median(sum(run.values()) for run in runs), 2)}


def report(name: str, found: dict[str, float]) -> None:
    """Print the phases on one line."""
    parts = ", ".join(f"{phase} {found[phase]:.2f}" for phase in PHASES)
    print(f"{name:10} start to the end of the first step {found['total']:6.2f} s (aim 8): {parts}", flush=True)
