"""Convolutions whose filter gradient is taken as matrix products, beside TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from resnet9.device import devices
from resnet9.model import layers


def gradients(images, kernel, by_products):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = layers.convolution(images, kernel, by_products)
        loss = tf.reduce_sum(outputs * tf.cos(outputs))
    return [outputs.numpy(), *(each.numpy() for each in tape.gradient(loss, [images, kernel]))]


@pytest.mark.parametrize("side", [2, 3, 7, 8, 9])
def test_by_products_or_not_outputs_and_gradients_are_the_same(side):
    rng = np.random.RandomState(side)
    images = tf.constant(rng.normal(size=(3, side, side, 5)).astype(np.float32))
    kernel = tf.constant(rng.normal(size=(3, 3, 5, 4)).astype(np.float32))
    for ours, theirs in zip(gradients(images, kernel, True), gradients(images, kernel, False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_products_are_taken_of_3x3_kernels_on_small_maps_and_only_where_asked(monkeypatch):
    taken = []
    monkeypatch.setattr(layers, "_convolution_by_products", lambda images, kernel: taken.append(images.shape[1]))
    for side, size, asked in ((8, 3, True), (9, 3, True), (8, 1, True), (8, 3, False)):
        layers.convolution(tf.zeros([1, side, side, 2]), tf.zeros([size, size, 2, 2]), asked)
    assert taken == [8]


def test_a_gradient_in_bfloat16_keeps_the_dtype():
    images, kernel = tf.ones([2, 4, 4, 3], tf.bfloat16), tf.ones([3, 3, 3, 2])
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        outputs = layers.convolution(images, kernel, True)
    assert outputs.dtype == tf.bfloat16
    # A corner of the kernel saw 3 x 3 places of each image, its middle all 16.
    gradient = tape.gradient(outputs, kernel).numpy()[..., 0, 0]
    np.testing.assert_array_equal(gradient, 2 * np.array([[9, 12, 9], [12, 16, 12], [9, 12, 9]], np.float32))


@pytest.mark.parametrize(
    "kind, precision, flags, taken",
    [
        ("cpu", "bf16", "avx512_bf16", True),
        ("cpu", "bf16", "avx512_bf16 amx_bf16", False),
        ("cpu", "fp32", "avx512_bf16", False),
        ("gpu", "bf16", "avx512_bf16", False),
    ],
)
def test_products_are_for_cpus_without_amx(tmp_path, kind, precision, flags, taken):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags\t\t: fpu {flags}\n")
    assert devices.filter_products(kind, precision, cpuinfo) is taken
