"""Our training step alone, driven like its peer: see pytorch_worker.py for the arguments and the answers."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.loops import Settings, TrainingStep, compute_dtype
from resnet9.schedule import learning_rates


def main() -> None:
    path, precision, _, threads = sys.argv[1:5]
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    data, recipe = np.load(path), recipes.load("page24")
    dtype = compute_dtype(precision)
    images, labels = tf.constant(data["images"]), tf.constant(data["labels"])
    rates = learning_rates(recipe, 50_000)
    step = TrainingStep(recipe, Settings(dtype, False, 1.0, int(threads)))
    step.reset(0)
    compiled = tf.function(lambda x, y, rate: step(tf.cast(x, dtype), y, rate), autograph=False)
    done = 0
    for line in sys.stdin:
        losses, began = [], time.perf_counter()
        for _ in range(int(line)):
            done += 1
            start = (done - 1) * recipe.batch % (len(labels) - recipe.batch + 1)
            part = slice(start, start + recipe.batch)
            losses.append(compiled(images[part], labels[part], tf.constant(rates[done - 1]))[0])
        loss = float(tf.add_n(losses)) / (int(line) * recipe.batch)
        print(
            json.dumps({"seconds": time.perf_counter() - began, "images": int(line) * recipe.batch, "loss": loss}),
            flush=True,
        )


if __name__ == "__main__":
    main()
