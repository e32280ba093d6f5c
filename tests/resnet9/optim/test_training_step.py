"""One training step against ResNet9 written in numpy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.optim.step import Settings, loss_scale
from tests.resnet9 import narrow as small
from tests.resnet9 import reference


@pytest.fixture(scope="module")
def narrow():
    # No pool may see a tie that has a gradient, so that numpy and TensorFlow must pick the same winner: a wide batch
    # is not needed.
    return small.narrow("page24", batch=8)


def as_blocks(net):
    return [
        reference.Block(
            block.kernel.numpy().astype(np.float64),
            block.norm.scale.numpy().astype(np.float64),
            block.norm.bias.numpy().astype(np.float64),
            block.norm.epsilon,
            block.pool,
        )
        for block in net.blocks
    ]


def trained(net):
    """Kernel, scale and bias of every block in turn, and the linear layer: the order of the reference."""
    return [v for block in net.blocks for v in (block.kernel, *block.norm.trained)] + [net.head]


def batch(recipe, seed=3):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(recipe.batch, 32, 32, 3)), rng.randint(0, 10, recipe.batch)


def one_step(recipe, rate=0.1, seed=5):
    step = small.a_step(recipe, seed=seed)
    for variable in step.net.trained:  # norms away from their start, so that their gradients are tested too
        if "norm" in variable.name:
            variable.assign_add(tf.random.stateless_uniform(variable.shape, [1, len(variable.name)], -0.2, 0.2))
    before = [variable.numpy().astype(np.float64) for variable in trained(step.net)]
    blocks, linear = as_blocks(step.net), step.net.head.numpy().astype(np.float64)
    images, labels = batch(recipe)
    loss, logits, dlinear = reference.loss_and_gradients(blocks, linear, images, labels, recipe.logit_scale)
    got, correct = step(tf.constant(images, tf.float32), tf.constant(labels, tf.uint8), small.row(rate))
    gradients = [gradient for block in blocks for gradient in block.grads] + [dlinear]
    return step, before, gradients, (loss, logits, labels), (float(got), int(correct)), blocks


@pytest.mark.parametrize("form", ["page", "torch"])
def test_a_step_moves_every_weight_as_the_numpy_reference_says(narrow, form):
    recipe, rate = dataclasses.replace(narrow, nesterov=form), 0.1
    step, before, gradients, (loss, logits, labels), (got, correct), _ = one_step(recipe, rate)
    assert got / recipe.batch == pytest.approx(loss, rel=1e-5)
    assert correct == (logits.argmax(1) == labels).sum()
    for variable, start, gradient in zip(trained(step.net), before, gradients, strict=True):
        total = gradient + recipe.weight_decay * start
        # From rest both forms make the same first move: -rate * (1 + momentum) * g.
        expected = start - rate * (1 + recipe.momentum) * total
        moved = np.abs(expected - start).max()
        np.testing.assert_allclose(
            variable.numpy(), expected, rtol=1e-4, atol=2e-4 * moved + 1e-7, err_msg=variable.name
        )


def test_running_statistics_move_by_a_tenth_with_the_unbiased_variance(narrow):
    step, _, _, _, _, blocks = one_step(narrow)
    for block, expected in zip(step.net.blocks, blocks, strict=True):
        mean, variance = expected.moments
        unbiased = variance * expected.count / (expected.count - 1)
        np.testing.assert_allclose(block.norm.mean.numpy(), 0.1 * mean, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(block.norm.variance.numpy(), 0.9 + 0.1 * unbiased, rtol=1e-4)


def test_label_smoothing_mixes_the_uniform_distribution_in(narrow):
    smooth = dataclasses.replace(narrow, label_smoothing=0.2)
    _, _, _, (_, logits, labels), (got, _), _ = one_step(smooth)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(0.8 * log_p[np.arange(len(labels)), labels] + 0.2 * log_p.mean(1)).sum()
    assert got == pytest.approx(expected, rel=1e-5)


def test_a_loss_scale_changes_nothing_in_float32(narrow):
    images, labels = batch(narrow)
    ends = []
    for scale in (1.0, loss_scale("fp16", narrow.batch)):
        step = small.a_step(narrow, Settings(tf.float32, False, scale, 1))
        step(tf.constant(images, tf.float32), tf.constant(labels, tf.uint8), small.row(0.1))
        ends.append(step.net.head.numpy())
    assert loss_scale("fp16", narrow.batch) != 1.0
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5, atol=1e-7)


def test_a_step_in_bfloat16_follows_float32_as_closely_as_its_eight_bits_allow(narrow):
    images, labels = batch(narrow)
    losses, ends = [], []
    for dtype in (tf.float32, tf.bfloat16):
        step = small.a_step(narrow, Settings(dtype, False, 1.0, 1))
        given = tf.cast(tf.constant(images), dtype), tf.constant(labels, tf.uint8)
        losses.append([float(step(*given, small.row(0.05))[0]) for _ in range(4)])
        ends.append(step.net.head)
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)
    assert all(end.dtype == tf.float32 for end in ends)
    assert not np.array_equal(ends[0].numpy(), ends[1].numpy())
