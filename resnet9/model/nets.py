"""The networks: each one a table of layers, built from a recipe.

``ResNet9`` (cifar10-fast, dawn_utils.py and new_dawn.py), widths w1 w2 w3 w4 = 64 128 256 512:

==================  =========  =====================================================================
prep                32x32xw1   conv 3-w1, norm, activation; with whitening first a frozen conv 3-27
                               of 3x3 and then a 1x1 conv 27-w1
layer1              16x16xw2   conv w1-w2, norm, activation, max pool 2
layer1.residual     16x16xw2   x + (conv, norm, activation)(conv, norm, activation)
layer2              8x8xw3     conv w2-w3, norm, activation, max pool 2
layer3              4x4xw4     conv w3-w4, norm, activation, max pool 2
layer3.residual     4x4xw4     as layer1.residual
linear              10         max pool 4, linear without bias, x ``logit_scale``
==================  =========  =====================================================================

``Plain8`` (johanwind.github.io, 2022-12-28): eight convolutions 3-w1- ... -w8 with a max pool where the width grows,
except after the first; then as above. ``Air`` (airbench, hlb-CIFAR10):

==================  =========  =====================================================================
whitening           31x31x24   frozen conv 3-24 of 2x2, valid, with its negation, a bias if trained; activation
group 1             15x15xw1   conv 24-w1, max pool 2, norm, activation; ``depth`` - 1 x (conv, norm, activation)
group 2, group 3    7x7, 3x3   the same with w2 and w3
linear              10         max pool 3, linear without bias, x ``logit_scale``
==================  =========  =====================================================================

``residual`` (airbench96) adds the output of a group's first layer before the activation of its last. ``pool``
``before_norm`` moves every max pool between convolution and norm (bag of tricks).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import tensorflow as tf

from resnet9.model import activations, layers, randomness
from resnet9.model.whitening import WhiteningLayer
from resnet9.recipe import Recipe

Tensor = Any
CLASSES = 10


class Block:
    """Convolution, batch norm and activation, with a max pool of 2 where ``pool`` says so."""

    def __init__(
        self, recipe: Recipe, name: str, inputs: int, outputs: int, pool: bool, size: int, by_products: bool
    ) -> None:
        self.name, self.pool, self.size, self.by_products = name, pool, size, by_products
        self.kernel = tf.Variable(tf.zeros([size, size, inputs, outputs]), name=f"{name}.conv")
        self.norm = layers.BatchNorm(f"{name}.norm", outputs, recipe)
        self.activation = activations.of(recipe.activation, recipe.celu_alpha)
        self.pool_first = recipe.pool == "before_norm"
        # The maximum of a function that rises is the function of the maximum, which is four times fewer values.
        self.pool_before_activation = activations.rises(recipe.activation)

    def __call__(self, images: Tensor, training: bool, added: Tensor | None = None) -> Tensor:
        """[N,H,W,Cin] -> [N,H,W,Cout], or half of H and W; ``added`` joins before the activation."""
        x = layers.convolution(images, self.kernel, self.by_products)
        if self.pool and self.pool_first:
            x = layers.max_pool(x, 2)
        x = self.norm(x, training)
        if added is not None:
            x = x + added
        if not self.pool or self.pool_first:
            return self.activation(x)
        if self.pool_before_activation:
            return self.activation(layers.max_pool(x, 2))
        return layers.max_pool(self.activation(x), 2)


class Net(ABC):
    """What every net has: its variables in groups, a start from a seed, and logits. ``by_products``:
    ``layers.convolution``.
    """

    def __init__(self, recipe: Recipe, by_products: bool = False) -> None:
        self.recipe, self.by_products = recipe, by_products
        self.blocks: list[Block] = []
        self.whitening = WhiteningLayer(recipe) if recipe.whitening is not None else None
        self.stem_activation = activations.of(recipe.stem_activation or recipe.activation, recipe.celu_alpha)
        self._build()
        self.head = tf.Variable(tf.zeros([recipe.widths[-1], CLASSES]), name="linear")

    @abstractmethod
    def _build(self) -> None:
        """Make the blocks, in the order of the forward pass."""

    @abstractmethod
    def features(self, images: Tensor, training: bool) -> Tensor:
        """[N,32,32,3] -> [N,S,S,C], before the last pool."""

    def block(self, name: str, inputs: int, outputs: int, pool: bool = False, size: int = 3) -> Block:
        """A new block of the net, in the order of the forward pass."""
        self.blocks.append(Block(self.recipe, name, inputs, outputs, pool, size, self.by_products))
        return self.blocks[-1]

    @property
    def groups(self) -> dict[str, list[tf.Variable]]:
        """What the optimiser moves, by the names of ``recipe.GROUPS``."""
        bias = self.whitening.bias if self.whitening is not None else None
        return {
            "filters": [block.kernel for block in self.blocks],
            "norms": [variable for block in self.blocks for variable in block.norm.trained],
            "head": [self.head],
            "whitening_bias": [] if bias is None else [bias],
        }

    @property
    def trained(self) -> list[tf.Variable]:
        """Every variable the optimiser moves."""
        return [variable for group in self.groups.values() for variable in group]

    @property
    def kernels(self) -> list[tf.Variable]:
        """The trained convolution kernels, HWIO, and the linear weights [inputs, classes]."""
        return [*self.groups["filters"], self.head]

    @property
    def statistics(self) -> list[tf.Variable]:
        """Running means and variances of the batch norms."""
        return [variable for block in self.blocks for variable in block.norm.statistics]

    def reset(self, seed: Tensor) -> None:
        """Draw every kernel again from ``seed`` (int32 scalar) and set the norms back: one seed, one net, XLA or not.

        The filters of a whitening layer stay: they are measured on images, not drawn.
        """
        for index, kernel in enumerate(self.kernels):
            limit = layers.uniform_limit(self.recipe.init, int(kernel.shape[:-1].num_elements()))
            draw = (2.0 * randomness.fractions(kernel.shape.as_list(), tf.stack([seed, index])) - 1.0) * limit
            if kernel is self.head:
                kernel.assign(draw / tf.math.reduce_std(draw) if self.recipe.head_init == "unit_std" else draw)
            else:
                kernel.assign(self._with_identity(self.blocks[index], draw))
        for block in self.blocks:
            block.norm.reset()
        if self.whitening is not None:
            self.whitening.reset_bias(tf.stack([seed, len(self.kernels)]))

    def _with_identity(self, block: Block, draw: Tensor) -> Tensor:
        how = self.recipe.identity_init
        if how == "none" or block.size != 3:
            return draw
        return layers.plus_identity(draw) if how == "hlb" and block.pool else layers.with_identity(draw)

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Logits, float32 [N,10], of normalised images [N,32,32,3] in the compute dtype."""
        x = self.features(images, training)
        x = tf.squeeze(layers.max_pool(x, x.shape[1]), [1, 2])
        return tf.cast(x @ tf.cast(self.head, x.dtype), tf.float32) * self.recipe.logit_scale


