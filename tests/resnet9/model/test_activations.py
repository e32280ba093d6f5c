"""Activations and their written-out gradients against formulas in float64."""

import math

import numpy as np
import pytest
import tensorflow as tf

from resnet9.model import activations

X = np.concatenate([np.linspace(-12, 12, 481), [0.0, -1e-6, 1e-6, -80.0, 80.0, -3e4, 3e4]])
#: XLA's erf ends a last digit short of 1, which leaves this share of a large negative x in its GELU.
ROUNDING = 3e-7


def cdf(x):
    return np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in x])


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def celu(alpha):
    return (
        lambda x: np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)),
        lambda x: np.exp(np.minimum(x, 0) / alpha),
    )


#: Name in a recipe, alpha of CELU, value, derivative.
FORMULAS = {
    "relu": (1.0, lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)),
    "gelu": (1.0, lambda x: x * cdf(x), lambda x: cdf(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
    "silu": (1.0, lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "celu": (0.075, *celu(0.075)),
    "celu 0.3": (0.3, *celu(0.3)),
}


def value_and_gradient(name, alpha, x, dtype, compiled=False):
    function = activations.of(name.split()[0], alpha)

    def both(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x, upstream)

    if compiled:
        both = tf.function(both, jit_compile=True, autograph=False)
    given = tf.constant(x, dtype)
    found = both(given, tf.constant(np.full(len(x), 2.0), dtype))
    assert all(each.dtype == dtype for each in found)
    return tuple(tf.cast(each, tf.float64).numpy() for each in found)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_gradient_agree_with_the_formula(name, compiled):
    alpha, value, slope = FORMULAS[name]
    got, gradient = value_and_gradient(name, alpha, X, tf.float32, compiled)
    with np.errstate(under="ignore"):
        assert (np.abs(got - value(X)) <= 1e-5 * np.abs(value(X)) + ROUNDING * (1 + np.abs(X))).all()
        np.testing.assert_allclose(gradient, 2 * slope(X), rtol=1e-5, atol=4e-6)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@pytest.mark.parametrize("name", FORMULAS)
def test_in_half_precision_they_are_the_rounded_formula(name, dtype):
    """Computed in float32 inside: the only errors are those of the input's and the result's own rounding."""
    alpha, value, slope = FORMULAS[name]
    x = tf.cast(tf.constant(X, dtype), tf.float64).numpy()
    got, gradient = value_and_gradient(name, alpha, x, dtype)
    bits = 2.0**-8 if dtype == tf.bfloat16 else 2.0**-10
    with np.errstate(under="ignore"):
        assert (np.abs(got - value(x)) <= bits * np.abs(value(x)) + ROUNDING * (1 + np.abs(x))).all()
        np.testing.assert_allclose(gradient, 2 * slope(x), rtol=bits, atol=4e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_no_number_stays_none(name):
    got, _ = value_and_gradient(name, FORMULAS[name][0], np.array([np.nan, 1.0]), tf.float32)
    assert np.isnan(got[0]) and np.isfinite(got[1])


@pytest.mark.parametrize("name", FORMULAS)
def test_only_functions_that_never_fall_may_change_places_with_a_pool(name):
    values = FORMULAS[name][1](np.linspace(-12, 12, 481))
    assert activations.rises(name.split()[0]) == bool((np.diff(values) >= 0).all())
