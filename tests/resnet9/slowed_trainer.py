"""resnet9 with its input or its step slowed down by a known time: ``slowed_trainer.py JSON``.

The object says ``recipe`` (fields to change in smoke), ``images`` (how many to train on), ``input`` (host or memory),
and ``batch_seconds`` and ``step_seconds``, which every batch takes longer to make, one after the other and before the
prefetch, and every step to train.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from typing import Any

import tensorflow as tf

from bench.protocol import SEED_VARIABLE
from resnet9.data import sources, synthetic
from resnet9.data.dataset import Dataset
from resnet9.input import loops
from resnet9.training import run
from tests.resnet9.narrow import narrow


def slowed(batch_seconds: float, step_seconds: float) -> type[loops.HostLoop]:
    class Slowed(loops.HostLoop):
        """The host's input, and the step behind it, with a rest in each."""

        def _unbuffered(self, steps: range, seed: int) -> tf.data.Dataset:
            data = super()._unbuffered(steps, seed)
            return data.map(rested) if batch_seconds else data

        def _compiled(self, whitening_bias: bool) -> Any:
            step = super()._compiled(whitening_bias)

            def train(*batch: Any) -> Any:
                time.sleep(step_seconds)
                return step(*batch)

            return train

    def rest() -> None:
        time.sleep(batch_seconds)

    def rested(*batch: Any) -> Any:
        # A sequential map with an operation that has an effect: one rest a batch, none of them at once.
        with tf.control_dependencies([tf.numpy_function(rest, [], [])]):
            return tuple(tf.identity(part) for part in batch)

    return Slowed


def first(count: int) -> Dataset:
    """The built-in stand-in with its first ``count`` training images alone."""
    whole = synthetic.make()
    return replace(whole, train_images=whole.train_images[:count], train_labels=whole.train_labels[:count])


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    loops.INPUTS["host"] = slowed(asked.get("batch_seconds", 0.0), asked.get("step_seconds", 0.0))
    sources.load = lambda _: first(asked["images"])
    changes = {key: tuple(value) if isinstance(value, list) else value for key, value in asked["recipe"].items()}
    seed = int(os.environ[SEED_VARIABLE])
    request = run.Request(narrow("smoke", **changes), seed, None, asked["input"], "fp32", "cpu")
    code = run.run(request)
    sys.stdout.flush()
    os._exit(code)
