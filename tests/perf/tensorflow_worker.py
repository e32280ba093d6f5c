"""Our side: ``python -m tests.perf.tensorflow_worker BATCHES.npz RECIPE PRECISION THREADS step|input ACTIVATION``.

``step``: the compiled training step alone, on the images as they are. ``input``: the host input as in a run, shuffled,
augmented and prefetched by tf.data. ACTIVATION ``own``, or another to put in the recipe's place; see activations.py.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.data.dataset import Dataset
from resnet9.device import devices
from resnet9.input import augment
from resnet9.input.loops import HostLoop
from resnet9.optim.step import Settings, TrainingStep, compute_dtype
from tests.perf import activations
from tests.perf.turns import serve


def main() -> None:
    batches, name, precision, threads, kind, activation = sys.argv[1:7]
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    if activation != "own":
        activations.install(activation)
    data, recipe, dtype = np.load(batches), recipes.load(name), compute_dtype(precision)
    images, labels, rows, bias = data["images"], data["labels"], data["rows"], bool(data["whitening_bias"])
    steps = len(labels) // recipe.batch
    step = TrainingStep(recipe, Settings(dtype, False, 1.0, int(threads), devices.filter_products("cpu", precision)))
    step.reset(0)
    step.measure_whitening(images)

    if kind == "input":
        loop = HostLoop(step, len(labels))
        # The run's own rates, not those of a run over so few images; and one body, as most of its steps take.
        loop.controls, loop.rates = rows, rows[:, 0]
        loop.frozen_after = len(rows) if bias else 0
        loop.load(Dataset("cifar10", "slice", "", images, labels, images[:0], labels[:0]))
        serve(lambda number: loop.run(number + 1, 0).mean_loss, len(labels))
        return
    normal, truth = augment.normalise(recipe, images, tf.float32), tf.constant(labels)
    train = tf.function(lambda x, y, row: step(tf.cast(x, dtype), y, row, y, whitening_bias=bias), autograph=False)

    def epoch(number: int) -> float:
        losses = []
        for index in range(steps):
            part = slice(index * recipe.batch, (index + 1) * recipe.batch)
            losses.append(train(normal[part], truth[part], tf.constant(rows[number * steps + index]))[0])
        return float(tf.add_n(losses)) / len(labels)

    serve(epoch, len(labels))


if __name__ == "__main__":
    main()
