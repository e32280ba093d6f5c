"""The end of the host's pipeline: its buffer of ready batches, how full it is, and what a pull from it costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

CPU = "/CPU:0"
#: Batches in flight between the augmenting threads and the step.
BUFFER_BATCHES = 4
#: The floor is the median of this many pulls, or of what these milliseconds allow.
_FLOOR_PULLS, _FLOOR_MS = 16, 25.0
#: A step that blocks lets the pipeline's threads and the core they ran on fall asleep, and waking them is part of a
#: pull: 40 us without a pause and 200 us after one were measured on 2 cores, the longer from about a millisecond on.
_PAUSE_SECONDS = 1e-3


def median_pull_us(
    pull: Callable[[], Any],
    pause_seconds: float,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Median microseconds of ``pull``, each after a pause: of _FLOOR_PULLS, or of those that begin in _FLOOR_MS."""
    times: list[float] = []
    end_ns = clock_ns() + int(_FLOOR_MS * 1e6)
    while len(times) < _FLOOR_PULLS and (not times or clock_ns() < end_ns):
        if pause_seconds:
            sleep(pause_seconds)
        began = clock_ns()
        pull()
        times.append((clock_ns() - began) / 1e3)
    return statistics.median(times)


class Prefetch:
    """The last stage of a pipeline, with a count of the batches that entered it.

    The count less what was pulled is the level of the buffer. It is a variable that the pipeline's own thread adds 1 to
    (15 to 25 us a batch there, 10 us a look), so it needs no autotuning, which is a source of noise, and works on every
    TensorFlow; ``tf.data.experimental.get_model_proto`` shows the same level from 2.17 on, and only with autotuning.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        with tf.device(CPU):
            self._entered = tf.Variable(0, trainable=False, dtype=tf.int64)

    def behind(self, data: tf.data.Dataset) -> tf.data.Dataset:
        """``data`` with a counted buffer after it, its elements unchanged and in order; the count begins at 0."""
        with tf.device(CPU):
            self._entered.assign(0)

        @tf.autograph.experimental.do_not_convert
        def count(*element: Any) -> Any:
            # A stateful map is run once an element and in order, whatever tf.data makes of the others.
            with tf.control_dependencies([self._entered.assign_add(1, read_value=False)]):
                return tuple(tf.identity(part) for part in element)

        return self._buffered(data.map(count))

    def level(self, pulled: int) -> int:
        """Batches that are ready, after ``pulled`` of them were taken."""
        with tf.device(CPU):
            entered = tf.raw_ops.ReadVariableOp(resource=self._entered.handle, dtype=tf.int64)
        return int(entered.numpy()) - pulled

    def floor_us(self, spec: Any, blocking: bool) -> float:
        """Median microseconds of pulling an element of this ``spec`` that is always ready: a wait where nothing waits.

        ``blocking``: the step ends before it returns, as on a CPU, so a pull comes after a pause. Pulls for 25 ms at
        most, after the 15 ms that making the pipeline takes.
        """
        with tf.device(CPU):
            element = tf.nest.map_structure(lambda each: tf.zeros(each.shape, each.dtype), spec)
            ready = iter(self._buffered(tf.data.Dataset.from_tensors(element).repeat()))
            next(ready)
            return median_pull_us(lambda: next(ready), _PAUSE_SECONDS if blocking else 0.0)

    def _buffered(self, data: tf.data.Dataset) -> tf.data.Dataset:
        options = tf.data.Options()
        options.autotune.enabled = False  # It reacts over time, which would make the first epochs unlike the others.
        options.threading.private_threadpool_size = self.threads
        return data.prefetch(BUFFER_BATCHES).with_options(options)
