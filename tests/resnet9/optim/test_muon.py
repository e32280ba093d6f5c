"""Muon against a plain numpy version in PyTorch's layout, in float64."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.optim.optimizers import MuonFilters, Optimiser, orthogonal
from resnet9.recipe import Muon
from tests.resnet9.narrow import a_step, narrow

COEFFICIENTS = {"air94-muon": (3.4445, -4.775, 2.0315), "hive": (3.4576, -4.7391, 2.0843)}
#: Kernels HWIO, of two output widths and of unlike input widths, so that some are padded.
SHAPES = [(3, 3, 24, 16), (3, 3, 16, 16), (3, 3, 5, 16), (1, 1, 27, 16), (3, 3, 16, 20)]


def kernels(seed=0):
    rng = np.random.RandomState(seed)
    return [rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 1) for shape in SHAPES]


def torch_orthogonal(kernel, iterations, coefficients):
    """airbench94_muon: the gradient as PyTorch's OIHW, flattened, X <- a X + (b A + c A A) X with A = X X^T."""
    a, b, c = coefficients
    height, width, inputs, outputs = kernel.shape
    x = kernel.transpose(3, 2, 0, 1).reshape(outputs, -1)
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(iterations):
        squares = x @ x.T
        x = a * x + (b * squares + c * squares @ squares) @ x
    return x.reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)


def ours(given, iterations=3, coefficients=COEFFICIENTS["air94-muon"], dtype=tf.float32):
    tensors = [tf.constant(each, tf.float32) for each in given]
    return [each.numpy() for each in orthogonal(tensors, iterations, coefficients, dtype)]


@pytest.mark.parametrize("coefficients", COEFFICIENTS.values(), ids=COEFFICIENTS)
@pytest.mark.parametrize("iterations", [1, 3, 5])
def test_the_update_is_that_of_the_transposed_matrices_of_pytorch(coefficients, iterations):
    for kernel, got in zip(kernels(), ours(kernels(), iterations, coefficients), strict=True):
        np.testing.assert_allclose(got, torch_orthogonal(kernel, iterations, coefficients), rtol=1e-3, atol=1e-4)


def test_in_bfloat16_it_is_the_same_within_its_eight_bits():
    for kernel, got in zip(kernels(), ours(kernels(), dtype=tf.bfloat16), strict=True):
        expected = torch_orthogonal(kernel, 3, COEFFICIENTS["air94-muon"])
        assert got.dtype == np.float32
        assert np.linalg.norm(got - expected) < 0.05 * np.linalg.norm(expected)


def test_batching_and_padding_change_nothing():
    together = ours(kernels())
    for kernel, got in zip(kernels(), together, strict=True):
        np.testing.assert_allclose(got, ours([kernel])[0], rtol=1e-4, atol=1e-5)


def test_the_scale_of_a_gradient_changes_nothing_and_a_gradient_of_zero_stays_zero():
    kernel = kernels()[0]
    np.testing.assert_allclose(*(ours([kernel * scale])[0] for scale in (1e-2, 1e3)), rtol=1e-3, atol=1e-4)
    assert (ours([np.zeros(SHAPES[0])])[0] == 0).all()


@pytest.mark.parametrize("coefficients", COEFFICIENTS.values(), ids=COEFFICIENTS)
def test_singular_values_end_where_the_polynomial_sends_them_near_one(coefficients):
    a, b, c = coefficients
    rng = np.random.RandomState(0)
    left, right = (np.linalg.qr(rng.normal(size=(144, 16)))[0], np.linalg.qr(rng.normal(size=(16, 16)))[0])
    values = np.linspace(1, 3, 16)
    got = ours([(left * values @ right).reshape(3, 3, 16, 16)], coefficients=coefficients)[0].reshape(144, 16)

    def sent(x):
        for _ in range(3):
            x = a * x + b * x**3 + c * x**5
        return x

    expected = sent(values / np.linalg.norm(values))
    found = np.linalg.svd(got, compute_uv=False)
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-3)
    # Whatever a matrix of moderate condition holds: three iterations of these coefficients leave it in this band.
    band = sent(np.linspace(0.1, 1.0, 10_000))
    assert 0.6 < band.min() <= found.min() and found.max() <= band.max() < 1.4
    # The directions are those of the matrix: only its singular values have moved.
    np.testing.assert_allclose(got.T @ left @ right, (left @ right).T @ got, atol=1e-3)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_steps_with_momentum_scaling_and_decay_agree_with_numpy(decay):
    muon = Muon(rate=1.0, momentum=0.6, iterations=3, weight_decay=decay)
    rates, scaled = [0.2, 0.1, 0.05, 0.3], [1.0, 0.0, 0.0, 1.0]
    start, gradients = kernels(3), [kernels(10 + step) for step in range(4)]
    variables = [tf.Variable(tf.constant(each, tf.float32)) for each in start]
    optimiser = MuonFilters(muon, variables, tf.float32)
    for rate, flag, given in zip(rates, scaled, gradients, strict=True):
        optimiser.step([tf.constant(g, tf.float32) for g in given], tf.constant(rate), tf.constant(flag))
    for index, (w, variable) in enumerate(zip(start, variables, strict=True)):
        buffer = 0.0
        for rate, flag, given in zip(rates, scaled, gradients, strict=True):
            buffer = 0.6 * buffer + given[index]
            direction = torch_orthogonal(given[index] + 0.6 * buffer, 3, muon.coefficients)
            if flag:
                w = w * (w.shape[-1] ** 0.5 / np.linalg.norm(w))
            w = (w - rate * direction) * (1 - rate * decay)
        np.testing.assert_allclose(variable.numpy(), w, rtol=2e-3, atol=2e-4)


def test_muon_moves_the_kernels_and_nesterov_the_rest():
    step = a_step(narrow("air94-muon"))
    optimiser = step.optimiser
    assert optimiser.muon.variables == step.net.groups["filters"]
    assert set(optimiser.plain) == {"norms", "head", "whitening_bias"}
    assert set(optimiser.variables(False)) == {"filters", "norms", "head"}
    assert len(optimiser.velocities) == len(step.net.trained)


def test_without_muon_the_kernels_are_a_group_like_any_other():
    step = a_step(narrow("air94"))
    assert step.optimiser.muon is None and set(step.optimiser.plain) == set(step.net.groups)


def test_reset_forgets_every_velocity():
    net = a_step(narrow("air94-muon")).net
    optimiser = Optimiser(dataclasses.replace(net.recipe, decay="coupled"), net, tf.float32)
    for velocity in optimiser.velocities:
        velocity.assign(tf.ones(velocity.shape))
    optimiser.reset()
    assert all((velocity.numpy() == 0).all() for velocity in optimiser.velocities)
