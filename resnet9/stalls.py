"""How long steps waited for input, as a histogram."""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence

#: Microseconds: half a decade a bucket, from below what a ready batch costs to a second.
EDGES_US = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)


def histogram(waits_us: Sequence[float], edges_us: Sequence[float] = EDGES_US) -> list[int]:
    """Counts per bucket, ``len(edges_us) + 1`` of them: below the first edge, from each edge to the next, from the
    last one up.
    """
    counts = [0] * (len(edges_us) + 1)
    for wait in waits_us:
        counts[bisect.bisect_right(edges_us, wait)] += 1
    return counts


def floor_us(pulls: int = 200) -> float:
    """Median microseconds of pulling from a tf.data iterator whose element is always ready: what is shown when
    nothing waits.
    """
    import tensorflow as tf

    times = []
    with tf.device("/CPU:0"):
        ready = iter(tf.data.Dataset.from_tensors(0).repeat().prefetch(4))
        next(ready)
        for _ in range(pulls):
            began = time.perf_counter_ns()
            next(ready)
            times.append((time.perf_counter_ns() - began) / 1e3)
    return sorted(times)[pulls // 2]
