"""``make perf``: how fast the trainer is here, beside PyTorch, its own input, and what each activation costs.

Speed is never a test: machines are noisy and slow days must not fail a build. Every comparison runs its sides in turn
within one call and gives medians and the median of the ratios. The peer lives in an environment of its own, made on
first use; ``--peer PYTHON`` names another that has PyTorch, ``--peer none`` goes without.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from resnet9 import recipe as recipes
from resnet9.data import dataset, sources
from resnet9.device import devices
from resnet9.errors import DataError
from resnet9.recipe import flops
from tests.perf import comparison, operations, startup
from tests.perf.comparison import Setting
from tests.perf.turns import ROOT, interleave

SECTIONS = ("compare", "startup", "activations", "operations", "inputs")
DEFAULT_RECIPES = "page24,air-clean"


def images() -> dataset.Dataset:
    """Real CIFAR-10 where it is, else the stand-in: the arithmetic of a step is the same."""
    where = os.environ.get("DATA") or None
    try:
        return sources.load(where)
    except DataError as error:
        if where is not None:
            raise SystemExit(f"perf: {error}") from None
        print("CIFAR-10 not found: using the synthetic dataset. Give DATA=/path for CIFAR-10.", file=sys.stderr)
        return sources.load(dataset.SYNTHETIC)


def timed(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def answer_of(module: str, *arguments: str) -> str:
    """The last line that one of our modules prints, run as a process of its own."""
    argv = [sys.executable, "-m", f"tests.perf.{module}", *arguments]
    result = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        raise SystemExit(f"perf: {module} failed; what it said is above")
    return result.stdout.splitlines()[-1]


def measure_inputs(data: dataset.Dataset, name: str, setting: Setting) -> dict[str, float]:
    """The inputs alone: images/s that tf.data delivers, and milliseconds to augment a batch in a compiled function."""
    import tensorflow as tf

    from resnet9.input import augment
    from resnet9.input.loops import HostLoop
    from resnet9.optim.step import Settings, TrainingStep, compute_dtype

    recipe = recipes.load(name)
    settings = Settings(compute_dtype(setting.precision), False, 1.0, setting.threads)
    loop = HostLoop(TrainingStep(recipe, settings), len(data.train_labels))
    loop.load(data)
    steps = range(min(20, loop.steps_per_epoch))

    def drain() -> None:
        for _ in loop.batches(steps, 0):
            pass

    stored, index = tf.constant(data.train_images), tf.range(recipe.batch)
    flips = augment.alternating_flips(len(data.train_labels), tf.constant([1, 2]), tf.constant(1))

    @tf.function(autograph=False)
    def augmented(seed: Any) -> Any:
        drawn = augment.draws(recipe, augment.fractions(recipe, recipe.batch, seed))
        chosen = flips if recipe.flip == "alternating" else None
        return tf.reduce_sum(augment.augmented_batch(recipe, stored, index, drawn, settings.compute, chosen))

    return {
        "host_images_per_second": round(len(steps) * recipe.batch / timed(drain, 3), 1),
        "device_augmentation_ms_per_batch": round(1000 * timed(lambda: float(augmented(tf.constant([1, 2]))), 10), 2),
    }


def measure_activations(name: str, kinds: tuple[str, ...], data: dataset.Dataset, setting: Setting) -> dict[str, Any]:
    """The step of a recipe's net with each activation in turn."""
    with comparison.prepared(recipes.load(name), data, setting) as (batches, _):
        sides = [comparison.our_side(kind, name, batches, setting, "step", kind) for kind in kinds]
        found = interleave(sides, setting.rounds)
    for kind, each in found.items():
        print(f"{name:10} step with {kind:20} {each['images_per_second']:8.1f} images/s", flush=True)
    return found


