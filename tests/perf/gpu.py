"""``make perf-gpu``: the recipes on an NVIDIA GPU beside their PyTorch originals, in one command.

Measured are the card's matrix rate; for every recipe the accuracy of many runs in one process, the clocks, compile time
and achieved TFLOP/s of runs in a process each; and a PyTorch training of the same recipe, written by us
(pytorch_training.py), after which the next of our runs follows. ``--original RECIPE=DIR`` also runs a checkout of the
original as it is (originals.py). Aims: page24 to 94 % in half of cifar10-fast's time on the card, air94 and hive no
slower than theirs.

Written against TensorFlow 2.21 and PyTorch 2.13; not run on a GPU yet. ``--rehearse`` goes the same way on a CPU, with
narrow nets and built-in data, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np

from bench.protocol import EVENTS_VARIABLE
from bench.record.build import build_record
from bench.record.clocks import CLOCKS, cumulative_seconds
from resnet9 import recipe as recipes
from resnet9.data import dataset, sources
from resnet9.errors import DataError
from resnet9.optim.schedule import CONTROLS, controls, frozen_after
from resnet9.recipe import flops
from tests.perf import comparison, originals
from tests.perf.turns import ROOT

#: How the original of each recipe runs its net, and the most that ours may take of its time.
ORIGINALS = {"page24": ("eager", 0.5), "air94": ("compiled", 1.0), "hive": ("compiled", 1.0)}
#: What stands in for them in a rehearsal.
NARROW = {
    "page24": {"widths": [8, 8, 8, 8], "epochs": 1, "batch": 250},
    "air94": {"widths": [8, 8, 8], "epochs": 1, "batch": 250},
    "hive": {"widths": [8, 8, 8], "epochs": 1, "batch": 250},
}
#: What the peer trains and tests on there: eager PyTorch on a busy CPU is slow.
REHEARSED_IMAGES = (1000, 500)


@dataclass(frozen=True)
class Place:
    """Where the runs happen: device, data, precision, a folder for events, and the peer's Python (None: no peer)."""

    device: str
    data: str | None
    precision: str
    folder: Path
    peer: str | None


def ours(recipe: str, place: Place, runs: int = 1, seed: int = 0) -> list[dict[str, Any]]:
    """The events of ``runs`` runs in one process of our trainer."""
    events = place.folder / "events.jsonl"
    events.write_text("")
    argv = [sys.executable, "-m", "resnet9", "train", "--recipe", recipe, "--device", place.device, "--input", "device"]
    argv += ["--precision", place.precision, "--runs", str(runs), "--seed", str(seed)]
    argv += ["--data", place.data] if place.data else []
    environment = {**os.environ, EVENTS_VARIABLE: str(events)}
    if subprocess.run(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"perf: the training of {recipe} failed; what it said is above")
    return [json.loads(line) for line in events.read_text().splitlines()]


