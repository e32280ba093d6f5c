"""Where a step's time goes: TensorFlow's own profiler over a few steps, by kind of operation and one by one.

``python -m tests.perf.operations BATCHES.npz RECIPE PRECISION THREADS`` prints one line of JSON; run.py calls it so,
because a profile is taken in a process of its own. Operations of two threads may overlap: shares are of their sum.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

STEPS = 3
#: What belongs together, by the kernel's name after the colon; the first that fits.
KINDS = {
    "Conv2DBackpropFilter": "convolution, gradient of the weights",
    "Conv2DBackpropInput": "convolution, gradient of the inputs",
    "Conv2D": "convolution, forward",
    "MaxPoolGrad": "max pool, backward",
    "MaxPool": "max pool, forward",
    "FusedBatchNormGrad": "batch norm, backward",
    "FusedBatchNorm": "batch norm, forward",
    "CpuExecutable": "activations (compiled by XLA)",
    "Assign": "optimiser and other assignments",
    "MatMul": "linear layer and other products",
    "Cast": "casts",
}


def kind_of(name: str) -> str:
    """The kind an operation's name belongs to."""
    return next((kind for key, kind in KINDS.items() if key in name), "everything else")


def summary(planes: Any, steps: int) -> dict[str, Any]:
    """Milliseconds a step by kind and by operation, of the profiler's planes.

    Only what computes is counted: kernels, called ``layer:Kernel`` there, and functions compiled by XLA.
    """
    operations: Counter[str] = Counter()
    for plane in planes:
        if "CPU" not in plane.name or "metadata" in plane.name:
            continue
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                kernel = ":" in name and "::" not in name and not name.startswith(("EagerLocal", "Iterator"))
                if (kernel and "XlaLaunch" not in name) or name.startswith("CpuExecutable::Execute"):
                    operations[name] += event.duration_ps / 1e9 / steps
    kinds: Counter[str] = Counter()
    for name, milliseconds in operations.items():
        kinds[kind_of(name)] += milliseconds
    return {"kinds": dict(kinds.most_common()), "operations": dict(operations.most_common(15))}


def report(name: str, found: dict[str, Any]) -> None:
    """Print the kinds and the longest operations, with their share of all of them."""
    whole = sum(found["kinds"].values())
    print(f"{name:10} a step of {found['step_ms']:.0f} ms, operations of {whole:.0f} ms")
    if found.get("convolution_gflops"):
        print(f"           convolutions at {found['convolution_gflops']:.0f} GFLOP/s")
    for title in ("kinds", "operations"):
        for each, milliseconds in found[title].items():
            print(f"           {milliseconds:9.1f} ms {100 * milliseconds / whole:5.1f} %  {each}")
    print(flush=True)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import time

    import numpy as np
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from resnet9 import recipe as recipes
    from resnet9.device import devices
    from resnet9.input import augment
    from resnet9.optim.step import Settings, TrainingStep, compute_dtype
    from resnet9.recipe import flops

    batches, name, precision, threads = sys.argv[1:5]
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    data, recipe, dtype = np.load(batches), recipes.load(name), compute_dtype(precision)
    step = TrainingStep(recipe, Settings(dtype, False, 1.0, int(threads), devices.filter_products("cpu", precision)))
    step.reset(0)
    step.measure_whitening(data["images"])
    images = augment.normalise(recipe, data["images"][: recipe.batch], dtype)
    labels, row = tf.constant(data["labels"][: recipe.batch]), tf.constant(data["rows"][0])
    bias = bool(data["whitening_bias"])
    train = tf.function(lambda x, y, r: step(x, y, r, y, whitening_bias=bias), autograph=False)
    for _ in range(2):
        float(train(images, labels, row)[0])
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        for _ in range(STEPS):
            float(train(images, labels, row)[0])
        step_ms = 1000 * (time.perf_counter() - began) / STEPS
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        space.ParseFromString(next(Path(folder).glob("**/*.xplane.pb")).read_bytes())
    found = {"step_ms": step_ms, **summary(space.planes, STEPS)}
    convolutions_ms = sum(value for kind, value in found["kinds"].items() if kind.startswith("convolution"))
    if convolutions_ms:
        found["convolution_gflops"] = flops.cost(recipe).training_gflop * recipe.batch / convolutions_ms * 1000
    print(json.dumps(found))


if __name__ == "__main__":
    main()
