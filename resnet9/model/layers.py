"""The layers of the nets: raw TensorFlow ops on plain variables, NHWC, the same on TensorFlow 2.13 to the newest.

Variables are float32; they are cast to the compute dtype where they are used. Batch-norm statistics and sums stay
float32.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9.recipe import Recipe

Tensor = Any
#: The widest map whose filter gradient ``by_products`` takes as matrix products; they won at 8 and lost at 15.
PRODUCTS_SIDE = 8


def convolution(images: Tensor, kernel: Tensor, by_products: bool = False) -> Tensor:
    """Convolution of stride 1 and padding ``SAME``, without bias: [N,H,W,Cin] x HWIO [k,k,Cin,Cout] -> [N,H,W,Cout].

    ``by_products``: the gradient of a 3x3 kernel on a small map is taken as nine matrix products, for a CPU on which
    oneDNN's own is slow. Without AMX that one ran at a third to a half of the forward pass's rate on maps of 3 to 8,
    and the products gave a whole step 8 to 17 % (docs/notebook/measurements.md).
    """
    weights = tf.cast(kernel, images.dtype)
    if by_products and kernel.shape[0] == 3 and images.shape[1] <= PRODUCTS_SIDE:
        return _convolution_by_products(images, weights)
    return tf.nn.conv2d(images, weights, strides=1, padding="SAME")


@tf.custom_gradient
def _convolution_by_products(images: Tensor, kernel: Tensor) -> Tensor:
    def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
        back = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=images.shape, filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="SAME"
        )
        return back, filter_gradient(images, upstream)

    return tf.nn.conv2d(images, kernel, strides=1, padding="SAME"), gradient


def filter_gradient(images: Tensor, upstream: Tensor) -> Tensor:
    """The gradient of a 3x3 kernel, [3,3,Cin,Cout], from inputs [N,S,S,Cin] and the output's gradient [N,S,S,Cout].

    For each of the nine places of the kernel: the rows and columns that it saw inside the image, one matrix product.
    """
    side, inputs, outputs = images.shape[1], images.shape[3], upstream.shape[3]
    products = []
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            seen = images[:, max(row, 0) : side + min(row, 0), max(column, 0) : side + min(column, 0)]
            given = upstream[:, max(-row, 0) : side + min(-row, 0), max(-column, 0) : side + min(-column, 0)]
            flat = tf.reshape(seen, [-1, inputs]), tf.reshape(given, [-1, outputs])
            products.append(tf.matmul(*flat, transpose_a=True))
    return tf.reshape(tf.stack(products), [3, 3, inputs, outputs])


class BatchNorm:
    """Batch normalisation over N, H and W with a bias and, unless the recipe freezes it at 1, a scale; float32 [C].

    The recipe's ``batch_norm_keep`` is the weight of the old running statistic (Keras's ``momentum``; 1 - PyTorch's).
    The running variance is Bessel-corrected, as in PyTorch. With ``ghost_batch`` every group of so many images is
    normalised by itself (Hoffer et al. 2017), and the running statistics follow the mean over the groups.
    """

    def __init__(self, name: str, channels: int, recipe: Recipe) -> None:
        self.epsilon, self.keep, self.ghost_batch = (
            recipe.batch_norm_epsilon,
            recipe.batch_norm_keep,
            recipe.ghost_batch,
        )
        self.scale: Tensor = tf.Variable(tf.ones([channels]), name=f"{name}.scale")
        self.bias = tf.Variable(tf.zeros([channels]), name=f"{name}.bias")
        self.mean = tf.Variable(tf.zeros([channels]), name=f"{name}.mean", trainable=False)
        self.variance = tf.Variable(tf.ones([channels]), name=f"{name}.variance", trainable=False)
        self.trained = [self.bias]
        if recipe.batch_norm_scale == "trained":
            self.trained.insert(0, self.scale)
        else:
            self.scale = tf.ones([channels])  # a constant: no gradient is computed for it

    @property
    def statistics(self) -> list[tf.Variable]:
        """The running mean and variance."""
        return [self.mean, self.variance]

    def reset(self) -> None:
        """Back to scale 1, bias 0, running mean 0 and variance 1."""
        for variable in (*self.trained, *self.statistics):
            start = tf.ones if variable is self.scale or variable is self.variance else tf.zeros
            variable.assign(start(variable.shape))

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """[N,H,W,C] -> [N,H,W,C] in the same dtype; in training the running statistics move on."""
        if training and self.ghost_batch is not None:
            return self._by_groups(images, self.ghost_batch)
        # The raw op fuses statistics and normalisation on every device and passes epsilon through unchanged.
        outputs = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=self.scale,
            offset=self.bias,
            mean=self.mean,
            variance=self.variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1.0 - self.keep,
            is_training=training,
        )
        if training:
            self.mean.assign(outputs[1])
            self.variance.assign(outputs[2])
        return outputs[0]

    def _by_groups(self, images: Tensor, size: int) -> Tensor:
        count, height, width, channels = images.shape
        grouped = tf.reshape(tf.cast(images, tf.float32), [count // size, size, height, width, channels])
        mean = tf.reduce_mean(grouped, [1, 2, 3], keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(grouped, mean), [1, 2, 3], keepdims=True)
        values = size * height * width
        unbiased = tf.reduce_mean(variance, [0, 1, 2, 3]) * (values / max(values - 1, 1))
        self.mean.assign(self.keep * self.mean + (1.0 - self.keep) * tf.reduce_mean(mean, [0, 1, 2, 3]))
        self.variance.assign(self.keep * self.variance + (1.0 - self.keep) * unbiased)
        factor = tf.math.rsqrt(variance + self.epsilon) * self.scale
        return tf.cast(tf.reshape((grouped - mean) * factor + self.bias, images.shape), images.dtype)


def max_pool(images: Tensor, size: int) -> Tensor:
    """Maximum over windows of ``size`` x ``size`` that do not overlap: [N,H,W,C] -> [N,H//size,W//size,C]."""
    return tf.nn.max_pool2d(images, size, size, "VALID")


def uniform_limit(init: str, fan_in: int) -> float:
    """Half width of the uniform distribution a kernel starts from.

    ``uniform_fan_in``: 1/sqrt(fan_in), PyTorch's default for convolutions and linear layers. ``he_uniform``:
    sqrt(6/fan_in), Keras's name for He et al. 2015; 2.45 times wider.
    """
    return {"uniform_fan_in": 1.0, "he_uniform": 6.0}[init] ** 0.5 / fan_in**0.5


def identity_filters(kernel: Tensor) -> Tensor:
    """A 3x3 kernel HWIO [3,3,Cin,Cout] whose first min(Cin, Cout) filters pass their channel on, the rest 0 (PyTorch's
    ``dirac_``).
    """
    inputs, outputs = kernel.shape[2], kernel.shape[3]
    return tf.pad(tf.eye(inputs, outputs)[None, None], [[1, 1], [1, 1], [0, 0], [0, 0]])


def with_identity(kernel: Tensor) -> Tensor:
    """The kernel with its first min(Cin, Cout) filters replaced by the identity (airbench)."""
    inputs, outputs = kernel.shape[2], kernel.shape[3]
    replaced = tf.range(outputs) < min(inputs, outputs)
    return tf.where(replaced, identity_filters(kernel), kernel)


def plus_identity(kernel: Tensor) -> Tensor:
    """The kernel plus the identity, brought back to the mean and deviation it had (hlb-CIFAR10)."""
    summed = kernel + identity_filters(kernel)
    mean, deviation = tf.reduce_mean(kernel), tf.math.reduce_std(kernel)
    return (summed - tf.reduce_mean(summed)) / tf.math.reduce_std(summed) * deviation + mean
