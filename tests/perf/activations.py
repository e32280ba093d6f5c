"""What the activation costs: the same training step with TensorFlow's own functions, ours, ReLU and none at all."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9.model import activations

#: What is put in the place of a recipe's activation, stem included; each takes the recipe's CELU alpha.
KINDS: dict[str, Any] = {
    "gelu": lambda alpha: activations.gelu,
    "gelu (TensorFlow)": lambda alpha: lambda x: tf.nn.gelu(x, approximate=False),
    "silu": lambda alpha: activations.silu,
    "silu (TensorFlow)": lambda alpha: tf.nn.silu,
    "celu": activations.celu,
    "celu (TensorFlow)": lambda alpha: lambda x: alpha * tf.nn.elu(x * (1.0 / alpha)),
    "relu": lambda alpha: tf.nn.relu,
    "none": lambda alpha: tf.identity,
}
#: The nets whose activations are measured, one recipe for each, with what is tried there.
TABLE = {
    "air-clean": ("gelu", "gelu (TensorFlow)", "silu", "silu (TensorFlow)", "relu", "none"),
    "plain24": ("celu", "celu (TensorFlow)", "relu", "none"),
    "page13": ("celu", "celu (TensorFlow)", "relu", "none"),
}


def install(kind: str) -> None:
    """Have every net that is built from now on use this one. Only the speed of what is then trained means anything."""
    activations.of = lambda name, alpha: KINDS[kind](alpha)
