"""``python -m resnet9.device.acceptance``: does this TensorFlow compute correctly on this device? Prints one JSON
object.

For an image that has not been tried on a GPU yet (``bench image verify``): what TensorFlow was built with, for which
GPUs, and which CUDA the driver serves in here; and convolutions and matrix products of the kind the nets are made of,
in every precision the device has, each with its gradients, by TensorFlow's own kernels and compiled by XLA, compared
with sums in float64. The exit code is 0 where every check passed, else 1, or 4 where there is no such device. Whether
the build has code for the GPU is for the harness to judge.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from resnet9 import streams
from resnet9.device import build, devices, driver
from resnet9.errors import TrainerError

#: Relative error in the Frobenius norm. Inputs are rounded before the comparison, so what is left is the rounding of
#: the result: 2^-9 of bfloat16 at most, 2^-12 of float16, and in sums over 576 and more terms what the accumulator
#: loses. float32 is allowed TF32, whose inputs have 10 bits (2^-11 each), as TensorFlow uses it on GPUs that have it.
TOLERANCES = {"bf16": 4e-3, "fp16": 1e-3, "fp32": 2e-3}
_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
#: Of a layer in the middle of ResNet9, small enough for numpy, large enough for a GPU's tensor cores.
BATCH, SIDE, CHANNELS, FILTER = 16, 16, 64, 3
MATRIX_SIDE = 512
SEED = 20_180_401


@dataclass(frozen=True)
class Check:
    """One comparison; ``figure`` is its relative error, None where there is nothing to measure."""

    name: str
    passed: bool
    figure: float | None = None
    tolerance: float | None = None
    detail: str = ""


def convolution(images: np.ndarray, kernel: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, ...]:
    """Convolution of stride 1 and padding ``SAME`` with both its gradients, in float64.

    [N,H,W,Cin], [3,3,Cin,Cout], [N,H,W,Cout] -> results [N,H,W,Cout], [N,H,W,Cin], [3,3,Cin,Cout].
    """
    side, padded = images.shape[1], np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    result, down, filters = np.zeros_like(upstream), np.zeros_like(padded), np.zeros_like(kernel)
    for y in range(FILTER):
        for x in range(FILTER):
            window = padded[:, y : y + side, x : x + side]
            result += window @ kernel[y, x]
            down[:, y : y + side, x : x + side] += upstream @ kernel[y, x].T
            filters[y, x] = np.tensordot(window, upstream, ([0, 1, 2], [0, 1, 2]))
    return result, down[:, 1:-1, 1:-1], filters


def product(left: np.ndarray, right: np.ndarray, upstream: np.ndarray) -> tuple[np.ndarray, ...]:
    """A matrix product with both its gradients, in float64: [M,K], [K,N], [M,N] -> [M,N], [M,K], [K,N]."""
    return left @ right, upstream @ right.T, left.T @ upstream


def check_arithmetic(tf: Any, precisions: Sequence[str], compiled: Sequence[bool] = (False, True)) -> list[Check]:
    """Convolution and matrix product in each precision, by TensorFlow's kernels and compiled by XLA."""
    shapes = {
        "convolution": ((BATCH, SIDE, SIDE, CHANNELS), (FILTER, FILTER, CHANNELS, CHANNELS)),
        "matrix product": ((MATRIX_SIDE, MATRIX_SIDE), (MATRIX_SIDE, MATRIX_SIDE)),
    }
    operations: dict[str, tuple[Callable[..., Any], Callable[..., tuple[np.ndarray, ...]]]] = {
        "convolution": (lambda a, b: tf.nn.conv2d(a, b, strides=1, padding="SAME"), convolution),
        "matrix product": (tf.matmul, product),
    }
    return [
        _compared(tf, _title(name, precision, jit), *operations[name], shapes[name], precision, jit)
        for precision in precisions
        for name in shapes
        for jit in compiled
    ]


def _title(name: str, precision: str, jit: bool) -> str:
    return f"{name} in {precision}, compiled" if jit else f"{name} in {precision}"


def _compared(
    tf: Any, name: str, ours: Callable[..., Any], reference: Callable[..., tuple[np.ndarray, ...]],
    shapes: tuple[tuple[int, ...], tuple[int, ...]], precision: str, jit: bool,
) -> Check:  # fmt: skip
    """The worst relative error of a result and of its two gradients against ``reference``."""
    random = np.random.default_rng(SEED)
    shown = (*shapes, (*shapes[0][:-1], shapes[1][-1]))  # the result's: all but the last of one, the last of the other
    given = [tf.cast(random.standard_normal(shape, np.float32), _DTYPES[precision]) for shape in shown]

    @tf.function(jit_compile=jit)
    def with_gradients(left: Any, right: Any, upstream: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((left, right))
            result = ours(left, right)
        return (result, *tape.gradient(result, (left, right), output_gradients=upstream))

    tolerance = TOLERANCES[precision]
    try:
        found = [tf.cast(each, tf.float32).numpy() for each in with_gradients(*given)]
    except tf.errors.OpError as error:
        words = " ".join(str(error.message).split()).removeprefix("Graph execution error: ")
        return Check(name, False, None, tolerance, words[-300:])
    wanted = reference(*(tf.cast(each, tf.float64).numpy() for each in given))
    errors = [_relative_error(one, other) for one, other in zip(found, wanted, strict=True)]
    worst = max(errors)
    return Check(name, worst <= tolerance, worst, tolerance, "worst of the result and its two gradients")


def _relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    error = float(np.linalg.norm((found - wanted).ravel()) / np.linalg.norm(wanted.ravel()))
    return error if np.isfinite(error) else float("inf")


def answer(device: str) -> dict[str, Any]:
    """Everything, ready for JSON. Raises TrainerError where there is no such device."""
    import tensorflow as tf

    chosen = devices.select(device)
    info = tf.sysconfig.get_build_info()
    capabilities = [str(each) for each in info.get("cuda_compute_capabilities", ())]
    capability, precisions = None, devices.cpu_precisions()
    if chosen.kind == "gpu":
        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
        gpu = tuple(details.get("compute_capability") or (0, 0))
        capability, precisions = f"{gpu[0]}.{gpu[1]}", devices.gpu_precisions(gpu)
    with tf.device(f"/{chosen.kind.upper()}:0"):
        checks = check_arithmetic(tf, precisions)
    return {
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "build": build.describe(tf),
        "compute_capabilities": capabilities,
        "cuda_driver": driver.cuda_version(),
        "require": {name: os.environ[name] for name in sorted(os.environ) if name.startswith("NVIDIA_REQUIRE_")},
        "device": {"kind": chosen.kind, "name": chosen.name, "compute_capability": capability},
        "checks": [asdict(each) for each in checks],
        "passed": all(each.passed for each in checks),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the answer; the exit code."""
    streams.complete()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--device", default="gpu", help="gpu, cpu, or the UUID of a GPU")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        found = answer(options.device)
    except TrainerError as error:
        print(f"resnet9: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found), flush=True)
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # as the trainer: nothing is left to be cleaned up, and TensorFlow takes a second for it
