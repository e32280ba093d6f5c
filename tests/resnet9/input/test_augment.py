"""Augmentation against numpy, image by image, and its distributions."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.input import augment
from resnet9.recipe import Cutmix, Jitter


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(0).randint(0, 256, (40, 32, 32, 3), dtype=np.uint8)


def drawn_by(recipe, count, seed=(4, 2)):
    return augment.draws(recipe, augment.fractions(recipe, count, tf.constant(seed)))


def numpy_augment(recipe, image, offset, flip, shift, gain, corner):
    """Normalise, jitter, pad, crop, flip, cut out: one image, in the order cifar10-fast does it."""
    normal = ((image - np.array(recipe.mean255)) / np.array(recipe.std255) + shift) * gain
    pads = ((recipe.pad, recipe.pad), (recipe.pad, recipe.pad), (0, 0))
    padded = np.pad(normal, pads, mode="reflect") if recipe.pad_mode == "reflect" else np.pad(normal, pads)
    crop = padded[offset[0] : offset[0] + 32, offset[1] : offset[1] + 32]
    crop = (crop[:, ::-1] if flip else crop).copy()
    crop[corner[0] : corner[0] + recipe.cutout, corner[1] : corner[1] + recipe.cutout] = 0
    return crop


CHANGES = [
    {},
    {"pad_mode": "zero"},
    {"pad": 2, "cutout": 0},
    {"pad": 0},
    {"pad": 16, "pad_mode": "zero", "crop": "per_batch"},
    {"flip": "none", "cutout": 5},
    {"jitter": Jitter(0.3, 0.4)},
    {"jitter": Jitter(0.3, 0.4), "pad_mode": "zero", "cutmix": Cutmix(3), "cutout": 12},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_image_is_what_numpy_makes_of_the_same_draws(images, change):
    recipe = dataclasses.replace(recipes.load("page24"), **change)
    index, drawn = np.random.RandomState(1).permutation(40)[:32].astype(np.int32), drawn_by(recipe, 32)
    got = augment.augmented_batch(recipe, tf.constant(images), tf.constant(index), drawn, tf.float32).numpy()
    nothing = {"flips": np.zeros(32, bool), "corners": np.zeros((32, 2), int), "shifts": np.zeros(32), "gains": 1}
    names = ("offsets", "flips", "shifts", "gains", "corners")
    values = [nothing[name] if getattr(drawn, name) is None else getattr(drawn, name).numpy() for name in names]
    for i, each in enumerate(zip(*(np.broadcast_to(v, (32, *np.shape(v)[1:])) for v in values), strict=True)):
        expected = numpy_augment(recipe, images[index[i]], *each)
        np.testing.assert_allclose(got[i], expected, rtol=1e-4, atol=1e-5)


def test_flips_of_the_dataset_take_the_place_of_drawn_ones(images):
    recipe = dataclasses.replace(recipes.load("air94"), pad=0)
    index, flips = np.array([3, 1, 39], np.int32), np.arange(40) % 3 == 0
    got = augment.augmented_batch(
        recipe, tf.constant(images), tf.constant(index), drawn_by(recipe, 3), tf.float32, tf.constant(flips)
    )
    plain = augment.normalise(recipe, tf.constant(images[index]), tf.float32).numpy()
    np.testing.assert_array_equal(got.numpy(), np.stack([plain[0][:, ::-1], plain[1], plain[2][:, ::-1]]))


def chi_square_is_small(counts, expected):
    """True where counts fit a uniform distribution: the statistic stays within 5 standard deviations of its mean."""
    statistic, freedom = ((counts - expected) ** 2 / expected).sum(), counts.size - 1
    return abs(statistic - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("name", ["page24", "keras24", "smoke"])
def test_crops_flips_and_boxes_are_uniform(name):
    recipe, count = recipes.load(name), 200_000
    drawn = drawn_by(recipe, count)
    offsets, flips, corners = (each.numpy() for each in (drawn.offsets, drawn.flips, drawn.corners))
    crops = np.zeros((2 * recipe.pad + 1,) * 2)
    np.add.at(crops, tuple(offsets.T), 1)
    boxes = np.zeros((33 - recipe.cutout,) * 2)
    np.add.at(boxes, tuple(corners.T), 1)
    assert crops.min() > 0 and chi_square_is_small(crops, count / crops.size)
    assert boxes.min() > 0 and chi_square_is_small(boxes, count / boxes.size)
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / count**0.5
    joint = np.corrcoef(np.column_stack([offsets, flips, corners]).T) - np.eye(5)
    assert np.abs(joint).max() < 5 / count**0.5


@pytest.mark.parametrize("name, crops", [("page24", 81), ("air94", 25), ("air96", 81), ("hlb12", 25)])
def test_a_recipe_has_as_many_crops_as_its_padding_allows(name, crops):
    assert len(np.unique(drawn_by(recipes.load(name), 50_000).offsets, axis=0)) == crops


def test_page24_has_625_boxes():
    assert len(np.unique(drawn_by(recipes.load("page24"), 50_000).corners, axis=0)) == 625


def test_a_crop_per_batch_is_one_for_all_and_another_in_the_next_batch():
    recipe = dataclasses.replace(recipes.load("page24"), crop="per_batch")
    crops = [np.unique(drawn_by(recipe, 64, (1, step)).offsets, axis=0) for step in range(400)]
    assert {len(each) for each in crops} == {1}
    assert len(np.unique(np.concatenate(crops), axis=0)) > 70
    assert len(np.unique(drawn_by(recipe, 64).corners, axis=0)) > 30


def test_jitter_is_uniform_within_its_bounds_and_its_two_halves_do_not_meet():
    recipe = recipes.load("hive")
    drawn = drawn_by(recipe, 100_000)
    shifts, gains = drawn.shifts.numpy(), drawn.gains.numpy() - 1
    for values, bound in ((shifts, 0.1399), (gains, 0.1308)):
        assert np.abs(values).max() == pytest.approx(bound, rel=1e-3) and np.abs(values).max() <= bound * 1.000001
        assert chi_square_is_small(np.histogram(values, 20, (-bound, bound))[0], 5000)
    assert abs(np.corrcoef(shifts, gains)[0, 1]) < 5 / 100_000**0.5


def test_another_step_or_seed_draws_other_numbers():
    recipe = recipes.load("page24")
    first, other_step, other_seed, again = (
        drawn_by(recipe, 100, seed).offsets.numpy() for seed in ([1, 1], [1, 2], [2, 1], [1, 1])
    )
    assert (first == again).all()
    assert (first != other_step).any() and (first != other_seed).any()
