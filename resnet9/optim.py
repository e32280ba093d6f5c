"""Stochastic gradient descent with Nesterov momentum and decay inside the gradient ("coupled"), in mean-gradient units.

The two forms differ only while the learning rate moves (``g`` = gradient of the mean loss + decay x w):

* ``page`` (cifar10-fast, torch_backend.py; Keras's SGD): ``v = mu v - lr g ; w += mu v - lr g`` -- the rate is inside
  the velocity.
* ``torch`` (torch.optim.SGD): ``b = mu b + g ; w -= lr (g + mu b)`` -- the rate is outside.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9.recipe import Recipe

Tensor = Any


class NesterovSGD:
    """Keeps a float32 velocity for each variable; ``step`` is meant to be called inside a compiled function."""

    def __init__(self, recipe: Recipe, variables: list[tf.Variable]) -> None:
        self.form, self.momentum, self.decay = recipe.nesterov, recipe.momentum, recipe.weight_decay
        self.variables = variables
        self.velocities = [
            tf.Variable(tf.zeros(v.shape), trainable=False, name=f"{v.name.split(':')[0]}.velocity") for v in variables
        ]

    def reset(self) -> None:
        """Velocities back to 0."""
        for velocity in self.velocities:
            velocity.assign(tf.zeros(velocity.shape))

    def step(self, gradients: list[Tensor], rate: Tensor) -> None:
        """One update with gradients of the mean loss (any float dtype) and a float32 scalar learning rate."""
        for weights, velocity, gradient in zip(self.variables, self.velocities, gradients, strict=True):
            total = tf.cast(gradient, tf.float32) + self.decay * weights
            if self.form == "page":
                moved = velocity.assign(self.momentum * velocity - rate * total)
                weights.assign_add(self.momentum * moved - rate * total)
            else:
                moved = velocity.assign(self.momentum * velocity + total)
                weights.assign_sub(rate * (total + self.momentum * moved))
