"""Both inputs, compiled by XLA or not, train the same net when they see the same images in the same order."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input.loops import LOOPS
from resnet9.optim.step import Settings
from resnet9.recipe import Average, Cutmix, Group, Jitter, Muon
from tests.resnet9.narrow import a_step, coloured, flat, knots, narrow

IMAGES, BATCH = 70, 16
#: So low that no step feeds much rounding to the next: batch norm over few images amplifies it.
GENTLE = knots((0, 0.0005))

#: Everything that draws random numbers or moves weights in a way of its own, in one recipe.
EVERYTHING = {
    "average": Average(every=2, decay=0.5, power=1, copy_back=True),
    "cutmix": Cutmix(3, from_epoch=1),
    "jitter": Jitter(0.2, 0.1),
    "muon": Muon(1.0, 0.6, renormalise=(2, 1), weight_decay=0.01),
    "groups": {"norms": Group(2.0), "whitening_bias": Group(until_epochs=1.5)},
    "random_numbers": "per_epoch",
    "flip": "alternating",
    "pad_mode": "zero",
    "cutout": 4,
}


def trained(name, recipe, xla=False):
    step = a_step(recipe, Settings(tf.float32, xla, 1.0, 1))
    loop = LOOPS[name](step, IMAGES)
    loop.load(coloured(IMAGES))
    if step.net.whitening is not None:
        # Uncompiled for all: these images are noise, whose eigenvalues are so alike that rounding turns the filters.
        step.net.whitening.measure(loop.images)
    start = flat(step.net.trained)
    sums = [loop.run(epoch, 3) for epoch in (1, 2)]
    return flat(step.net.trained) - start, [each.mean_loss for each in sums], step


def assert_alike(one, other):
    """The same losses, and weights that moved the same way; batch norm over few images amplifies rounding."""
    np.testing.assert_allclose(one[1], other[1], rtol=2e-3)
    moved, other_moved = one[0], other[0]
    assert np.linalg.norm(moved - other_moved) < 0.1 * np.linalg.norm(moved) > 0


def small(name, **changes):
    return narrow(name, batch=BATCH, epochs=2, shuffle_window=1, learning_rate=GENTLE, **changes)


@pytest.mark.slow
def test_with_every_trick_at_once_both_inputs_train_alike():
    recipe = small("air94", **EVERYTHING)
    assert_alike(trained("host", recipe), trained("device", recipe))


@pytest.mark.slow
def test_an_epoch_compiled_by_xla_trains_as_one_that_is_not():
    recipe = dataclasses.replace(small("air94", **EVERYTHING), widths=(4, 4, 4))
    assert_alike(trained("host", recipe), trained("device", recipe, xla=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["page24", "keras24", "plain24", "page13", "air94", "air94-muon", "hive", "hlb12", "air96"]
)
def test_every_net_trains_alike_in_both_inputs_with_and_without_xla(name):
    changes = {"ghost_batch": 8} if name == "page13" else {}
    recipe = small(name, **changes)
    plain = trained("host", recipe)
    for other in (trained("device", recipe), trained("device", recipe, xla=True), trained("host", recipe, xla=True)):
        assert_alike(plain, other)
