#!/usr/bin/env python3
"""The smallest honest trainer: softmax regression on coarse grey images, in Python's standard library alone.

It uses nothing of the harness, so it shows what a program in any language has to do: read variables, train, and write
lines of JSON. Its accuracy is poor: on the built-in data, made to defeat a linear classifier, near chance.

    python -m bench check-trainer 'python3 examples/minimal_trainer.py'
"""

import hashlib
import json
import math
import os
import random
import sys
import time
from operator import mul

EPOCHS = 3
RATE = 0.01
CELLS = 8  # a side: every cell is the mean of 4 x 4 pixels

events = open(os.environ["BENCH_EVENTS"], "w")  # noqa: SIM115 (closed with the process)
seed, target = int(os.environ["BENCH_SEED"]), float(os.environ["BENCH_TARGET_PERCENT"])
phase_began_ns = int(os.environ["BENCH_STARTED_NS"])


def tell(event, **fields):
    """Write one event at once."""
    print(
        json.dumps({"v": 1, "event": event, "run": 0, "t_ns": time.monotonic_ns(), **fields}), file=events, flush=True
    )


def phase(name, ended_ns=None, **epoch):
    """Tell that the stretch since the last phase was ``name``: so none is left out and none counted twice."""
    global phase_began_ns
    began_ns, phase_began_ns = phase_began_ns, ended_ns or time.monotonic_ns()
    tell("phase", name=name, begin_ns=began_ns, end_ns=phase_began_ns, **epoch)


def features(pixels):
    """The mean of each cell of green, around 0, and a 1 for the bias."""
    side = 32 // CELLS
    green = pixels[1024:2048]
    rows = [green[at : at + side] for at in range(0, 1024, side)]  # of one row of a cell each
    cells = []
    for top in range(0, 32, side):
        for left in range(CELLS):
            total = sum(sum(rows[(top + down) * CELLS + left]) for down in range(side))
            cells.append(total / (side * side * 64) - 2)
    return [*cells, 1.0]


def shares(weights, cells):
    """Softmax: what the model holds each class for."""
    scores = [sum(map(mul, row, cells)) for row in weights]
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def train(weights, images, labels):
    """One epoch, an image a step; the mean loss."""
    loss = 0.0
    for at in random.sample(range(len(images)), len(images)):
        held = shares(weights, images[at])
        loss -= math.log(max(held[labels[at]], 1e-30))
        for label, row in enumerate(weights):
            pull = RATE * ((label == labels[at]) - held[label])
            row[:] = [weight + pull * cell for weight, cell in zip(row, images[at])]  # noqa: B905 (any Python 3)
    return loss / len(images)


if os.environ["BENCH_DEVICE"] != "cpu":
    tell("error", message="the minimal trainer knows no GPU", hint="type DEVICE=cpu")
    sys.exit(4)
random.seed(seed)
imported_ns = time.monotonic_ns()  # told after hello, which comes first
with open(os.environ["BENCH_DATA_FLAT"], "rb") as stream:
    data = stream.read()
count, tests = len(data) // 3073, int(os.environ["BENCH_TEST_IMAGES"])
labels, first = data[:count], count - tests
state = os.environ["BENCH_DATA_STATE"]
tell(
    "hello", trainer="minimal 1", framework=f"python {sys.version.split()[0]}", runs=1, seed=seed,
    recipe={"name": "minimal", "sha256": hashlib.sha256(repr((EPOCHS, RATE, CELLS)).encode()).hexdigest(),
            "target_percent": target, "epochs": EPOCHS, "steps_per_epoch": first, "batch": 1},
    dataset={"name": "synthetic" if state == "synthetic" else "cifar10",
             "sha256": hashlib.sha256(data).hexdigest(), "state": state},
    precision="fp64", input="device", device={"kind": "cpu", "name": "CPU", "uuid": ""}, threads=1,
    xla={"on": False, "flags": ""},
)  # fmt: skip
phase("import", imported_ns)
phase("data_load")
images = [features(data[at : at + 3072]) for at in range(count, len(data), 3072)]
phase("preprocess")
weights = [[random.gauss(0, 0.01) for _ in images[0]] for _ in range(10)]
phase("build")
crossed = False
for epoch in range(1, EPOCHS + 1):
    loss = train(weights, images[:first], labels[:first])
    phase("train_k", epoch=epoch)
    held = [shares(weights, image) for image in images[first:]]
    predicted = bytes(each.index(max(each)) for each in held)
    correct = sum(map(int.__eq__, predicted, labels[first:]))
    crosses = not crossed and 100 * correct >= target * tests
    crossed = crossed or crosses
    if crosses or epoch == EPOCHS:  # only then: what is written again at once might be counted in its place
        with open(os.path.join(os.path.dirname(events.name), "predictions.u8"), "wb") as stream:
            stream.write(predicted)
    phase("eval_k", epoch=epoch)
    tell("epoch", epoch=epoch, steps=first, images=first, loss=loss, correct=correct, total=tests, view="plain")
phase("exit")
tell("done", status="done")
