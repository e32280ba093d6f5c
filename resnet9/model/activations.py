"""Activation functions whose backward pass is written out, so that on a CPU each direction is one pass over memory.

TensorFlow's own GELU and CELU are chains of operations there, each reading and writing the whole tensor; they took
more of a step than the convolutions around them. Here the two directions are single functions compiled by XLA, and only
they are: convolutions and norms stay with oneDNN. Under XLA (GPU) they are fused like anything else. ``make perf``
measures both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensor = Any
Function = Callable[[Tensor], Tensor]


def _compiled(
    name: str, forward: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """An activation from its value and its derivative, both of float32; inputs and outputs keep their dtype."""

    def value(x: Tensor) -> Tensor:
        return tf.cast(forward(tf.cast(x, tf.float32)), x.dtype)

    def gradient(x: Tensor, upstream: Tensor) -> Tensor:
        return tf.cast(tf.cast(upstream, tf.float32) * slope(tf.cast(x, tf.float32)), x.dtype)

    value = tf.function(value, jit_compile=True, autograph=False)
    gradient = tf.function(gradient, jit_compile=True, autograph=False)

    @tf.custom_gradient
    def activation(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        # Only the input is kept for the backward pass.
        return value(x), lambda upstream: gradient(x, upstream)

    activation.__name__ = name
    return activation


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + tf.math.erf(x * math.sqrt(0.5)))


#: x times the normal distribution function, by erf and not by tanh (Hendrycks and Gimpel 2016), as airbench has it.
gelu = _compiled(
    "gelu",
    lambda x: x * _normal_cdf(x),
    lambda x: _normal_cdf(x) + x * tf.exp(-0.5 * x * x) * (1.0 / math.sqrt(2.0 * math.pi)),
)


def _silu_slope(x: Tensor) -> Tensor:
    sigmoid = tf.sigmoid(x)
    return sigmoid * (1.0 + x * (1.0 - sigmoid))


#: x times its logistic function.
silu = _compiled("silu", lambda x: x * tf.sigmoid(x), _silu_slope)


def celu(alpha: float) -> Function:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)) (Barron 2017)."""
    return _compiled(
        "celu",
        lambda x: tf.maximum(x, 0.0) + tf.minimum(alpha * (tf.exp(tf.minimum(x, 0.0) / alpha) - 1.0), 0.0),
        lambda x: tf.exp(tf.minimum(x, 0.0) / alpha),
    )


def of(name: str, celu_alpha: float) -> Function:
    """The activation a recipe names: ``relu``, ``celu``, ``gelu`` or ``silu``."""
    return {"relu": tf.nn.relu, "gelu": gelu, "silu": silu}.get(name) or celu(celu_alpha)


def rises(name: str) -> bool:
    """Whether the function never falls, so that the maximum of its values is its value at the maximum."""
    return name in ("relu", "celu")
