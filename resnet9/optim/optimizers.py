"""The optimisers, in mean-gradient units: Nesterov SGD for every group of weights, and Muon for the filters.

The two Nesterov forms differ only while the learning rate moves (``g`` = gradient of the mean loss + decay x w):

* ``page`` (cifar10-fast, torch_backend.py; Keras's SGD): ``v = mu v - lr g ; w += mu v - lr g`` -- the rate is inside
  the velocity.
* ``torch`` (torch.optim.SGD): ``b = mu b + g ; w -= lr (g + mu b)`` -- the rate is outside.

``decoupled`` decay (SGDW, Loshchilov and Hutter 2019) leaves the gradient alone and takes ``lr x decay x w`` off the
weights.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import tensorflow as tf

from resnet9.model.nets import Net
from resnet9.recipe import GROUPS, Muon, Recipe

Tensor = Any


class NesterovSGD:
    """Keeps a float32 velocity for each variable of one group."""

    def __init__(self, recipe: Recipe, name: str, variables: list[tf.Variable]) -> None:
        group = recipe.group(name)
        self.form, self.coupled = recipe.nesterov, recipe.decay == "coupled"
        self.momentum, self.decay = group.momentum, group.weight_decay
        self.variables, self.velocities = variables, velocities_of(variables)

    def step(self, gradients: list[Tensor], rate: Tensor) -> None:
        """One update with float32 gradients of the mean loss and a float32 scalar learning rate."""
        for weights, velocity, gradient in zip(self.variables, self.velocities, gradients, strict=True):
            total = gradient + self.decay * weights if self.coupled else gradient
            if self.form == "page":
                moved = velocity.assign(self.momentum * velocity - rate * total)
                change = self.momentum * moved - rate * total
            else:
                moved = velocity.assign(self.momentum * velocity + total)
                change = -rate * (total + self.momentum * moved)
            weights.assign_add(change if self.coupled else change - rate * self.decay * weights)


class MuonFilters:
    """Muon (Jordan et al. 2024) for convolution kernels HWIO.

    A kernel is taken as a matrix [k k Cin, Cout]: the transpose of PyTorch's up to the order of its rows, which
    orthogonalising commutes with, so nothing is transposed. No shape factor scales the rate, as in airbench94_muon.
    """

    def __init__(self, muon: Muon, variables: list[tf.Variable], compute: tf.DType) -> None:
        self.muon, self.variables, self.compute = muon, variables, compute
        self.velocities = velocities_of(variables)

    def step(self, gradients: list[Tensor], rate: Tensor, renormalise: Tensor) -> None:
        """One update with float32 gradients of the mean loss, a float32 scalar learning rate, and 1 where the kernels
        are first scaled to the norm sqrt(Cout).
        """
        updates = []
        for velocity, gradient in zip(self.velocities, gradients, strict=True):
            moved = velocity.assign(self.muon.momentum * velocity + gradient)
            updates.append(gradient + self.muon.momentum * moved)
        directions = orthogonal(updates, self.muon.iterations, self.muon.coefficients, self.compute)
        for weights, direction in zip(self.variables, directions, strict=True):
            unit = tf.sqrt(float(weights.shape[-1])) / tf.norm(weights)
            moved = tf.where(renormalise > 0.5, unit, 1.0) * weights - rate * direction
            weights.assign((1.0 - rate * self.muon.weight_decay) * moved)


def orthogonal(
    kernels: list[Tensor], iterations: int, coefficients: tuple[float, ...], compute: tf.DType
) -> list[Tensor]:
    """The nearest orthogonal matrices, nearly, to kernels seen as [k k Cin, Cout]: float32 of the shapes given.

    Newton-Schulz: X / |X|, then ``iterations`` x ``X <- a X + X (b A + c A A)`` with A = X^T X, which is [Cout, Cout],
    the short side of every 3x3 kernel but a first one. Kernels of one Cout go through in one batch, padded with rows of
    zeros, which stay zero. The coefficients overshoot on purpose: singular values end near 1, not at it.
    """
    a, b, c = coefficients
    matrices = [tf.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in kernels]
    batches: dict[int, list[int]] = defaultdict(list)
    for index, matrix in enumerate(matrices):
        batches[matrix.shape[1]].append(index)
    result: list[Tensor] = [None] * len(kernels)
    for members in batches.values():
        rows = max(matrices[index].shape[0] for index in members)
        normal = [matrices[index] / (tf.norm(matrices[index]) + 1e-7) for index in members]
        x = tf.cast(tf.stack([tf.pad(each, [[0, rows - each.shape[0]], [0, 0]]) for each in normal]), compute)
        for _ in range(iterations):
            squares = tf.matmul(x, x, transpose_a=True)
            x = a * x + tf.matmul(x, b * squares + c * tf.matmul(squares, squares))
        for place, index in enumerate(members):
            part = tf.cast(x[place, : matrices[index].shape[0]], tf.float32)
            result[index] = tf.reshape(part, kernels[index].shape)
    return result


class Optimiser:
    """Every group of a net with the optimiser its recipe gives it; ``step`` is called inside a compiled function."""

    def __init__(self, recipe: Recipe, net: Net, compute: tf.DType) -> None:
        groups = net.groups
        self.muon = None if recipe.muon is None else MuonFilters(recipe.muon, groups["filters"], compute)
        self.plain = {
            name: NesterovSGD(recipe, name, groups[name])
            for name in GROUPS
            if groups[name] and not (name == "filters" and self.muon is not None)
        }

    @property
    def velocities(self) -> list[tf.Variable]:
        """The state of every group, float32, of its variables' shapes."""
        kept = [velocity for each in self.plain.values() for velocity in each.velocities]
        return kept + (self.muon.velocities if self.muon is not None else [])

    def reset(self) -> None:
        """Velocities back to 0."""
        for velocity in self.velocities:
            velocity.assign(tf.zeros(velocity.shape))

    def variables(self, with_whitening_bias: bool) -> dict[str, list[tf.Variable]]:
        """The variables to take gradients of, by group."""
        found = {name: each.variables for name, each in self.plain.items()}
        if self.muon is not None:
            found["filters"] = self.muon.variables
        if not with_whitening_bias:
            found.pop("whitening_bias", None)
        return found

    def step(self, gradients: dict[str, list[Tensor]], controls: dict[str, Tensor]) -> None:
        """One update of the groups in ``gradients`` (float32, of the mean loss) with the rates in ``controls``."""
        for name, given in gradients.items():
            if name == "filters" and self.muon is not None:
                self.muon.step(given, controls[name], controls["renormalise"])
            else:
                self.plain[name].step(given, controls[name])


def velocities_of(variables: list[tf.Variable]) -> list[tf.Variable]:
    """A variable of zeros for each variable, which the optimiser does not train."""
    return [
        tf.Variable(tf.zeros(each.shape), trainable=False, name=f"{each.name.split(':')[0]}.velocity")
        for each in variables
    ]
