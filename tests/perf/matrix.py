"""The matrix rate of the device that trains: what bounds any step, measured with TensorFlow's own product.

``python -m tests.perf.matrix cpu|gpu PRECISION SIDE`` prints TFLOP/s; a process of its own, so that the device is free
again afterwards.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median


def rate_tflops(device: str, precision: str, side: int, repeats: int = 20) -> float:
    """TFLOP/s of a product of two square matrices: the median of ``repeats``, each ended by a number on the host."""
    import tensorflow as tf

    from resnet9.optim.step import compute_dtype

    with tf.device(f"/{device.upper()}:0"):
        a, b = (
            tf.cast(tf.random.stateless_normal([side, side], [index, 0]), compute_dtype(precision)) for index in (1, 2)
        )
        # Several products a call: on a GPU the way to the host and back takes as long as one.
        chain = 10 if device == "gpu" else 1

        @tf.function(autograph=False)
        def products() -> tf.Tensor:
            x = a
            for _ in range(chain):
                x = tf.matmul(x, b)
            return x[0, 0]

        float(products())
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            float(products())
            seconds.append((time.perf_counter() - began) / chain)
    return 2 * side**3 / median(seconds) / 1e12


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    kind, precision, side = sys.argv[1:4]
    from resnet9.device import devices

    device = devices.select(kind, precision)
    print(f"{rate_tflops(device.kind, device.precision, int(side)):.3f} {device.precision} {device.name}")


if __name__ == "__main__":
    main()