def times(recipe: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """What one run took: every clock at the target and at the end, compile seconds, and achieved TFLOP/s."""
    record = build_record([json.dumps(event) for event in events])
    resolved, trained = recipes.load(recipe), sum(each.images for each in record.epochs)
    found: dict[str, Any] = {"accuracy_percent": record.epochs[-1].accuracy_percent, "precision": record.precision}
    for name, clock in CLOCKS.items():
        at = cumulative_seconds(clock, record)
        found[f"{name}_seconds"] = at[-1]
        found[f"{name}_to_target_seconds"] = None if record.crossing_index is None else at[record.crossing_index]
    found["compile_seconds"] = sum(each.duration_ns for each in record.phases if each.name == "compile") / 1e9
    found["tflops"] = flops.cost(resolved).training_gflop * trained / found["train_seconds"] / 1e3
    return found


def accuracies(events: list[dict[str, Any]]) -> list[float]:
    """The accuracy each run of a process is judged by, in percent."""
    last = {event["run"]: event for event in events if event["event"] == "epoch"}
    return [100 * event["correct"] / event["total"] for event in last.values()]


def peer(recipe: str, mode: str, place: Place, runs: int) -> list[dict[str, Any]]:
    """The runs of a PyTorch training of the recipe, in one process after a warm-up."""
    resolved, data = recipes.load(recipe), sources.load(place.data)
    table, arrays = place.folder / "recipe.json", place.folder / "data.npz"
    train, test = (len(data.train_labels), len(data.test_labels)) if place.device == "gpu" else REHEARSED_IMAGES
    table.write_text(json.dumps(asdict(resolved)))
    np.savez(
        arrays,
        images=data.train_images[:train],
        labels=data.train_labels[:train],
        test_images=data.test_images[:test],
        test_labels=data.test_labels[:test],
        rows=controls(resolved, train),
        names=np.array(CONTROLS),
        frozen_after=frozen_after(resolved, train),
    )
    device = "cuda" if place.device == "gpu" else "cpu"
    argv = [str(place.peer), "-m", "tests.perf.pytorch_training", str(arrays), str(table), device, mode, str(runs)]
    result = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        print(f"perf: the PyTorch training of {recipe} failed; what it said is above", file=sys.stderr)
        return []
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def measure(name: str, recipe: str, place: Place, options: argparse.Namespace, rate: float) -> dict[str, Any]:
    """Everything about one recipe; sides take turns, a process of ours after each of the peer's."""
    mode, share = ORIGINALS[name]
    turns, theirs = [], []
    for turn in range(options.turns):
        turns.append(times(recipe, ours(recipe, place, seed=turn)))
        if place.peer is not None:
            theirs += peer(recipe, mode, place, options.peer_runs)
    percents = accuracies(ours(recipe, place, options.runs))
    found: dict[str, Any] = {
        key: median(values) if None not in values and key != "precision" else values
        for key, values in ((key, [turn[key] for turn in turns]) for key in turns[0])
    }
    found |= {"turns": turns, "accuracies": percents, "accuracy_mean": mean(percents)}
    found["accuracy_std"] = stdev(percents) if len(percents) > 1 else None
    found["matrix_share"] = found["tflops"] / rate
    # page24's original leaves evaluation outside its clock, airbench and its kin have their final one inside.
    clock = "train_seconds" if name == "page24" else "run_seconds"
    mine = found["dawnbench_seconds" if name == "page24" else "run_seconds"]
    if theirs:
        found["pytorch"] = {"mode": mode, "runs": theirs, "seconds": median(run[clock] for run in theirs)}
        found["pytorch"]["accuracy_mean"] = mean(run["accuracy_percent"] for run in theirs)
        found["ours_over_pytorch"] = mine / found["pytorch"]["seconds"]
    found["aim_share"] = share
    return found


def report(name: str, found: dict[str, Any]) -> None:
    """Print a recipe's figures."""
    spread = "" if found["accuracy_std"] is None else f", standard deviation {found['accuracy_std']:.3f}"
    print(f"{name}: mean {found['accuracy_mean']:.3f} % of {len(found['accuracies'])} runs in one process{spread}")
    for clock in CLOCKS:
        reached = found[f"{clock}_to_target_seconds"]
        told = f"{reached:8.3f} s to the target" if isinstance(reached, float) else "target not reached in every turn"
        print(f"  {clock:15} {found[f'{clock}_seconds']:8.3f} s, {told}")
    print(f"  compile         {found['compile_seconds']:8.3f} s")
    print(f"  {found['tflops']:.2f} TFLOP/s in training, {100 * found['matrix_share']:.1f} % of the matrix product")
    if "pytorch" in found:
        theirs = found["pytorch"]
        print(f"  PyTorch {theirs['mode']} {theirs['seconds']:.3f} s, mean {theirs['accuracy_mean']:.3f} %;", end=" ")
        print(f"ours takes {found['ours_over_pytorch']:.2f} of it, the aim is {found['aim_share']:.2f}")
    for text in found.get("original", []):
        print(f"  the original: {text}")
    print(flush=True)


def parser() -> argparse.ArgumentParser:
    """The options of ``make perf-gpu``."""
    made = argparse.ArgumentParser(prog="python -m tests.perf.gpu", description=__doc__.splitlines()[0])
    made.add_argument("--recipes", default=os.environ.get("RECIPE") or ",".join(ORIGINALS), help="names with commas")
    made.add_argument("--runs", type=int, default=20, help="runs in one process, for the accuracy")
    made.add_argument("--turns", type=int, default=3, help="processes of one run each, for the times")
    made.add_argument("--peer-runs", type=int, default=3, help="runs of the peer in each of its turns")
    made.add_argument("--peer", help="a Python with PyTorch, or `none` (default: an environment of its own)")
    made.add_argument(
        "--original", action="append", default=[], metavar="RECIPE=DIR", help="a checkout to run as it is"
    )
    made.add_argument("--rehearse", action="store_true", help="go the same way on a CPU, with narrow nets")
    made.add_argument("--json", type=Path, help="also write every figure here")
    return made


def main() -> None:
    options = parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    names = options.recipes.split(",")
    unknown = set(names) - set(ORIGINALS)
    if unknown:
        raise SystemExit(f"perf: {', '.join(sorted(unknown))} has no original here; there are {', '.join(ORIGINALS)}")
    with tempfile.TemporaryDirectory() as folder:
        python = comparison.peer_python(options.peer, install=not options.rehearse)
        print("" if python else "No PyTorch here: no peer to compare with", file=sys.stderr)
        device, data, side = "gpu", os.environ.get("DATA") or None, 8192
        resolved = {name: name for name in names}
        if options.rehearse:
            device, data, side = "cpu", dataset.SYNTHETIC, 256
            file = Path(folder, "narrow.json")
            tables = {f"{name}-narrow": {"extends": name, "dataset": "synthetic", **NARROW[name]} for name in names}
            file.write_text(json.dumps(tables))
            resolved = {name: f"{file}:{name}-narrow" for name in names}
        try:
            sources.describe(data)
        except DataError as error:
            raise SystemExit(f"perf: {error}") from None
        place = Place(device, data, os.environ.get("PRECISION") or "auto", Path(folder), python)
        argv = [sys.executable, "-m", "tests.perf.matrix", device, place.precision, str(side)]
        answer = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        rate, precision, card = answer.strip().split(" ", 2)
        print(f"{card}: {float(rate):.2f} TFLOP/s in {precision} products of {side} x {side}", flush=True)
        figures: dict[str, Any] = {"card": card, "matrix_tflops": float(rate), "precision": precision}
        checkouts = dict(each.split("=", 1) for each in options.original)
        for name in names:
            found = figures[name] = measure(name, resolved[name], place, options, float(rate))
            if name in checkouts:
                found["original"] = originals.run(name, Path(checkouts[name]), python or sys.executable)
            report(name, found)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
