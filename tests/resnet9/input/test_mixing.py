"""Cutmix, alternating flips and targets: what two images, or two epochs, have to do with each other."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input import augment
from resnet9.recipe import Cutmix
from tests.resnet9.narrow import a_step, narrow

KEY = tf.constant([7, 0])


@pytest.fixture(scope="module")
def recipe():
    return narrow("hlb12", cutmix=Cutmix(size=5, from_epoch=1), batch=16)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.RandomState(0)
    return rng.normal(size=(16, 32, 32, 3)).astype(np.float32), rng.randint(0, 10, 16).astype(np.uint8)


def drawn_by(recipe):
    return augment.draws(recipe, augment.fractions(recipe, 16, tf.constant([3, 1])))


def test_a_box_of_the_partner_is_pasted_where_it_was_and_its_label_told(recipe, batch):
    images, labels = batch
    drawn = drawn_by(recipe)
    mixed, partners = augment.cutmixed(recipe, *map(tf.constant, batch), drawn, tf.constant(True))
    order = np.argsort(drawn.order.numpy(), kind="stable")
    expected = images.copy()
    for i, (row, column) in enumerate(drawn.patches.numpy()):
        box = slice(row, row + 5), slice(column, column + 5)
        expected[i][box] = images[order[i]][box]
    np.testing.assert_array_equal(mixed.numpy(), expected)
    np.testing.assert_array_equal(partners.numpy(), labels[order])
    changed = (mixed.numpy() != images).any(axis=-1).sum(axis=(1, 2))
    assert sorted(set(changed)) in ([25], [0, 25]) and sorted(order) == list(range(16))


def test_cutmix_that_is_off_changes_no_pixel_and_no_target(recipe, batch):
    images, labels = map(tf.constant, batch)
    mixed, partners = augment.cutmixed(recipe, images, labels, drawn_by(recipe), tf.constant(False))
    np.testing.assert_array_equal(mixed.numpy(), batch[0])
    step = a_step(dataclasses.replace(recipe, label_smoothing=0.0))
    np.testing.assert_array_equal(step.targets(labels, partners, tf.constant(0.0)).numpy(), np.eye(10)[batch[1]])


def test_boxes_are_inside_the_image_and_everywhere_in_it(recipe):
    drawn = augment.draws(recipe, augment.fractions(recipe, 100_000, tf.constant([3, 1])))
    corners = drawn.patches.numpy()
    assert corners.min() == 0 and corners.max() == 27 and len(np.unique(corners, axis=0)) == 28 * 28


def test_labels_are_mixed_by_the_area_of_the_box_and_then_smoothed(recipe, batch):
    _, labels = batch
    partners = np.roll(labels, 1)
    step = a_step(dataclasses.replace(recipe, label_smoothing=0.2))
    got = step.targets(tf.constant(labels), tf.constant(partners), tf.constant(1.0)).numpy()
    share = 25 / 1024
    expected = 0.8 * ((1 - share) * np.eye(10)[labels] + share * np.eye(10)[partners]) + 0.02
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_allclose(got.sum(axis=1), 1.0, rtol=1e-6)


def test_over_two_epochs_every_image_shows_each_of_its_sides_once():
    first, second, third = (augment.alternating_flips(5000, KEY, tf.constant(k)).numpy() for k in (1, 2, 3))
    assert (first != second).all() and (first == third).all()


def test_half_of_the_images_are_mirrored_at_a_time_and_another_half_in_another_run():
    flips = [augment.alternating_flips(5000, tf.constant([seed, 0]), tf.constant(1)).numpy() for seed in (1, 2)]
    assert all(abs(each.mean() - 0.5) < 5 * 0.5 / 5000**0.5 for each in flips)
    assert abs((flips[0] == flips[1]).mean() - 0.5) < 5 * 0.5 / 5000**0.5
