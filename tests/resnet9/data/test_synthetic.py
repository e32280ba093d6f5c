from __future__ import annotations

import hashlib

import numpy as np
import pytest

from resnet9.data import synthetic

#: Whoever changes a figure, a constant or the order of draws changes every result on the stand-in: say so in the
#: CHANGELOG.
CONTENT = "42da9a9700d499c1c1d695f753de3822470b3421efc3d10f409ae4a0bfb3aea2"


@pytest.fixture(scope="module")
def data():
    return synthetic.make()


def test_the_stand_in_is_the_same_bytes_everywhere(data):
    channels_first = [images.transpose(0, 3, 1, 2).tobytes() for images in (data.train_images, data.test_images)]
    content = data.train_labels.tobytes() + data.test_labels.tobytes() + b"".join(channels_first)
    assert data.sha256 == hashlib.sha256(content).hexdigest()
    assert data.sha256 == CONTENT


def test_it_has_the_shapes_of_cifar10_in_small(data):
    assert data.train_images.shape == (5000, 32, 32, 3)
    assert data.test_images.shape == (2000, 32, 32, 3)
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
    assert (data.name, data.state, len(data.class_names)) == ("synthetic", "synthetic", 10)


def test_classes_are_equally_frequent_and_shuffled(data):
    assert np.bincount(data.train_labels).tolist() == [500] * 10
    assert np.bincount(data.test_labels).tolist() == [200] * 10
    assert min(np.bincount(part, minlength=10).min() for part in np.split(data.train_labels, 10)) > 25


def test_no_image_comes_twice(data):
    images = np.concatenate([data.train_images, data.test_images])
    assert len({image.tobytes() for image in images}) == 7000


def test_the_sets_do_not_depend_on_each_other_but_on_the_seed(data):
    fewer = synthetic.make(train=5000, test=10)
    np.testing.assert_array_equal(fewer.train_images, data.train_images)
    other = synthetic.make(train=10, test=2000)
    np.testing.assert_array_equal(other.test_images, data.test_images)
    assert synthetic.make(10, 10, seed=1).sha256 != synthetic.make(10, 10, seed=2).sha256


@pytest.mark.parametrize("count", [0, 5, 15])
def test_a_number_that_ten_classes_cannot_share_is_refused(count):
    with pytest.raises(ValueError, match="cannot be shared equally"):
        synthetic.make(train=count)


def test_every_figure_is_its_own_mirror_image_and_no_other():
    down = np.arange(-16, 16)[None, :, None] * 8 + 4
    across = abs(np.arange(-16, 16))[None, None, :] * 8
    size = np.array([80])[:, None, None]
    masks = [figure(across, down, size)[0] for figure in synthetic.FIGURES.values()]
    for mask in masks:
        np.testing.assert_array_equal(mask[:, 1:], mask[:, :0:-1])
        assert 0.1 < mask.mean() < 0.7
    for one in range(10):
        for other in range(one):
            assert (masks[one] != masks[other]).mean() > 0.05


def test_noise_cannot_wrap_around():
    assert 0 <= 255 * synthetic.NOISE < 1 << 15


@pytest.mark.slow
def test_pixels_alone_do_not_tell_the_class(data):
    """A linear classifier (ridge regression on pixels) finds nothing, so a result above chance needs a convolutional
    net."""

    def features(images):
        return np.hstack([images.reshape(len(images), -1) / np.float32(128) - 1, np.ones((len(images), 1), np.float32)])

    train, test = features(data.train_images), features(data.test_images)
    targets = np.eye(10, dtype=np.float32)[data.train_labels]
    weights = np.linalg.solve(train.T @ train + 1000 * np.eye(train.shape[1], dtype=np.float32), train.T @ targets)
    accuracy = ((test @ weights).argmax(axis=1) == data.test_labels).mean()
    assert accuracy < 0.2


def test_classes_cannot_be_told_from_mean_colour_or_brightness(data):
    for label in range(10):
        mean = data.train_images[data.train_labels == label].mean()
        assert abs(mean - data.train_images.mean()) < 3