def measure_operations(name: str, data: dataset.Dataset, setting: Setting) -> dict[str, Any]:
    """The profile of a recipe's step."""
    with comparison.prepared(recipes.load(name), data, setting) as (batches, _):
        found = json.loads(answer_of("operations", batches, name, setting.precision, str(setting.threads)))
    operations.report(name, found)
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything asked for, printed as it is found."""
    device = devices.select("cpu", os.environ.get("PRECISION") or "auto", options.threads)
    data, names = images(), options.recipes.split(",")
    setting = Setting(device.precision, device.threads, options.steps, options.rounds)
    figures: dict[str, Any] = {"machine": platform.machine(), "device": asdict(device), "dataset": str(data)}
    print(f"{device.name}, {device.threads} threads, {device.precision}; {data}")
    figures["load_seconds"] = round(timed(images, 3), 2)
    print(f"loading to ready arrays {figures['load_seconds']:.2f} s")
    rate = float(answer_of("matrix", "cpu", device.precision, str(options.matrix_side)).split()[0])
    figures["matrix_tflops"] = rate
    print(f"matrix product {1000 * rate:.1f} GFLOP/s")
    for section in options.sections.split(","):
        print(f"\n{section}", flush=True)
        found = figures[section] = {}
        if section == "activations":
            table = _activation_table(options.activation_recipes)
            for name, kinds in table.items():
                found[name] = measure_activations(name, kinds, data, setting)
            continue
        for name in names:
            if section == "compare":
                python = comparison.peer_python(options.peer)
                found[name] = comparison.compare(name, data, setting, python)
                comparison.report(name, found[name])
                bound = 1000 * rate / flops.cost(recipes.load(name)).training_gflop
                found[name]["bound_images_per_second"] = round(bound, 1)
                print(f"{name:10} the matrix product bounds a step at {bound:.0f} images/s")
            elif section == "startup":
                where = os.environ.get("DATA") or (dataset.SYNTHETIC if data.state == "synthetic" else None)
                found[name] = startup.measure(name, where, len(data.train_labels), device.precision, options.starts)
                startup.report(name, found[name])
            elif section == "operations":
                found[name] = measure_operations(name, data, setting)
            else:
                each = found[name] = measure_inputs(data, name, setting)
                print(f"{name:10} host input alone {each['host_images_per_second']:.0f} images/s", end=", ")
                print(f"device augmentation {each['device_augmentation_ms_per_batch']:.2f} ms a batch", flush=True)
    return figures


def _activation_table(chosen: str | None) -> dict[str, tuple[str, ...]]:
    from tests.perf import activations

    if chosen is None:
        return activations.TABLE
    return {name: next(iter(activations.TABLE.values())) for name in chosen.split(",")}


def parser() -> argparse.ArgumentParser:
    """The options of ``make perf``."""
    made = argparse.ArgumentParser(prog="python -m tests.perf.run", description=__doc__.splitlines()[0])
    made.add_argument(
        "--recipes", default=os.environ.get("RECIPE") or DEFAULT_RECIPES, help="names with commas (default $RECIPE)"
    )
    made.add_argument("--sections", default=",".join(SECTIONS), help="what to measure, with commas")
    made.add_argument("--activation-recipes", help="recipes for the GELU table (default: one of every kind of net)")
    made.add_argument("--steps", type=int, default=5, help="steps of a turn")
    made.add_argument("--rounds", type=int, default=5, help="turns of each side")
    made.add_argument("--starts", type=int, default=3, help="processes started for the start-up time")
    made.add_argument("--threads", type=int, default=0, help="CPU threads of both sides (default: all)")
    made.add_argument("--matrix-side", type=int, default=2048, help=argparse.SUPPRESS)
    made.add_argument("--peer", help="a Python that has PyTorch, or `none`")
    made.add_argument("--json", type=Path, help="also write every figure here")
    return made


def main() -> None:
    options = parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    unknown = set(options.sections.split(",")) - set(SECTIONS)
    if unknown:
        raise SystemExit(f"perf: there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    figures = measure(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
