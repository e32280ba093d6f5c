"""Judging with several views of an image, against views made one by one in numpy."""

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input import augment
from resnet9.model import nets
from resnet9.training import evaluation
from tests.resnet9.narrow import narrow

COUNT = 24


def view(images, shift, mirrored):
    """airbench94: reflect by a pixel, take the 32 x 32 whose corner is ``shift`` from the middle one, mirror."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    moved = padded[:, 1 + shift : 33 + shift, 1 + shift : 33 + shift]
    return moved[:, :, ::-1] if mirrored else moved


SHARES = {
    "flip": {(0, False): 1 / 2, (0, True): 1 / 2},
    "six": {
        (0, False): 1 / 4, (0, True): 1 / 4, (-1, False): 1 / 8, (-1, True): 1 / 8, (1, False): 1 / 8, (1, True): 1 / 8
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(0).randint(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)


def evaluator(images, **changes):
    """Classes and loss by Evaluation, and the logits of every view, which numpy made."""
    net = nets.build(narrow("page24", **changes))
    net.reset(tf.constant(3))
    net.head.assign(30 * net.head)  # views shall disagree
    normal = augment.normalise(net.recipe, tf.constant(images), tf.float32).numpy()
    judge = evaluation.Evaluation(net, COUNT, tf.float32, xla=False)
    judge.load(images, np.zeros(COUNT, np.uint8))
    logits = {
        each: net(tf.constant(np.ascontiguousarray(view(normal, *each))), training=False).numpy().astype(float)
        for each in SHARES["six"]
    }
    return judge, logits


def loss_of(logits):
    return (np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1) - logits[:, 0]).mean()


@pytest.mark.parametrize("views", SHARES)
def test_logits_are_averaged_with_the_weight_of_each_view(images, views):
    judge, logits = evaluator(images, views=views)
    expected = sum(share * logits[each] for each, share in SHARES[views].items())
    classes, loss = judge.run(views)
    np.testing.assert_array_equal(classes, expected.argmax(1))
    assert loss == pytest.approx(loss_of(expected), rel=1e-4)
    plain_classes, plain_loss = judge.run("plain")
    np.testing.assert_array_equal(plain_classes, logits[0, False].argmax(1))
    assert plain_loss == pytest.approx(loss_of(logits[0, False]), rel=1e-4) and plain_loss != loss


def test_equal_weights_count_every_view_alike(images):
    judge, logits = evaluator(images, views="six", views_weights="equal")
    expected = sum(logits.values()) / 6
    classes, loss = judge.run("six")
    np.testing.assert_array_equal(classes, expected.argmax(1))
    assert loss == pytest.approx(loss_of(expected), rel=1e-4)


@pytest.mark.parametrize("share, chosen", [(0.25, 6), (0.5, 12), (0.0, 1)])
def test_the_views_are_spent_on_the_images_the_plain_view_is_least_sure_of(images, share, chosen):
    judge, logits = evaluator(images, views="six", views_share=share)
    plain = logits[0, False]
    likely = np.exp(plain - plain.max(1, keepdims=True))
    unsure = np.argsort((likely / likely.sum(1, keepdims=True)).max(1))[:chosen]
    expected = plain.copy()
    expected[unsure] = sum(share * logits[each][unsure] for each, share in SHARES["six"].items())
    classes, loss = judge.run("six")
    assert judge.chosen == chosen
    np.testing.assert_array_equal(classes, expected.argmax(1))
    assert loss == pytest.approx(loss_of(expected), rel=1e-4)


def test_the_shares_of_a_view_make_one():
    for name, views in evaluation.VIEWS.items():
        assert sum(share for share, _, _ in views) == 1, name
