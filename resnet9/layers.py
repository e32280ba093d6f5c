"""The layers of the nets: raw TensorFlow ops on plain variables, NHWC, the same on TensorFlow 2.13 to the newest.

Variables are float32; they are cast to the compute dtype where they are used. Batch-norm statistics and sums stay
float32.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def convolution(images: Tensor, kernel: tf.Variable) -> Tensor:
    """3x3 convolution, stride 1, zero padding 1, no bias: [N,H,W,Cin] x HWIO [3,3,Cin,Cout] -> [N,H,W,Cout]."""
    return tf.nn.conv2d(images, tf.cast(kernel, images.dtype), strides=1, padding="SAME")


class BatchNorm:
    """Batch normalisation over N, H and W with trained scale and bias, float32 [C] each.

    ``keep`` is the weight of the old running statistic (Keras's ``momentum``; 1 - PyTorch's). The running variance is
    Bessel-corrected, as in PyTorch. The raw op is called because it fuses statistics and normalisation on every
    device and passes epsilon through unchanged.
    """

    def __init__(self, name: str, channels: int, epsilon: float, keep: float) -> None:
        self.epsilon, self.keep = epsilon, keep
        self.scale = tf.Variable(tf.ones([channels]), name=f"{name}.scale")
        self.bias = tf.Variable(tf.zeros([channels]), name=f"{name}.bias")
        self.mean = tf.Variable(tf.zeros([channels]), name=f"{name}.mean", trainable=False)
        self.variance = tf.Variable(tf.ones([channels]), name=f"{name}.variance", trainable=False)

    def reset(self) -> None:
        """Back to scale 1, bias 0, running mean 0 and variance 1."""
        for variable, value in ((self.scale, 1.0), (self.bias, 0.0), (self.mean, 0.0), (self.variance, 1.0)):
            variable.assign(tf.fill(variable.shape, value))

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """[N,H,W,C] -> [N,H,W,C] in the same dtype; in training the running statistics move on."""
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


def max_pool(images: Tensor, size: int) -> Tensor:
    """Maximum over windows of ``size`` x ``size`` that do not overlap: [N,H,W,C] -> [N,H/size,W/size,C]."""
    return tf.nn.max_pool2d(images, size, size, "VALID")


def uniform_limit(init: str, fan_in: int) -> float:
    """Half width of the uniform distribution a kernel starts from.

    ``uniform_fan_in``: 1/sqrt(fan_in), PyTorch's default for convolutions and linear layers. ``he_uniform``:
    sqrt(6/fan_in), Keras's name for He et al. 2015; 2.45 times wider.
    """
    return {"uniform_fan_in": 1.0, "he_uniform": 6.0}[init] ** 0.5 / fan_in**0.5
