"""A recipe's training beside PyTorch's, in turn within one call: the step alone, and with the whole input.

Both sides train the first images of the dataset, an epoch of so many steps a turn, from the recipe's own schedule. The
peer is given its best: eager and compiled, each with float32 weights under autocast and with weights of the compute
precision; the faster pair of each is what is compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resnet9 import recipe as recipes
from resnet9.data.dataset import Dataset
from resnet9.optim.schedule import CONTROLS, controls, frozen_after
from resnet9.recipe import Recipe
from tests.perf.turns import Side, interleave

HERE = Path(__file__).parent
PEER = HERE.parents[1] / ".perf"
PEER_REQUIREMENTS = HERE / "peer.txt"
MODES, WEIGHTS = ("eager", "compiled"), ("autocast", "halved")
#: Two trainings whose mean losses of the last turn lie further apart than this are not the same work.
LOSS_TOLERANCE = 0.3


@dataclass(frozen=True)
class Setting:
    """What both sides share: precision, threads, steps of a turn and turns of each side."""

    precision: str
    threads: int
    steps: int
    rounds: int


def peer_python(given: str | None, install: bool = True) -> str | None:
    """A Python with PyTorch: the one ``given``, else that of an environment of our own, made on first use; None where
    PyTorch cannot be had.
    """
    if given is not None:
        return None if given == "none" else given
    python = PEER / "bin" / "python"
    if not python.exists():
        if not install:
            return None
        print(f"Installing the peer into {PEER.name} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        if subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(PEER_REQUIREMENTS)]).returncode:
            python.unlink()
            print("PyTorch cannot be installed here: no peer to compare with", file=sys.stderr)
            return None
    return str(python)


@contextmanager
def prepared(recipe: Recipe, data: Dataset, setting: Setting) -> Iterator[tuple[str, str]]:
    """Files for the workers: what is trained on, with the rates of every step, and the recipe as a table."""
    steps = min(setting.steps, len(data.train_labels) // recipe.batch)
    count = steps * recipe.batch
    rows = controls(recipe, len(data.train_labels))
    needed = (setting.rounds + 1) * steps
    if needed > len(rows):  # a schedule shorter than what is measured: its last rates again
        rows = np.concatenate([rows, np.repeat(rows[-1:], needed - len(rows), axis=0)])
    with tempfile.TemporaryDirectory() as folder:
        batches, table = Path(folder, "batches.npz"), Path(folder, "recipe.json")
        np.savez(
            batches,
            images=data.train_images[:count],
            labels=data.train_labels[:count],
            rows=rows[:needed],
            names=np.array(CONTROLS),
            # The body of the step that most of the run takes: with the whitening bias trained or frozen.
            whitening_bias=frozen_after(recipe, len(data.train_labels))
            > recipe.total_steps(len(data.train_labels)) / 2,
        )
        table.write_text(json.dumps(asdict(recipe)))
        yield str(batches), str(table)


def our_side(name: str, recipe: str, batches: str, setting: Setting, kind: str, activation: str = "own") -> Side:
    """A worker that trains a recipe with TensorFlow."""
    place = [batches, recipe, setting.precision, str(setting.threads), kind, activation]
    return Side(name, [sys.executable, "-m", "tests.perf.tensorflow_worker", *place])


def peer_side(python: str, batches: str, table: str, setting: Setting, kind: str, mode: str, weights: str) -> Side:
    """A worker that trains it with PyTorch."""
    place = [batches, table, setting.precision, str(setting.threads), kind, mode, weights]
    return Side(f"pytorch {mode}, {weights}", [python, "-m", "tests.perf.pytorch_worker", *place])


def compare(name: str, data: Dataset, setting: Setting, python: str | None) -> dict[str, Any]:
    """Images/s and losses of a recipe's sides: ``step`` on prepared batches and ``input`` with the whole input."""
    recipe = recipes.load(name)
    with prepared(recipe, data, setting) as (batches, table):

        def peers(kind: str, pairs: list[tuple[str, str]]) -> list[Side]:
            return [peer_side(str(python), batches, table, setting, kind, *pair) for pair in pairs]

        def ours(kind: str) -> Side:
            return our_side("tensorflow", name, batches, setting, kind)

        fastest, trial = [], {}
        if python is not None and has_peer(recipe):
            # fp32 has nothing to halve, and one turn tells which of the two is the faster.
            weights = WEIGHTS if setting.precision != "fp32" else WEIGHTS[:1]
            for mode in MODES:
                sides = peers("step", [(mode, each) for each in weights])
                trial |= {key: value["images_per_second"] for key, value in interleave(sides, 1).items()}
                fastest.append((mode, max(weights, key=lambda each: trial[f"pytorch {mode}, {each}"])))
        found = {kind: interleave([ours(kind), *peers(kind, fastest)], setting.rounds) for kind in ("step", "input")}
    return {"batch": recipe.batch, "steps_each": setting.steps * (setting.rounds + 1), "trial": trial, **found}


def has_peer(recipe: Recipe) -> bool:
    """Whether pytorch_nets.py has the recipe's net."""
    plain = recipe.net == "resnet9" and recipe.whitening is None
    air = recipe.net == "air" and recipe.depth == 2 and recipe.identity_init == "replace"
    return (plain or air) and recipe.ghost_batch is None and recipe.cutmix is None


def report(name: str, found: dict[str, Any]) -> None:
    """Print a recipe's sides, a line each, with the target the issue set beside them."""
    for kind, sides in (("step", found["step"]), ("input", found["input"])):
        ours = sides["tensorflow"]
        for side, each in sides.items():
            apart = abs(each["last_loss"] - ours["last_loss"])
            note = "" if apart <= LOSS_TOLERANCE else "   NOT THE SAME TRAINING"
            ratio = f"   ours is {each['ours_over_it']:.2f} x" if each["ours_over_it"] is not None else ""
            speed = f"{each['images_per_second']:8.1f} images/s   loss {each['last_loss']:.3f}"
            print(f"{name:10} {kind:6} {side:28} {speed}{ratio}{note}", flush=True)
