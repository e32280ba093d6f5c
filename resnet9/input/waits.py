"""How long steps waited for input, as a histogram, and how full the prefetch buffer was, as its mean."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from bench.protocol import Waits

#: Microseconds: half a decade a bucket, from below what a ready batch costs to a second.
EDGES_US = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)
#: Looks at the buffer in an epoch: enough for a share of 3 %, and 0.3 ms an epoch at 10 us each.
MOST_LOOKS = 32


def histogram(waits_us: Sequence[float], edges_us: Sequence[float] = EDGES_US) -> list[int]:
    """Counts per bucket, ``len(edges_us) + 1`` of them: below the first edge, from each edge to the next, from the
    last one up.
    """
    counts = [0] * (len(edges_us) + 1)
    for wait in waits_us:
        counts[bisect.bisect_right(edges_us, wait)] += 1
    return counts


def looks(steps: int) -> frozenset[int]:
    """The pulls of an epoch, counted from 0, before which to look at the buffer: evenly spread, at most MOST_LOOKS.

    Never the first: every epoch begins with an empty buffer, so its level says nothing. Its wait counts.
    """
    apart = max(1, -(-(steps - 1) // MOST_LOOKS))
    return frozenset(range(apart, steps, apart))


def event(epoch: float, waits_us: Sequence[float], levels: Sequence[int], capacity: int, floor_us: float) -> Waits:
    """Return the event of an epoch's waits; without ``levels`` it leaves out the buffer."""
    waits = (epoch, list(EDGES_US), histogram(waits_us), floor_us, sum(waits_us))
    if not levels:
        return Waits(*waits)
    return Waits(
        *waits,
        level_samples=len(levels),
        level_mean=sum(levels) / len(levels),
        level_capacity=capacity,
        level_empty_share=sum(level <= 0 for level in levels) / len(levels),
    )
