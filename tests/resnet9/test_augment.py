"""Augmentation against numpy, image by image, and its distributions."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import augment
from resnet9 import recipe as recipes


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(0).randint(0, 256, (40, 32, 32, 3), dtype=np.uint8)


def numpy_augment(recipe, image, offset, flip, corner):
    """Pad, crop, flip, normalise, cut out: one image, in the order cifar10-fast does it."""
    mean, std = np.array(recipe.mean255), np.array(recipe.std255)
    normal = (image - mean) / std
    pads = ((recipe.pad, recipe.pad), (recipe.pad, recipe.pad), (0, 0))
    padded = np.pad(normal, pads, mode="reflect") if recipe.pad_mode == "reflect" else np.pad(normal, pads)
    crop = padded[offset[0] : offset[0] + 32, offset[1] : offset[1] + 32]
    crop = crop[:, ::-1] if flip else crop
    crop = crop.copy()
    crop[corner[0] : corner[0] + recipe.cutout, corner[1] : corner[1] + recipe.cutout] = 0
    return crop


@pytest.mark.parametrize(
    "change", [{}, {"pad_mode": "zero"}, {"pad": 2, "cutout": 0}, {"pad": 0}, {"flip": False, "cutout": 5}]
)
def test_every_image_is_what_numpy_makes_of_the_same_draws(images, change):
    recipe = dataclasses.replace(recipes.load("page24"), **change)
    index, seed = np.random.RandomState(1).permutation(40)[:32].astype(np.int32), tf.constant([4, 2])
    got = augment.augmented_batch(recipe, tf.constant(images), tf.constant(index), seed, tf.float32).numpy()
    offsets, flips, corners = (draw.numpy() for draw in augment.draws(recipe, 32, seed))
    for i in range(32):
        expected = numpy_augment(recipe, images[index[i]], offsets[i], flips[i], corners[i])
        np.testing.assert_allclose(got[i], expected, rtol=1e-4, atol=1e-5)


def chi_square_is_small(counts, expected):
    """True where counts fit a uniform distribution: the statistic stays within 5 standard deviations of its mean."""
    statistic, freedom = ((counts - expected) ** 2 / expected).sum(), counts.size - 1
    return abs(statistic - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("name", ["page24", "keras24", "smoke"])
def test_crops_flips_and_boxes_are_uniform(name):
    recipe = recipes.load(name)
    count = 200_000
    offsets, flips, corners = (draw.numpy() for draw in augment.draws(recipe, count, tf.constant([1, 2])))
    crops = np.zeros((2 * recipe.pad + 1,) * 2)
    np.add.at(crops, tuple(offsets.T), 1)
    boxes = np.zeros((33 - recipe.cutout,) * 2)
    np.add.at(boxes, tuple(corners.T), 1)
    assert crops.min() > 0 and chi_square_is_small(crops, count / crops.size)
    assert boxes.min() > 0 and chi_square_is_small(boxes, count / boxes.size)
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / count**0.5
    joint = np.corrcoef(np.column_stack([offsets, flips, corners]).T) - np.eye(5)
    assert np.abs(joint).max() < 5 / count**0.5


def test_page24_has_81_crops_and_625_boxes():
    recipe = recipes.load("page24")
    offsets, _, corners = (draw.numpy() for draw in augment.draws(recipe, 50_000, tf.constant([3, 4])))
    assert len(np.unique(offsets, axis=0)) == 81
    assert len(np.unique(corners, axis=0)) == 625


def test_another_step_or_seed_draws_other_numbers():
    recipe = recipes.load("page24")
    first, other_step, other_seed, again = (
        augment.draws(recipe, 100, tf.constant(seed))[0].numpy() for seed in ([1, 1], [1, 2], [2, 1], [1, 1])
    )
    assert (first == again).all()
    assert (first != other_step).any() and (first != other_seed).any()
