"""Both inputs: what an epoch does, that a seed fixes it, and that they train alike."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet9.input import base_loop, loops
from resnet9.input.loops import LOOPS
from resnet9.optim.step import Settings
from tests.resnet9.narrow import FLOAT32, a_step, coloured, flat, knots, marked, narrow

IMAGES, BATCH = 130, 16


@pytest.fixture(scope="module")
def small():
    return narrow("page24", batch=BATCH, epochs=2.5, learning_rate=knots((0, 0.0), (1, 0.1), (3, 0.0)))


@pytest.fixture(scope="module")
def data():
    return coloured(IMAGES)


def trained(name, recipe, data, seed=0, xla=False, warm=True):
    step = a_step(recipe, Settings(tf.float32, xla, 1.0, 1))
    loop = LOOPS[name](step, len(data.train_labels))
    if warm:
        loop.warm_up(123)
    step.reset(seed)
    loop.load(data)
    return step, loop, [loop.run(epoch, seed) for epoch in (1, 2, 3)]


@pytest.fixture(scope="module", params=["host", "device"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def run(name, small, data):
    """Step, loop and sums of one training with seed 0, for every test that looks and changes nothing."""
    return trained(name, small, data)


def test_an_epoch_trains_whole_batches_and_the_last_one_may_be_short(run):
    _, loop, sums = run
    assert [s.steps for s in sums] == [8, 8, 4]
    assert [s.images for s in sums] == [128, 128, 64]
    assert [loop.epoch_label(epoch) for epoch in (1, 2, 3)] == [1.0, 2.0, 2.5]
    assert all(np.isfinite(s.mean_loss) and 0 <= s.correct <= s.images for s in sums)


def test_the_loss_falls(run):
    _, _, sums = run
    assert sums[-1].mean_loss < sums[0].mean_loss


def test_one_seed_trains_bit_for_bit_the_same_with_and_without_a_warm_up_and_another_seed_does_not(
    run, name, small, data
):
    warm, _, sums = run
    cold, loop, cold_sums = trained(name, small, data, warm=False)
    for ours, theirs in zip((warm.net.head, *warm.net.statistics), (cold.net.head, *cold.net.statistics), strict=True):
        assert (ours.numpy() == theirs.numpy()).all()
    assert [each.loss_sum for each in sums] == [each.loss_sum for each in cold_sums]
    cold.reset(5)
    loop.load(data)
    for epoch in (1, 2, 3):
        loop.run(epoch, 5)
    assert not np.allclose(warm.net.head.numpy(), cold.net.head.numpy())


@pytest.mark.slow
def test_both_inputs_train_alike(small, data):
    """Other shuffles, so not the same numbers: the losses of the epochs agree over seeds."""
    means = {
        name: np.mean([[s.mean_loss for s in trained(name, small, data, seed)[2]] for seed in range(4)], axis=0)
        for name in LOOPS
    }
    np.testing.assert_allclose(means["host"], means["device"], rtol=0.08)


@pytest.mark.slow
def test_the_host_input_times_every_pull_and_the_device_input_has_none_to_time(small, data):
    assert [len(s.waits_us) for s in trained("host", small, data)[2]] == [8, 8, 4]
    assert trained("device", small, data)[2][0].waits_us == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_of_the_host_input_shows_no_image_twice(epoch, small, data):
    step = a_step(dataclasses.replace(small, pad=0, flip="none", cutout=0), FLOAT32)
    loop = loops.HostLoop(step, IMAGES)
    loop.load(marked(IMAGES))
    seen = np.concatenate([labels.numpy() for _, labels, _ in loop.batches(loop.steps_of(epoch), 0)])
    assert len(seen) == 128 == len(set(seen))
    again = np.concatenate([labels.numpy() for _, labels, _ in loop.batches(loop.steps_of(epoch), 0)])
    other = np.concatenate([labels.numpy() for _, labels, _ in loop.batches(loop.steps_of(3 - epoch), 0)])
    assert (seen == again).all() and not (seen == other).all()


def test_the_host_input_pairs_every_image_with_its_own_label(small, data):
    recipe = dataclasses.replace(small, pad=0, flip="none", cutout=0)
    loop = loops.HostLoop(a_step(recipe), IMAGES)
    loop.load(marked(IMAGES))
    for images, labels, _ in loop.batches(loop.steps_of(1), 0):
        red = images.numpy()[:, 5, 5, 0] * recipe.std255[0] + recipe.mean255[0]
        np.testing.assert_allclose(red, labels.numpy(), atol=1e-3)


def test_streams_of_random_numbers_do_not_meet():
    values = [
        base_loop.stream(seed, number)
        for seed in range(1000)
        for number in (base_loop.SHUFFLE_STREAM, base_loop.AUGMENT_STREAM)
    ]
    assert len(set(values)) == len(values)
    assert all(0 <= value < 2**31 for value in values)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["host", "device"])
def test_an_input_compiled_by_xla_agrees_with_it_uncompiled(name, data):
    """At a low rate: batch norm over few images amplifies rounding from step to step, whoever rounds."""
    recipe = narrow("page24", batch=2 * BATCH, epochs=2.5, learning_rate=knots((0, 0.002)))
    plain, compiled = (trained(name, recipe, data, xla=xla) for xla in (False, True))
    for ours, theirs in zip(plain[2], compiled[2], strict=True):
        assert ours.mean_loss == pytest.approx(theirs.mean_loss, rel=2e-3)
    begun = flat(a_step(recipe).net.kernels)
    moved = [flat(end[0].net.kernels) - begun for end in (plain, compiled)]
    assert np.dot(*moved) > 0.98 * np.linalg.norm(moved[0]) * np.linalg.norm(moved[1])


def test_the_control_input_serves_the_first_epoch_s_batches_again_and_again(small, data):
    step = a_step(small, FLOAT32)
    loop = loops.MemoryLoop(step, IMAGES)
    loop.warm_up(123)
    loop.load(data)
    host = loops.HostLoop(step, IMAGES)
    host.load(data)
    kept = [[part.numpy() for part in batch] for batch in loop._batches]
    made = [[part.numpy() for part in batch] for batch in host.batches(host.steps_of(1), 0)]
    assert len(kept) == len(made) == 8
    for ours, theirs in zip(kept, made, strict=True):
        assert all((one == other).all() and one.dtype == other.dtype for one, other in zip(ours, theirs, strict=True))
    sums = [loop.run(epoch, 5) for epoch in (1, 2, 3)]
    assert [(each.steps, each.images) for each in sums] == [(8, 128), (8, 128), (4, 64)]
    assert all(not each.waits_us and not each.levels and np.isfinite(each.mean_loss) for each in sums)


def test_the_host_input_looks_at_its_buffer_before_every_pull_but_the_first(small, data):
    _, loop, sums = trained("host", small, data)
    assert [len(each.levels) for each in sums] == [7, 7, 3]
    assert all(0 <= level <= each.capacity == 4 for each in sums for level in each.levels)
    assert loop.floor_us > 0
