"""The bias of the whitening layer is trained for a while and then left alone, also where an epoch is half done."""

from itertools import pairwise

import numpy as np
import pytest

from resnet9.input.loops import LOOPS
from resnet9.recipe import Group
from tests.resnet9.narrow import a_step, coloured, knots, narrow

IMAGES, BATCH = 64, 16


def biases(name, until, epochs=3):
    """The bias of the whitening layer at the start and after each epoch of 4 steps."""
    groups = {} if until is None else {"whitening_bias": Group(until_epochs=until)}
    recipe = narrow(
        "air94", average=None, batch=BATCH, epochs=epochs, groups=groups, learning_rate=knots((0, 0.05), unit="epoch")
    )
    step = a_step(recipe)
    loop = LOOPS[name](step, IMAGES)
    loop.load(coloured(IMAGES))
    step.measure_whitening(loop.images)
    seen = [step.net.whitening.bias.numpy()]
    heads = [step.net.head.numpy()]
    for epoch in range(1, int(np.ceil(epochs)) + 1):
        loop.run(epoch, 0)
        seen.append(step.net.whitening.bias.numpy())
        heads.append(step.net.head.numpy())
    assert all((a != b).any() for a, b in pairwise(heads))
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_it_freezes_in_the_middle_of_an_epoch(name):
    start, first, second, third = biases(name, until=1.5)
    assert (start != first).any() and (first != second).any() and (second == third).all()
    # Six steps, not one more or less: what a run of one epoch and a half ends with.
    np.testing.assert_allclose(second, biases(name, until=None, epochs=1.5)[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "device" else ()) for name in LOOPS]
)
def test_it_may_freeze_at_once_or_never(name):
    frozen, free = biases(name, until=0, epochs=1), biases(name, until=None, epochs=1)
    assert (frozen[0] == frozen[1]).all() and (free[0] != free[1]).any()
