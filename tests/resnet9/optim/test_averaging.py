"""Lookahead and the exponential moving average on a toy net of two numbers, against recursions in numpy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.optim.averaging import Averaging
from resnet9.optim.schedule import CONTROLS, controls
from resnet9.recipe import Average
from tests.resnet9.narrow import a_step, coloured, narrow, row

STEPS_PER_EPOCH, EPOCHS = 4, 5.5
TOTAL = 22
MOVES = np.random.RandomState(0).normal(size=(TOTAL, 2))
START = np.array([3.0, -2.0])


def followed(average: Average):
    """What a toy net that is moved by MOVES and its average are after every step."""
    recipe = narrow("page24", batch=10, epochs=EPOCHS, average=average)
    table = controls(recipe, 10 * STEPS_PER_EPOCH + 3)
    assert len(table) == TOTAL
    net = tf.Variable(START, dtype=tf.float32)
    averaging = Averaging(average, [net])
    averaging.reset()
    seen = []
    for move, values in zip(MOVES, table, strict=True):
        net.assign_add(tf.constant(move, tf.float32))
        averaging.step(*(tf.constant(values[CONTROLS.index(name)]) for name in ("average_keep", "average_copy")))
        seen.append((net.numpy(), averaging.averages[0].numpy()))
    return seen


@pytest.mark.parametrize("first", [None, 1, 3])
def test_an_exponential_moving_average_moves_every_few_steps_and_leaves_the_net_alone(first):
    seen = followed(Average(every=3, decay=0.8, first=first))
    net, average = START.copy(), START.copy()
    for step, (move, (got_net, got_average)) in enumerate(zip(MOVES, seen, strict=True), 1):
        net = net + move
        if step >= (first or 3) and (step - (first or 3)) % 3 == 0:
            average = 0.8 * average + 0.2 * net
        np.testing.assert_allclose(got_net, net, rtol=1e-5)
        np.testing.assert_allclose(got_average, average, rtol=1e-5)


def test_a_lookahead_is_copied_back_and_drops_the_steps_after_its_last_move():
    """airbench94: every 5 steps net = ema = a ema + (1 - a) net with a = 0.95^5 (s/T)^3; at the end net = ema again."""
    seen = followed(Average(every=5, decay=0.95**5, power=3, copy_back=True))
    net, average = START.copy(), START.copy()
    for step, (move, (got_net, _)) in enumerate(zip(MOVES, seen, strict=True), 1):
        net = net + move
        if step % 5 == 0:
            keep = 0.95**5 * (step / TOTAL) ** 3
            average = keep * average + (1 - keep) * net
            net = average.copy()
        if step == TOTAL:
            net = average.copy()
        np.testing.assert_allclose(got_net, net, rtol=1e-5)
    np.testing.assert_allclose(seen[-1][0], seen[19][0])


@pytest.mark.parametrize("copy_back", [True, False])
def test_until_its_epoch_the_average_is_the_net_and_the_net_is_its_own(copy_back):
    seen = followed(Average(every=5, decay=0.9, from_epoch=2, copy_back=copy_back))
    net = START + np.cumsum(MOVES, axis=0)
    for step in range(2 * STEPS_PER_EPOCH):
        np.testing.assert_allclose(seen[step][0], net[step], rtol=1e-5)
        np.testing.assert_allclose(seen[step][1], net[step], rtol=1e-5)
    expected = 0.9 * net[7] + 0.1 * net[9]
    np.testing.assert_allclose(seen[9][1], expected, rtol=1e-5)
    np.testing.assert_allclose(seen[9][0], expected if copy_back else net[9], rtol=1e-5)


def one_trained_step(average):
    recipe = narrow("page13", batch=32, ghost_batch=None, average=average)
    step, data = a_step(recipe), coloured(32)
    step.measure_whitening(data.train_images)
    images = tf.random.stateless_normal([32, 32, 32, 3], [1, 2])
    step(images, tf.constant(data.train_labels), row(0.1, average_keep=0.75))
    return step


@pytest.mark.slow
def test_running_statistics_are_averaged_like_the_weights():
    start = [each.numpy() for each in a_step(narrow("page13", batch=32, ghost_batch=None)).learned]
    step = one_trained_step(Average(every=1, decay=0.75))
    assert any("mean" in each.name for each in step.learned) and any("variance" in each.name for each in step.learned)
    for began, variable, average in zip(start, step.learned, step.averaging.averages, strict=True):
        np.testing.assert_allclose(average.numpy(), 0.75 * began + 0.25 * variable.numpy(), rtol=1e-5, atol=1e-6)


def test_the_average_is_swapped_in_to_be_judged_and_out_again_to_train_on_and_is_the_fresh_net_after_a_reset():
    step = one_trained_step(Average(every=1, decay=0.75))
    net = [each.numpy() for each in step.learned]
    averages = [each.numpy() for each in step.averaging.averages]
    step.swap_average()
    assert all((a.numpy() == b).all() for a, b in zip(step.learned, averages, strict=True))
    step.swap_average()
    assert all((a.numpy() == b).all() for a, b in zip(step.learned, net, strict=True))
    assert all((a.numpy() == b).all() for a, b in zip(step.averaging.averages, averages, strict=True))
    step.reset(5)
    fresh = a_step(dataclasses.replace(step.recipe, average=None), seed=5)
    for average, variable, other in zip(step.averaging.averages, step.learned, fresh.learned, strict=True):
        np.testing.assert_array_equal(average.numpy(), variable.numpy())
        np.testing.assert_array_equal(average.numpy(), other.numpy())


@pytest.mark.slow
def test_a_lookahead_is_the_net_itself_so_nothing_is_swapped():
    step = one_trained_step(Average(every=1, decay=0.75, copy_back=True))
    before = [each.numpy() for each in step.learned]
    step.swap_average()
    assert all((a.numpy() == b).all() for a, b in zip(step.learned, before, strict=True))