class ResNet9(Net):
    """Two residual pairs; 6,573,120 parameters as cifar10-fast has it."""

    def _build(self) -> None:
        w1, w2, w3, w4 = self.recipe.widths
        if self.recipe.whitening is None:
            self.prep = self.block("prep", 3, w1)
        else:
            self.prep = self.block("prep", self.recipe.whitening.channels, w1, size=1)
        self.layer1 = self.block("layer1", w1, w2, pool=True)
        self.residual1 = [self.block(f"layer1.residual{i}", w2, w2) for i in (1, 2)]
        self.layer2 = self.block("layer2", w2, w3, pool=True)
        self.layer3 = self.block("layer3", w3, w4, pool=True)
        self.residual3 = [self.block(f"layer3.residual{i}", w4, w4) for i in (1, 2)]

    def features(self, images: Tensor, training: bool) -> Tensor:
        x = images if self.whitening is None else self.whitening(images)
        x = self.layer1(self.prep(x, training), training)
        x = x + self.residual1[1](self.residual1[0](x, training), training)
        x = self.layer3(self.layer2(x, training), training)
        return x + self.residual3[1](self.residual3[0](x, training), training)


class Plain8(Net):
    """Eight convolutions in a row."""

    def _build(self) -> None:
        inputs = 3
        for number, width in enumerate(self.recipe.widths, 1):
            self.block(f"layer{number}", inputs, width, pool=number > 1 and width > inputs)
            inputs = width

    def features(self, images: Tensor, training: bool) -> Tensor:
        x = images
        for block in self.blocks:
            x = block(x, training)
        return x


class Air(Net):
    """A whitening layer and three groups of convolutions."""

    def _build(self) -> None:
        assert self.recipe.whitening is not None
        inputs = self.recipe.whitening.channels
        self.stages: list[list[Block]] = []
        for number, width in enumerate(self.recipe.widths, 1):
            names = [f"group{number}.layer{i}" for i in range(1, self.recipe.depth + 1)]
            first = self.block(names[0], inputs, width, pool=True)
            self.stages.append([first, *(self.block(name, width, width) for name in names[1:])])
            inputs = width

    def features(self, images: Tensor, training: bool) -> Tensor:
        assert self.whitening is not None
        x = self.stem_activation(self.whitening(images))
        for first, *middle, last in self.stages:
            x = kept = first(x, training)
            for block in middle:
                x = block(x, training)
            x = last(x, training, added=kept if self.recipe.residual else None)
        return x


NETS: dict[str, type[Net]] = {"resnet9": ResNet9, "plain8": Plain8, "air": Air}


def build(recipe: Recipe, by_products: bool = False) -> Net:
    """The net a recipe names, its variables at zero until ``reset``; ``by_products``: see ``layers.convolution``."""
    return NETS[recipe.net](recipe, by_products)
