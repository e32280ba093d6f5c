import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.optim import NesterovSGD

RATES = [0.1, 0.3, 0.2, 0.05]


def numpy_page(w, gradients, mu, decay):
    """cifar10-fast: the rate is inside the velocity."""
    v = np.zeros_like(w)
    for rate, g in zip(RATES, gradients, strict=True):
        g = g + decay * w
        v = mu * v - rate * g
        w = w + mu * v - rate * g
    return w


def numpy_torch(w, gradients, mu, decay):
    """torch.optim.SGD(nesterov=True): the rate is outside the buffer."""
    b = np.zeros_like(w)
    for rate, g in zip(RATES, gradients, strict=True):
        g = g + decay * w
        b = mu * b + g
        w = w - rate * (g + mu * b)
    return w


@pytest.mark.parametrize("form, expected", [("page", numpy_page), ("torch", numpy_torch)])
def test_four_steps_at_a_moving_rate_agree_with_numpy(form, expected):
    recipe = dataclasses.replace(recipes.load("page24"), nesterov=form, weight_decay=0.01)
    rng = np.random.RandomState(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(len(RATES), 3, 4))
    weights = tf.Variable(tf.constant(start, tf.float32))
    optimiser = NesterovSGD(recipe, "head", [weights])
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimiser.step([tf.constant(gradient, tf.float32)], tf.constant(rate))
    np.testing.assert_allclose(weights.numpy(), expected(start, gradients, recipe.momentum, 0.01), rtol=1e-5)


def test_the_two_forms_differ_while_the_rate_moves():
    rng = np.random.RandomState(0)
    start, gradients = rng.normal(size=4), rng.normal(size=(len(RATES), 4))
    assert not np.allclose(numpy_page(start, gradients, 0.9, 0), numpy_torch(start, gradients, 0.9, 0), rtol=1e-3)


def test_reset_forgets_the_velocity():
    recipe = recipes.load("page24")
    weights = tf.Variable([1.0])
    optimiser = NesterovSGD(recipe, "head", [weights])
    optimiser.step([tf.constant([1.0])], tf.constant(0.1))
