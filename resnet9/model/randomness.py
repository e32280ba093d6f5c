"""Stateless random numbers that are the same with and without XLA (compared on CPUs; GPUs are yet to be).

Philox bits agree everywhere, but XLA and TensorFlow's own kernels turn bits into floats differently (their low and
their high 23 bits), so one seed would train two nets. Bits are therefore drawn as whole numbers and turned into
fractions here.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def bits(shape: list[int], key: Tensor) -> Tensor:
    """Uniform int32 of ``shape`` over the whole range, from ``key`` (int32 [2])."""
    return tf.random.stateless_uniform(shape, key, None, None, tf.int32, alg="philox")


def fractions(shape: list[int], key: Tensor) -> Tensor:
    """Uniform float32 of ``shape`` in [0, 1), multiples of 2**-24, from ``key`` (int32 [2])."""
    top = tf.bitwise.right_shift(tf.bitcast(bits(shape, key), tf.uint32), tf.constant(8, tf.uint32))
    # At most 2**24 - 1, which int32 and float32 both hold exactly; uint32 has no cast kernel on some devices.
    return tf.cast(tf.bitcast(top, tf.int32), tf.float32) * 2.0**-24
