"""A moving average of everything a net has learned: weights and running statistics alike.

With ``copy_back`` the net itself becomes the average (lookahead, Zhang et al. 2019); without, the net trains on and the
average is what is evaluated (exponential moving average).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9.recipe import Average

Tensor = Any


class Averaging:
    """The average of ``variables``, float32 of their shapes."""

    def __init__(self, average: Average, variables: list[tf.Variable]) -> None:
        self.evaluated = not average.copy_back
        self.copies_back = average.copy_back
        self.variables = variables
        self.averages = [
            tf.Variable(tf.zeros(each.shape), trainable=False, name=f"{each.name.split(':')[0]}.average")
            for each in variables
        ]

    def reset(self) -> None:
        """The average is what the net is now."""
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign(variable)

    def step(self, keep: Tensor, copy: Tensor) -> None:
        """Move: ``average = keep * average + (1 - keep) * net``; where ``copy`` is 1 the net becomes it. Float32
        scalars, so that every step is the same compiled code.
        """
        for average, variable in zip(self.averages, self.variables, strict=True):
            moved = average.assign(keep * average + (1.0 - keep) * variable)
            if self.copies_back:
                variable.assign(tf.where(copy > 0.5, moved, variable))

    def swap(self) -> None:
        """Exchange net and average: once to judge the average, once more to train on."""
        for average, variable in zip(self.averages, self.variables, strict=True):
            kept = tf.identity(variable)
            variable.assign(average)
            average.assign(kept)
