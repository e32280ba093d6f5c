"""Permutation tests: how often a difference as large comes about where the labels of the runs mean nothing.

Every relabelling is looked at where there are no more than of 10 + 10 runs, else DRAWN seeded ones, the same at every
call. The tests ask nothing of the shape of the times (R. A. Fisher, The Design of Experiments, 1935); the statistic is
Welch's t, so that sides of unequal size and spread do not find what is not there (A. Janssen, Statistics and
Probability Letters 36, 1997).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Relabellings of 10 + 10 runs: as many are looked at one by one.
MOST_ENUMERATED = math.comb(20, 10)
DRAWN = 100_000
#: Runs a side with which two sides can differ at the 5 % level at all: 3 + 3 runs have a smallest p of 0.1.
LEAST_RUNS = 4
#: Pairs with which flipping signs can (2 of 2^6 is 0.03, 2 of 2^5 is 0.06).
LEAST_PAIRS = 6
_SEED = 94
#: Numbers held at once while relabellings are drawn: some tens of megabytes.
_AT_ONCE = 2_000_000
#: Relabellings that give the same statistic may differ in its last digits; values are scaled to 1 at most.
_TIED = 1e-9


def two_samples(values: Sequence[float], reference: Sequence[float]) -> float:
    """The two-sided p-value of the difference of two samples, each relabelling of all runs being as likely.

    NaN where a side has no value. Both sides alike in every value give 1.
    """
    import numpy as np

    if not values or not reference:
        return math.nan
    pooled = np.array([*values, *reference], dtype=np.float64)
    pooled = pooled - pooled.mean()  # Sums of squares of what is near to 0 keep their digits.
    scale = np.abs(pooled).max()
    if scale <= 1e-12 * max(map(abs, (*values, *reference))):
        return 1.0
    pooled = pooled / scale
    size, number = len(values), len(pooled)
    own = np.zeros((1, number))
    own[0, :size] = 1
    observed = float(_welch(own, pooled)[0])
    if math.comb(number, size) <= MOST_ENUMERATED:
        return float(np.mean(_welch(_every_side(number, size), pooled) >= _edge(observed)))
    as_large = 0
    for draws in _chunks(number):
        order = np.random.default_rng([_SEED, draws.start]).random((len(draws), number))
        chosen = np.zeros_like(order)
        np.put_along_axis(chosen, np.argpartition(order, size - 1, axis=1)[:, :size], 1, axis=1)
        as_large += int(np.sum(_welch(chosen, pooled) >= _edge(observed)))
    return (as_large + 1) / (DRAWN + 1)


@lru_cache(maxsize=1)
def _every_side(number: int, size: int) -> Floats:
    """Which ``size`` of so many runs make a side, a row each, 1 for those that do.

    Of sides of equal size a half: those without the first run are the others of those with it, and differ as much.
    """
    import numpy as np

    fixed = 1 if 2 * size == number else 0
    rows = np.fromiter(chain.from_iterable(combinations(range(fixed, number), size - fixed)), np.intp)
    rows = rows.reshape(-1, size - fixed)
    chosen = np.zeros((len(rows), number))
    chosen[:, :fixed] = 1
    np.put_along_axis(chosen, rows, 1, axis=1)
    return chosen


def pairs(differences: Sequence[float]) -> float:
    """The two-sided p-value of the mean of differences within pairs, each sign being as likely.

    NaN of no pair. The squares are the same at every flip, so Student's t orders the flips as their sums do.
    """
    import numpy as np

    if not differences:
        return math.nan
    values = np.array(differences, dtype=np.float64)
    scale = np.abs(values).max()
    if scale == 0:
        return 1.0
    values = values / scale
    observed, number = float(abs(values.sum())), len(values)
    if 2**number <= MOST_ENUMERATED:
        signs = 1 - 2 * (np.arange(2**number)[:, None] >> np.arange(number) & 1)
        return float(np.mean(np.abs(signs @ values) >= _edge(observed)))
    as_large = 0
    for draws in _chunks(number):
        signs = 1 - 2 * np.random.default_rng([_SEED, draws.start]).integers(0, 2, (len(draws), number))
        as_large += int(np.sum(np.abs(signs @ values) >= _edge(observed)))
    return (as_large + 1) / (DRAWN + 1)


def smallest_of_two_samples(ours: int, theirs: int) -> float:
    """The least p that ``two_samples`` can give sides of these sizes: that of sides which lie wholly apart."""
    ways = math.comb(ours + theirs, ours)
    # Of sides of equal size each relabelling has another that differs as much.
    return (2 if ours == theirs else 1) / ways if ways <= MOST_ENUMERATED else 1 / (DRAWN + 1)


def smallest_of_pairs(number: int) -> float:
    """The least p that ``pairs`` can give so many: that of differences of one sign."""
    return 2 / 2**number if 2**number <= MOST_ENUMERATED else 1 / (DRAWN + 1)


def _edge(observed: float) -> float:
    """The least statistic that counts as no smaller than the observed one."""
    return observed * (1 - _TIED) - _TIED


def _chunks(width: int) -> Iterator[range]:
    """The numbers of the draws, in parts that fit into memory."""
    step = max(1, _AT_ONCE // width)
    for start in range(0, DRAWN, step):
        yield range(start, min(start + step, DRAWN))


def _welch(chosen: Floats, pooled: Floats) -> Floats:
    """The size of Welch's t of each row of ``chosen`` (relabellings, all runs; 1 for the side) against the rest.

    A side of one run has no variance of its own and takes the other's; both without any give infinity, or 0 where the
    means agree too.
    """
    import numpy as np

    ours = int(chosen[0].sum())
    theirs = len(pooled) - ours
    total, squares = pooled.sum(), np.square(pooled).sum()
    sums, own_squares = chosen @ pooled, chosen @ np.square(pooled)
    means, other_means = sums / ours, (total - sums) / theirs
    spread = np.maximum(own_squares - ours * means**2, 0.0)
    other_spread = np.maximum(squares - own_squares - theirs * other_means**2, 0.0)
    error = spread / max(ours - 1, 1) / ours + other_spread / max(theirs - 1, 1) / theirs
    difference = np.abs(means - other_means)
    # Below what the sums above can resolve there is no variance.
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(error > 1e-24, difference / np.sqrt(error), np.where(difference > 1e-12, np.inf, 0.0))
    result: Floats = found
    return result
