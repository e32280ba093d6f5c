"""The whitening layer against an explicit loop over patches in float64."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input import augment
from resnet9.model import whitening
from resnet9.recipe import Whitening
from tests.resnet9.narrow import narrow

CASES = {
    "page13": Whitening(size=3, epsilon=0.01, images=24),
    "air94": Whitening(size=2, epsilon=0.0005, images=24, negated=True, bias=True),
    "hlb12": Whitening(size=2, epsilon=0.01, images=24, centred=True, negated=True),
}


@pytest.fixture(scope="module")
def images():
    """Smooth colour images with a little noise, as photographs are: every direction of a patch has its own variance."""
    rng = np.random.RandomState(0)
    smooth = rng.normal(size=(30, 32, 32, 3)).cumsum(axis=1).cumsum(axis=2) * [3, 2, 4] + 40 * rng.normal(
        size=(30, 1, 1, 3)
    )
    return np.clip(110 + smooth + 6 * rng.normal(size=smooth.shape), 0, 255).astype(np.uint8)


def layer_of(name, given, xla=False, **changes):
    recipe = narrow(name, groups={}, whitening=dataclasses.replace(CASES[name], **changes))
    layer = whitening.WhiteningLayer(recipe)
    layer.measure(given, xla)
    return recipe, layer


def numpy_moments(recipe, images):
    """The covariance of the patches of normalised images, one patch after the other."""
    given, size = recipe.whitening, recipe.whitening.size
    normal = (images[: given.images] - np.array(recipe.mean255)) / np.array(recipe.std255)
    places = range(32 - size + 1)
    patches = np.array([each[y : y + size, x : x + size].ravel() for each in normal for y in places for x in places])
    if given.centred:
        patches -= patches.mean(axis=0)
    return patches.T @ patches / (len(patches) - 1)


@pytest.mark.parametrize("name", CASES)
def test_filters_are_the_eigenvectors_of_the_patches_over_their_deviations(name, images):
    recipe, layer = layer_of(name, images)
    values, vectors = np.linalg.eigh(numpy_moments(recipe, images))
    expected = (vectors / np.sqrt(values + recipe.whitening.epsilon)).T[::-1]
    got = layer.kernel.numpy().reshape(-1, layer.kernel.shape[-1]).T[: len(expected)]
    for mine, theirs in zip(got, expected, strict=True):
        sign = np.sign(mine @ theirs)
        # In float32, and on a GPU by another algorithm than numpy's (an H200 was off by 2.04e-3 in one place).
        np.testing.assert_allclose(mine, sign * theirs, atol=3e-3 * np.abs(theirs).max())
        assert mine[np.abs(mine).argmax()] > 0


@pytest.mark.parametrize("name", CASES)
def test_filters_together_invert_the_covariance(name, images):
    """True whatever the signs and the basis where eigenvalues are alike."""
    recipe, layer = layer_of(name, images)
    moments = numpy_moments(recipe, images)
    own = layer.kernel.numpy().astype(np.float64).reshape(len(moments), -1)[:, : len(moments)]
    inverse = np.linalg.inv(moments + recipe.whitening.epsilon * np.eye(len(moments)))
    np.testing.assert_allclose(own @ own.T, inverse, atol=1e-4 * np.abs(inverse).max())


@pytest.mark.parametrize("name", CASES)
def test_whitened_patches_have_a_covariance_of_one(name, images):
    recipe, layer = layer_of(name, images, epsilon=0.0)
    normal = augment.normalise(recipe, tf.constant(images[:24]), tf.float32)
    side = 32 - recipe.whitening.size + 1
    outputs = layer(normal).numpy().astype(np.float64)
    if recipe.whitening.size == 3:
        outputs = outputs[:, 1 : 1 + side, 1 : 1 + side]  # the layer pads; the patches it was measured on are inside
    outputs = outputs.reshape(-1, outputs.shape[-1])[:, : 3 * recipe.whitening.size**2]
    if recipe.whitening.centred:
        outputs -= outputs.mean(axis=0)
    np.testing.assert_allclose(outputs.T @ outputs / (len(outputs) - 1), np.eye(outputs.shape[1]), atol=5e-3)


def test_negated_filters_follow_in_the_same_order(images):
    kernel = layer_of("air94", images)[1].kernel.numpy()
    np.testing.assert_array_equal(kernel[..., :12], -kernel[..., 12:])
    assert kernel.shape == (2, 2, 3, 24) and layer_of("page13", images)[1].kernel.shape == (3, 3, 3, 27)


def inverse_of(layer):
    """What the filters make together, which does not depend on the basis where eigenvalues are nearly alike."""
    filters = layer.kernel.numpy().reshape(-1, layer.kernel.shape[-1])
    return filters @ filters.T


@pytest.mark.parametrize("chunk", [1, 6, 8, 24])
def test_sums_in_pieces_give_the_same_filters(images, monkeypatch, chunk):
    whole = inverse_of(layer_of("air94", images)[1])
    monkeypatch.setattr(whitening, "CHUNK", chunk)
    pieces = inverse_of(layer_of("air94", images)[1])
    np.testing.assert_allclose(pieces, whole, atol=1e-4 * np.abs(whole).max())


def test_only_the_first_images_are_measured_and_fewer_are_enough(images):
    kernel = layer_of("air94", images)[1].kernel.numpy()
    other = np.concatenate([images[:24], 255 - images[24:]])
    np.testing.assert_array_equal(kernel, layer_of("air94", other)[1].kernel.numpy())
    assert np.isfinite(layer_of("air94", images, images=5000)[1].kernel.numpy()).all()


def test_xla_measures_the_same_filters(images):
    plain, compiled = (inverse_of(layer_of("hlb12", images, xla)[1]) for xla in (False, True))
    np.testing.assert_allclose(plain, compiled, atol=1e-4 * np.abs(plain).max())


def test_images_of_one_colour_give_filters_that_are_numbers():
    grey = np.full((30, 32, 32, 3), 128, np.uint8)
    for name in CASES:
        assert np.isfinite(layer_of(name, grey)[1].kernel.numpy()).all()


def test_the_filters_are_frozen_and_the_bias_is_trained_where_the_recipe_has_one(images):
    _, layer = layer_of("air94", images)
    assert not layer.kernel.trainable and layer.bias.shape == (24,)
    assert layer_of("hlb12", images)[1].bias is None and layer_of("page13", images)[1].bias is None
    layer.bias.assign(tf.range(24.0))
    zero = layer(tf.zeros([1, 32, 32, 3])).numpy()
    np.testing.assert_array_equal(zero[0, 3, 4], np.arange(24))


def test_a_bias_starts_at_zero_or_uniform_within_its_fan_in(images):
    _, layer = layer_of("air94", images)
    layer.bias.assign(tf.ones([24]))
    layer.reset_bias(tf.constant([1, 2]))
    assert (layer.bias.numpy() == 0).all()
    _, uniform = layer_of("air94", images, bias_init="uniform")
    uniform.reset_bias(tf.constant([1, 2]))
    drawn = uniform.bias.numpy()
    assert np.abs(drawn).max() <= 12**-0.5 and drawn.std() > 0.1 and len(set(drawn)) == 24
