"""In which order images come, in both inputs, and what random numbers an epoch gets."""

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input.loops import LOOPS
from tests.resnet9.narrow import a_step, coloured, marked, narrow

IMAGES, BATCH = 250, 10


def loop_of(name, **changes):
    still = {"pad": 0, "flip": "none", "cutout": 0, "batch": BATCH, "epochs": 3, **changes}
    loop = LOOPS[name](a_step(narrow("page24", **still)), IMAGES)
    loop.load(marked(IMAGES))
    return loop


def order_of(name, window, epoch=1, seed=0):
    """The numbers of the images of an epoch in turn; their labels are their numbers."""
    return orders_of(name, window, [(epoch, seed)])[0]


def orders_of(name, window, asked):
    """The orders that one loop gives for pairs of epoch and seed."""
    loop = loop_of(name, shuffle_window=window)
    if name == "host":
        found = [loop.batches(loop.steps_of(epoch), seed) for epoch, seed in asked]
        return [np.concatenate([labels.numpy() for _, labels, _ in batches]).astype(int) for batches in found]
    return [loop._order(tf.constant([seed, epoch])).numpy() for epoch, seed in asked]


@pytest.mark.parametrize("name", LOOPS)
def test_a_window_of_one_keeps_the_order_of_the_dataset(name):
    np.testing.assert_array_equal(order_of(name, 1), np.arange(IMAGES))


@pytest.mark.parametrize("window", [None, IMAGES, 50_000])
@pytest.mark.parametrize("name", LOOPS)
def test_the_whole_dataset_is_permuted_without_a_window(name, window):
    orders = orders_of(name, window, [(1, 0), (2, 0), (1, 1), (1, 0)])
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(IMAGES))
        assert abs(np.corrcoef(order, np.arange(IMAGES))[0, 1]) < 0.3
    assert (orders[0] == orders[3]).all()
    assert (orders[0] != orders[1]).any() and (orders[0] != orders[2]).any()


@pytest.mark.parametrize("window", [2, 5, 40])
def test_no_image_leaves_a_buffer_before_the_buffer_has_reached_it(window):
    order = order_of("host", window)
    np.testing.assert_array_equal(np.sort(order), np.arange(IMAGES))
    assert (np.arange(IMAGES) > order - window).all() and (order != np.arange(IMAGES)).any()


@pytest.mark.parametrize("window", [5, 40])
@pytest.mark.parametrize("name", LOOPS)
def test_images_move_as_far_as_their_window_is_wide(name, window):
    moves = []
    for order in orders_of(name, window, [(1, seed) for seed in range(4)]):
        np.testing.assert_array_equal(np.sort(order), np.arange(IMAGES))
        moves.append(np.arange(IMAGES) - order)
    assert 0.3 * window < np.std(moves) < 1.5 * window


def sides(loop, epoch, seed=0):
    """Which images of an epoch came mirrored, by number: their left half is darker than their right one."""
    found = {}
    for images, labels, _ in loop.batches(loop.steps_of(epoch), seed):
        dark = images.numpy()[:, :, :16, 0].mean(axis=(1, 2)) > images.numpy()[:, :, 16:, 0].mean(axis=(1, 2))
        found.update(zip(labels.numpy().tolist(), dark.tolist(), strict=True))
    return np.array([found[number] for number in range(IMAGES)])


def halved(**changes):
    loop = loop_of("host", **changes)
    data = marked(IMAGES)
    data.train_images[:, :, :16], data.train_images[:, :, 16:] = 0, 255
    loop.load(data)
    return loop


@pytest.mark.parametrize("numbers", ["per_batch", "per_epoch"])
def test_random_flips_are_a_fair_coin_for_every_image_and_epoch(numbers):
    loop = halved(flip="random", random_numbers=numbers)
    flips = np.array([sides(loop, epoch, seed) for seed in range(3) for epoch in (1, 2)])
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / flips.size**0.5
    assert np.abs(np.corrcoef(flips) - np.eye(6)).max() < 5 / IMAGES**0.5


def test_alternating_flips_show_each_side_of_each_image_once_in_two_epochs():
    loop = halved(flip="alternating")
    first, second, third = (sides(loop, epoch) for epoch in (1, 2, 3))
    assert (first != second).all() and (first == third).all() and 0.3 < first.mean() < 0.7


def test_random_numbers_per_epoch_give_every_image_its_own():
    loop = loop_of("host", random_numbers="per_epoch", shuffle_window=1, cutout=1, epochs=2)
    data = coloured(IMAGES)
    loop.load(type(data)("", "", "", np.full_like(data.train_images, 255), *[data.train_labels] * 3))
    boxes = [np.concatenate([x.numpy() for x, _, _ in loop.batches(loop.steps_of(e), 0)]) == 0 for e in (1, 2)]
    places = [np.argwhere(each[..., 0])[:, 1:] for each in boxes]
    assert all(len(each) == IMAGES for each in places)
    assert len(np.unique(np.concatenate(places), axis=0)) > 0.7 * 2 * IMAGES
