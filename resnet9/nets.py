"""ResNet9 (cifar10-fast, dawn_utils.py): eight 3x3 convolutions, two residual pairs, one linear layer.

==================  =========  ==================================================
layer               output     what
==================  =========  ==================================================
prep                32x32x64   conv 3-64, norm, ReLU
layer1              16x16x128  conv 64-128, norm, ReLU, max pool 2
layer1.residual     16x16x128  x + (conv, norm, ReLU)(conv, norm, ReLU), 128-128
layer2              8x8x256    conv 128-256, norm, ReLU, max pool 2
layer3              4x4x512    conv 256-512, norm, ReLU, max pool 2
layer3.residual     4x4x512    x + (conv, norm, ReLU)(conv, norm, ReLU), 512-512
linear              10         max pool 4, linear 512-10 without bias, x 0.125
==================  =========  ==================================================

The sum of a residual comes after its second ReLU and has none of its own. 6,573,120 parameters at width 64.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9 import layers, randomness
from resnet9.recipe import Recipe

Tensor = Any
CLASSES = 10


class ConvNormReLU:
    """Convolution, batch norm, ReLU, and a max pool of 2 where ``pool`` says so."""

    def __init__(self, recipe: Recipe, name: str, inputs: int, outputs: int, pool: bool = False) -> None:
        self.kernel = tf.Variable(tf.zeros([3, 3, inputs, outputs]), name=f"{name}.conv")
        self.norm = layers.BatchNorm(f"{name}.norm", outputs, recipe.batch_norm_epsilon, recipe.batch_norm_keep)
        self.pool = pool

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        images = tf.nn.relu(self.norm(layers.convolution(images, self.kernel), training))
        return layers.max_pool(images, 2) if self.pool else images


class ResNet9:
    """The net and its variables. ``width`` is the channel count of the first layer (64 in the original)."""

    def __init__(self, recipe: Recipe) -> None:
        w = recipe.width
        self.recipe = recipe
        self.prep = ConvNormReLU(recipe, "prep", 3, w)
        self.layer1 = ConvNormReLU(recipe, "layer1", w, 2 * w, pool=True)
        self.residual1 = [ConvNormReLU(recipe, f"layer1.residual{i}", 2 * w, 2 * w) for i in (1, 2)]
        self.layer2 = ConvNormReLU(recipe, "layer2", 2 * w, 4 * w, pool=True)
        self.layer3 = ConvNormReLU(recipe, "layer3", 4 * w, 8 * w, pool=True)
        self.residual3 = [ConvNormReLU(recipe, f"layer3.residual{i}", 8 * w, 8 * w) for i in (1, 2)]
        self.linear = tf.Variable(tf.zeros([8 * w, CLASSES]), name="linear")
        self.blocks = [self.prep, self.layer1, *self.residual1, self.layer2, self.layer3, *self.residual3]

    @property
    def kernels(self) -> list[tf.Variable]:
        """The eight convolution kernels, HWIO, and the linear weights [inputs, classes]."""
        return [block.kernel for block in self.blocks] + [self.linear]

    @property
    def trained(self) -> list[tf.Variable]:
        """Every variable the optimiser moves."""
        return self.kernels + [variable for block in self.blocks for variable in (block.norm.scale, block.norm.bias)]

    @property
    def statistics(self) -> list[tf.Variable]:
        """Running means and variances of the batch norms."""
        return [variable for block in self.blocks for variable in (block.norm.mean, block.norm.variance)]

    def reset(self, seed: Tensor) -> None:
        """Draw every kernel anew from ``seed`` (int32 scalar) and set the norms back: one seed, one net, XLA or not."""
        for index, kernel in enumerate(self.kernels):
            limit = layers.uniform_limit(self.recipe.init, int(kernel.shape[:-1].num_elements()))
            draw = randomness.fractions(kernel.shape.as_list(), tf.stack([seed, index]))
            kernel.assign((2.0 * draw - 1.0) * limit)
        for block in self.blocks:
            block.norm.reset()

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Logits, float32 [N,10], of normalised images [N,32,32,3] in the compute dtype."""
        x = self.layer1(self.prep(images, training), training)
        x = x + self.residual1[1](self.residual1[0](x, training), training)
        x = self.layer3(self.layer2(x, training), training)
        x = x + self.residual3[1](self.residual3[0](x, training), training)
        x = tf.squeeze(layers.max_pool(x, 4), [1, 2])
        return tf.cast(x @ tf.cast(self.linear, x.dtype), tf.float32) * self.recipe.logit_scale
