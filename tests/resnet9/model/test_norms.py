"""Batch norm, whole and by groups, against statistics computed group by group in numpy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.model.layers import BatchNorm
from tests.resnet9 import reference

SHAPE = (12, 5, 4, 3)


def norm_of(**changes):
    recipe = dataclasses.replace(recipes.load("page24"), batch_norm_keep=0.7, **changes)
    norm = BatchNorm("norm", 3, recipe)
    norm.bias.assign([0.5, -1.0, 2.0])
    if "scale" in str(norm.trained[0].name):
        norm.scale.assign([1.5, 0.5, -1.0])
    norm.mean.assign([1.0, 2.0, 3.0])
    norm.variance.assign([2.0, 1.0, 0.5])
    return norm


def inputs():
    rng = np.random.RandomState(0)
    return rng.normal(size=SHAPE) * [1, 3, 0.5] + [0, 2, -4] + rng.normal(size=(12, 1, 1, 1)), rng.normal(size=SHAPE)


def trained(norm, x, upstream, dtype=tf.float32):
    """Outputs, and gradients of input and trained variables."""
    images = tf.constant(x, dtype)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = norm(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.constant(upstream, tf.float32))
    gradients = tape.gradient(loss, [images, *norm.trained])
    return outputs, [each.numpy() for each in gradients]


@pytest.mark.parametrize("size", [2, 4, 12, None])
def test_every_group_is_normalised_by_itself_forwards_and_backwards(size):
    x, upstream = inputs()
    norm = norm_of(ghost_batch=size)
    outputs, (dx, dscale, dbias) = trained(norm, x, upstream)
    scale, bias = norm.scale.numpy().astype(np.float64), norm.bias.numpy().astype(np.float64)
    expected, found = [], []
    for begin in range(0, 12, size or 12):
        part = slice(begin, begin + (size or 12))
        y, cache, _ = reference.norm(x[part], scale, bias, 1e-5)
        expected.append(y)
        found.append(reference.norm_backward(upstream[part], cache))
    np.testing.assert_allclose(outputs.numpy(), np.concatenate(expected), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dx, np.concatenate([each[0] for each in found]), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(dscale, sum(each[1] for each in found), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dbias, sum(each[2] for each in found), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [2, 4, 12, None])
def test_running_statistics_follow_the_mean_over_the_groups_with_the_unbiased_variance(size):
    x, upstream = inputs()
    norm = norm_of(ghost_batch=size)
    trained(norm, x, upstream)
    groups = x.reshape(-1, (size or 12) * 20, 3)
    np.testing.assert_allclose(norm.mean.numpy(), 0.7 * np.array([1, 2, 3]) + 0.3 * x.mean((0, 1, 2)), rtol=1e-5)
    variance = groups.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(norm.variance.numpy(), 0.7 * np.array([2, 1, 0.5]) + 0.3 * variance, rtol=1e-5)


@pytest.mark.parametrize("size", [4, None])
def test_evaluation_uses_the_running_statistics_and_moves_nothing(size):
    x, _ = inputs()
    norm = norm_of(ghost_batch=size)
    got = norm(tf.constant(x, tf.float32), training=False).numpy()
    mean, variance = np.array([1, 2, 3]), np.array([2, 1, 0.5])
    expected = (x - mean) / np.sqrt(variance + 1e-5) * norm.scale.numpy() + norm.bias.numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(norm.mean.numpy(), mean)
    np.testing.assert_array_equal(norm.variance.numpy(), variance.astype(np.float32))


@pytest.mark.parametrize("size", [4, None])
def test_a_frozen_scale_is_one_and_is_not_trained(size):
    x, upstream = inputs()
    norm = norm_of(ghost_batch=size, batch_norm_scale="frozen")
    outputs, gradients = trained(norm, x, upstream)
    assert norm.trained == [norm.bias] and len(gradients) == 2
    spread = outputs.numpy().reshape(-1, (size or 12) * 20, 3).var(axis=1)
    np.testing.assert_allclose(spread, 1.0, rtol=1e-3)


@pytest.mark.parametrize("size", [4, None])
def test_half_precision_goes_in_and_out_and_statistics_stay_float32(size):
    x, upstream = inputs()
    half, whole = norm_of(ghost_batch=size), norm_of(ghost_batch=size)
    got, _ = trained(half, x, upstream, tf.bfloat16)
    expected, _ = trained(whole, x, upstream)
    assert got.dtype == tf.bfloat16 and half.mean.dtype == half.variance.dtype == tf.float32
    np.testing.assert_allclose(tf.cast(got, tf.float32).numpy(), expected.numpy(), rtol=0.03, atol=0.05)
    np.testing.assert_allclose(half.variance.numpy(), whole.variance.numpy(), rtol=0.01)


def test_an_epsilon_smaller_than_usual_is_kept():
    """airbench has 1e-12; older wrappers of TensorFlow's norm raised what was below 1e-5."""
    norm = norm_of(batch_norm_epsilon=1e-12, batch_norm_scale="frozen")
    x = np.random.RandomState(0).normal(size=SHAPE) * 1e-4
    outputs, _ = trained(norm, x, np.ones(SHAPE))
    np.testing.assert_allclose(outputs.numpy().reshape(-1, 3).std(axis=0), 1.0, rtol=1e-3)
