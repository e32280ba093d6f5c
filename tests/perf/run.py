"""``make perf``: how fast the trainer is here, beside PyTorch, its own input, and what the harness costs.

Speed is never a test: machines are noisy and slow days must not fail a build. Every comparison runs its two sides in
turn within one call and gives medians and the median of the ratios. The peer lives in an environment of its own, made
on first use.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from resnet9 import dataset, devices
from resnet9 import recipe as recipes
from resnet9.errors import DataError

ROOT = Path(__file__).parents[2]
PEER = ROOT / ".perf"
PEER_REQUIREMENTS = Path(__file__).with_name("peer.txt")


@dataclass
class Worker:
    """One side of the comparison: a process that trains as many steps as it is told and answers with what that took."""

    name: str
    argv: list[str]
    process: Any = None

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            self.argv, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, steps: int) -> dict[str, float]:
        print(steps, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"perf: the worker {self.name} ended without an answer; what it said is above")
        return json.loads(line)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


def images() -> dataset.Dataset:
    """Real CIFAR-10 where it is, else the stand-in: the arithmetic of a step is the same."""
    where = os.environ.get("DATA") or None
    try:
        return dataset.load(where)
    except DataError as error:
        if where is not None:
            raise SystemExit(f"perf: {error}") from None
        print("CIFAR-10 is not here: the built-in stand-in takes its place (give DATA=/path)", file=sys.stderr)
        return dataset.load(dataset.SYNTHETIC)


def peer_python() -> str | None:
    """The Python of the peer's environment, made on first use; None where PyTorch cannot be had."""
    python = PEER / "bin" / "python"
    if not python.exists():
        print(f"Installing the peer into {PEER.name} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "-r", str(PEER_REQUIREMENTS)]
        if subprocess.run(install).returncode:
            python.unlink()
            print("PyTorch cannot be installed here: no peer to compare with", file=sys.stderr)
            return None
    return str(python)


def compare_steps(data: dataset.Dataset, precision: str, threads: int, steps: int, rounds: int) -> dict[str, Any]:
    """Images/s of page24's training step: TensorFlow, PyTorch eager and PyTorch compiled, in turn, on the same
    batches.
    """
    recipe = recipes.load("page24")
    normal = (data.train_images[:10_240] - np.float32(recipe.mean255)) / np.float32(recipe.std255)
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, images=normal, labels=data.train_labels[:10_240])
        file.flush()
        arguments = [file.name, precision]
        workers = [Worker("tensorflow", [sys.executable, "-m", "tests.perf.tensorflow_worker", *arguments, "graph"])]
        peer = peer_python()
        if peer is not None:
            script = str(Path(__file__).with_name("pytorch_worker.py"))
            workers += [Worker(f"pytorch {mode}", [peer, script, *arguments, mode]) for mode in ("eager", "compiled")]
        for worker in workers:
            worker.argv.append(str(threads))
            worker.start()
            worker.train(2)  # compiles and warms up; its time is dropped, its steps count for everybody
        answers: dict[str, list[dict[str, float]]] = {worker.name: [] for worker in workers}
        for _ in range(rounds):
            for worker in workers:
                answers[worker.name].append(worker.train(steps))
        for worker in workers:
            worker.stop()
    speeds = {name: [a["images"] / a["seconds"] for a in given] for name, given in answers.items()}
    ours = speeds["tensorflow"]
    return {
        "steps_each": 2 + steps * rounds,
        "images_per_second": {name: round(median(values), 1) for name, values in speeds.items()},
        "all_images_per_second": {name: [round(value, 1) for value in values] for name, values in speeds.items()},
        "ratio_to_ours": {
            name: round(median(a / b for a, b in zip(ours, values, strict=True)), 3)
            for name, values in speeds.items()
            if name != "tensorflow"
        },
        "last_loss": {name: round(given[-1]["loss"], 4) for name, given in answers.items()},
    }


def timed(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def measure_input(data: dataset.Dataset, precision: str, threads: int) -> dict[str, float]:
    """The inputs alone: images/s that tf.data delivers, and milliseconds of augmenting a batch inside a compiled
    function.
    """
    import tensorflow as tf

    from resnet9 import augment
    from resnet9.loops import HostLoop, Settings, TrainingStep, compute_dtype

    recipe = recipes.load("page24")
    settings = Settings(compute_dtype(precision), False, 1.0, threads)
    loop = HostLoop(TrainingStep(recipe, settings), len(data.train_labels))
    loop.load(data)
    steps = range(min(40, loop.steps_per_epoch))

    def drain() -> None:
        for _ in loop.batches(steps, 0):
            pass

    stored = tf.constant(data.train_images)
    index = tf.constant(np.arange(recipe.batch, dtype=np.int32))

    @tf.function(autograph=False)
    def augmented(seed: Any) -> Any:
        return tf.reduce_sum(augment.augmented_batch(recipe, stored, index, seed, settings.compute))

    batch_seconds = timed(lambda: float(augmented(tf.constant([1, 2]))), 20)
    return {
        "host_images_per_second": round(len(steps) * recipe.batch / timed(drain, 5), 1),
        "device_augmentation_ms_per_batch": round(1000 * batch_seconds, 2),
    }


def matrix_rate(threads: int, precision: str) -> float:
    """GFLOP/s of TensorFlow's own matrix product here, best of several: what bounds any step (page24 needs 2.272
    GFLOP an image).
    """
    import tensorflow as tf

    side, dtype = 2048, {"bf16": tf.bfloat16, "fp32": tf.float32}[precision]
    a, b = (tf.cast(tf.random.stateless_normal([side, side], [i, 0]), dtype) for i in (1, 2))
    product = tf.function(lambda: tf.matmul(a, b)[0, 0], autograph=False)
    best = min(timed(lambda: float(product()), 3) for _ in range(5))
    return round(2 * side**3 / best / 1e9, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6, help="steps of a turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side; 200 steps in all shows the losses")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    device = devices.select("cpu", os.environ.get("PRECISION") or "auto")
    data = images()
    load_seconds = timed(images, 3)
    print(f"{device.name}, {device.threads} threads, {device.precision}; {data}")
    print(f"loading to ready arrays          {load_seconds:8.2f} s")
    inputs = measure_input(data, device.precision, device.threads)
    peak = matrix_rate(device.threads, device.precision)
    steps = compare_steps(data, device.precision, device.threads, options.steps, options.rounds)
    speeds = steps["images_per_second"]
    for name, speed in speeds.items():
        ratio = f"   ours is {steps['ratio_to_ours'][name]:.2f} x" if name in steps["ratio_to_ours"] else ""
        print(f"step, {name:26} {speed:8.1f} images/s   loss {steps['last_loss'][name]:.3f}{ratio}")
    bound = peak / 2.272
    print(f"matrix product                   {peak:8.1f} GFLOP/s, which bounds a step at {bound:.0f} images/s")
    host, batch_ms = inputs["host_images_per_second"], inputs["device_augmentation_ms_per_batch"]
    step_ms = 1000 * 512 / speeds["tensorflow"]
    print(
        f"host input alone                 {host:8.1f} images/s, {host / speeds['tensorflow']:.1f} x what a step takes"
    )
    print(f"device augmentation              {batch_ms:8.2f} ms a batch, {100 * batch_ms / step_ms:.2f} % of a step")
    if options.json:
        figures = {"machine": platform.machine(), "device": asdict(device), "load_seconds": load_seconds}
        options.json.write_text(
            json.dumps({**figures, "matrix_gflops": peak, "inputs": inputs, "step": steps}, indent=1)
        )


if __name__ == "__main__":
    main()
