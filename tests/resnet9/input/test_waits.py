"""What is said of waits and of the prefetch buffer, and what a real pipeline shows."""

import time

import pytest
import tensorflow as tf

from resnet9.input import waits
from resnet9.input.prefetch import BUFFER_BATCHES, Prefetch, median_pull_us


def test_a_wait_is_counted_in_its_bucket_and_one_on_an_edge_in_the_bucket_above():
    assert waits.histogram([5, 10, 29, 31, 2e6], [10, 30]) == [1, 2, 2]
    assert sum(waits.histogram([], [10, 30])) == 0


@pytest.mark.parametrize(
    ("steps", "seen"),
    [(1, ()), (2, (1,)), (9, tuple(range(1, 9))), (33, tuple(range(1, 33))), (34, tuple(range(2, 34, 2)))],
)
def test_the_buffer_is_looked_at_before_evenly_spread_pulls_and_never_before_the_first(steps, seen):
    assert sorted(waits.looks(steps)) == list(seen)


@pytest.mark.parametrize("steps", [97, 390, 5000])
def test_a_long_epoch_has_no_more_looks_than_a_short_one(steps):
    assert 3 * waits.MOST_LOOKS / 4 <= len(waits.looks(steps)) <= waits.MOST_LOOKS


def test_levels_are_told_as_their_mean_and_the_share_of_empty_ones():
    event = waits.event(2.0, [100.0, 50.0], [0, 4, 4, 0], 4, 20.0)
    assert (event.level_samples, event.level_mean, event.level_capacity, event.level_empty_share) == (4, 2.0, 4, 0.5)
    assert event.sum_us == 150.0 and event.floor_us == 20.0 and sum(event.counts) == 2


def test_a_buffer_nobody_looked_at_is_not_an_empty_one():
    event = waits.event(1.0, [100.0], [], 4, 20.0)
    assert event.level_samples is event.level_mean is event.level_capacity is event.level_empty_share is None


def numbers(count):
    return tf.data.Dataset.range(count).map(lambda each: (each, -each))


def settled(look, wanted):
    """What ``look`` says once it is ``wanted``, or after 20 seconds, which would be a failure."""
    deadline = time.monotonic() + 20
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.001)
    return look()


def test_a_buffer_with_a_count_gives_every_element_in_order():
    prefetch = Prefetch(threads=2)
    for _ in range(2):
        assert [int(first) for first, _ in prefetch.behind(numbers(50))] == list(range(50))


def test_a_buffer_nobody_takes_from_fills_to_its_capacity_and_no_further():
    prefetch = Prefetch(threads=2)
    batches = iter(prefetch.behind(numbers(50)))
    for pulled in (1, 2):  # The first pull starts the pipeline.
        next(batches)
        assert settled(lambda: prefetch.level(pulled), BUFFER_BATCHES) == BUFFER_BATCHES  # noqa: B023


def test_a_buffer_whose_pipeline_is_stuck_is_empty():
    prefetch = Prefetch(threads=1)
    gate = tf.queue.FIFOQueue(10, [tf.int64])
    gate.enqueue(7)
    batches = iter(prefetch.behind(tf.data.Dataset.range(2).map(lambda _: (gate.dequeue(),))))
    assert int(next(batches)[0]) == 7
    assert prefetch.level(pulled=1) == 0
    gate.enqueue(8)
    assert int(next(batches)[0]) == 8


@pytest.mark.skipif(not hasattr(tf.data.experimental, "get_model_proto"), reason="TensorFlow before 2.17 has no model")
def test_tensorflow_s_own_model_sees_the_level_that_the_count_gives():
    prefetch = Prefetch(threads=2)
    options = tf.data.Options()
    options.autotune.enabled = True
    modelled = prefetch.behind(numbers(50)).with_options(options)
    batches = iter(modelled)

    def buffered():
        nodes = tf.data.experimental.get_model_proto(batches).nodes.values()
        return next(node.buffered_elements for node in nodes if node.name == "Prefetch")

    for pulled in range(1, 50):
        next(batches)
        left = min(BUFFER_BATCHES, 50 - pulled)
        # A batch is counted an instant before it is in the buffer.
        assert settled(lambda: (prefetch.level(pulled), buffered()), (left, left)) == (left, left)  # noqa: B023


@pytest.mark.parametrize("blocking", [False, True])
def test_the_floor_is_what_a_ready_batch_of_the_same_shapes_costs(blocking):
    spec = (tf.TensorSpec([64, 32, 32, 3], tf.float32), tf.TensorSpec([64], tf.uint8))
    assert 1 < Prefetch(threads=2).floor_us(spec, blocking) < 20_000


class Pulls:
    """Pulls that take as long as they are told, on a clock of their own."""

    def __init__(self, *seconds):
        self.seconds, self.count, self.now_ns = seconds, 0, 0

    def __call__(self):
        self.wait(self.seconds[self.count % len(self.seconds)])
        self.count += 1

    def wait(self, seconds):
        self.now_ns += round(seconds * 1e9)

    def median_us(self, pause_seconds=0.0):
        return median_pull_us(self, pause_seconds, lambda: self.now_ns, self.wait)


def test_the_floor_is_the_median_of_sixteen_pulls_without_the_pauses_between_them():
    pulls = Pulls(1e-4, 1e-4, 5e-4)
    assert pulls.median_us(pause_seconds=1e-3) == pytest.approx(100)
    assert pulls.count == 16


@pytest.mark.parametrize(("seconds", "pulled"), [(0.004, 7), (0.03, 1), (100.0, 1)])
def test_slow_pulls_end_the_measurement_of_the_floor_after_25_ms(seconds, pulled):
    pulls = Pulls(seconds)
    assert pulls.median_us() == pytest.approx(1e6 * seconds)
    assert pulls.count == pulled


def test_pauses_count_among_the_time_that_the_floor_may_take():
    pulls = Pulls(0.001)
    pulls.median_us(pause_seconds=0.003)
    assert pulls.count == 7
