"""Nesterov's two forms, the two decays and the groups, against numpy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.optim.optimizers import NesterovSGD
from resnet9.recipe import Group
from tests.resnet9.narrow import a_step, narrow, row

RATES = [0.1, 0.3, 0.2, 0.05]


def numpy_page(w, gradients, mu, decay, decoupled=0.0):
    """cifar10-fast: the rate is inside the velocity."""
    v = np.zeros_like(w)
    for rate, g in zip(RATES, gradients, strict=True):
        g = g + decay * w
        v = mu * v - rate * g
        w = w + mu * v - rate * g - rate * decoupled * w
    return w


def numpy_torch(w, gradients, mu, decay, decoupled=0.0):
    """torch.optim.SGD(nesterov=True): the rate is outside the buffer."""
    b = np.zeros_like(w)
    for rate, g in zip(RATES, gradients, strict=True):
        g = g + decay * w
        b = mu * b + g
        w = w - rate * (g + mu * b) - rate * decoupled * w
    return w


FORMS = {"page": numpy_page, "torch": numpy_torch}


def moved(recipe, start, gradients, group="head"):
    weights = tf.Variable(tf.constant(start, tf.float32))
    optimiser = NesterovSGD(recipe, group, [weights])
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimiser.step([tf.constant(gradient, tf.float32)], tf.constant(rate))
    return weights.numpy()


@pytest.fixture
def toy():
    rng = np.random.RandomState(0)
    return rng.normal(size=(3, 4)), rng.normal(size=(len(RATES), 3, 4))


@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
@pytest.mark.parametrize("form", FORMS)
def test_four_steps_at_a_moving_rate_agree_with_numpy(form, decay, toy):
    recipe = dataclasses.replace(recipes.load("page24"), nesterov=form, weight_decay=0.1, decay=decay)
    strengths = (0.1, 0.0) if decay == "coupled" else (0.0, 0.1)
    np.testing.assert_allclose(moved(recipe, *toy), FORMS[form](*toy, 0.9, *strengths), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_decoupled_decay_shrinks_a_weight_without_gradient_by_the_rate_alone(form):
    """Coupled decay goes through the momentum, which multiplies it."""
    recipe = dataclasses.replace(recipes.load("page24"), nesterov=form, weight_decay=0.1, decay="decoupled")
    start, nothing = np.ones(1), np.zeros((len(RATES), 1))
    expected = np.prod([1 - 0.1 * rate for rate in RATES])
    assert moved(recipe, start, nothing) == pytest.approx(expected)
    assert moved(dataclasses.replace(recipe, decay="coupled"), start, nothing) < expected


def test_the_two_forms_differ_while_the_rate_moves(toy):
    pages, torches = (form(*toy, 0.9, 0.0) for form in FORMS.values())
    assert not np.allclose(pages, torches, rtol=1e-3)


def test_a_group_has_a_momentum_and_a_decay_of_its_own(toy):
    recipe = dataclasses.replace(
        recipes.load("page24"), weight_decay=0.1, groups={"norms": Group(5.0, weight_decay=0.02, momentum=0.5)}
    )
    np.testing.assert_allclose(moved(recipe, *toy, group="norms"), numpy_page(*toy, 0.5, 0.02), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved(recipe, *toy, group="head"), numpy_page(*toy, 0.9, 0.1), rtol=1e-5, atol=1e-6)


def test_reset_forgets_the_velocity():
    step = a_step(narrow("page24"))
    for velocity in step.optimiser.velocities:
        velocity.assign(tf.ones(velocity.shape))
    step.reset(1)
    assert all((velocity.numpy() == 0).all() for velocity in step.optimiser.velocities)


@pytest.mark.parametrize("group", ["filters", "norms", "head", "whitening_bias"])
def test_the_rate_of_a_group_moves_that_group_alone(group):
    step = a_step(narrow("air94", batch=8, average=None))
    step.net.whitening.kernel.assign(tf.random.stateless_normal([2, 2, 3, 24], [1, 2]))
    before = {name: [each.numpy() for each in each_group] for name, each_group in step.net.groups.items()}
    images, labels = tf.random.stateless_normal([8, 32, 32, 3], [3, 4]), tf.range(8)
    step(images, tf.cast(labels, tf.uint8), row(**{group: 0.1}))
    for name, variables in step.net.groups.items():
        changed = [(a != b.numpy()).any() for a, b in zip(before[name], variables, strict=True)]
        assert changed == [name == group] * len(variables)


def test_a_frozen_bias_gets_neither_gradient_nor_decay():
    step = a_step(narrow("air94", batch=8, average=None))
    step.net.whitening.bias.assign(tf.ones([24]))
    step(tf.zeros([8, 32, 32, 3]), tf.zeros([8], tf.uint8), row(0.1), whitening_bias=False)
    assert (step.net.whitening.bias.numpy() == 1).all()
