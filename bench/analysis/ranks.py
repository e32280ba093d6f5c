"""Rank tests with the estimate and the interval that belong to them: one procedure, monotone in every time.

Two samples: the Mann-Whitney test, the Hodges-Lehmann estimate (the median of all differences between a run of one side
and a run of the other) and the interval between two of these differences. Pairs: Wilcoxon's signed ranks, and the same
of the Walsh averages (means of two of the differences within pairs). Levels are exact, from the distribution of the
counts where nothing differs (H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947; F. Wilcoxon,
Biometrics Bulletin 1, 1945; J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34, 1963).

A larger time on the first side can only raise a contrast, so it never weakens the evidence that this side is slower:
one very slow run cannot hide that all others are slow as well, as it does where a mean is divided by a spread. Tied
times count for neither side, which makes the test more careful, never less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

#: One-sided level of the gate, and the two-sided one of an answer.
LEVEL = 0.05
#: Up to so many contrasts the distribution is counted out; beyond them the normal one is
#: within 0.001 of it for sides of like size, and more careful at small levels for very unlike ones.
MOST_COUNTED = 2500
#: Logarithms that agree to this many digits are of equal times: a file may change the last ones.
_DIGITS = 12


@dataclass(frozen=True)
class Bounds:
    """The ends of an interval and its exact confidence in per cent; all NaN where so few runs bound nothing."""

    low: float
    high: float
    confidence_percent: float


@dataclass(frozen=True)
class Ranks:
    """The contrasts of two sides in order, and how many of two samples (``ours``, ``theirs``) or pairs they are of."""

    contrasts: Floats
    sizes: tuple[int, ...]

    @property
    def estimate(self) -> float:
        """The median of the contrasts; NaN of none."""
        return float(np.median(self.contrasts)) if len(self.contrasts) else math.nan

    def p_greater(self, margin: float = 0.0) -> float:
        """The one-sided p-value of a shift above ``margin``; NaN of no contrast."""
        return self._p(int((self.contrasts > margin).sum()))

    def p_less(self, margin: float = 0.0) -> float:
        """The one-sided p-value of a shift below ``-margin``; NaN of no contrast."""
        return self._p(int((self.contrasts < -margin).sum()))

    @property
    def smallest_p(self) -> float:
        """The least one-sided p-value that so many runs can give; NaN of none."""
        return self._p(len(self.contrasts))

    def bounds(self, level: float = LEVEL) -> Bounds:
        """The shifts that a two-sided test at ``level`` does not reject."""
        below = self._most_below(level / 2)
        if below < 0:
            return Bounds(math.nan, math.nan, math.nan)
        ends = float(self.contrasts[below]), float(self.contrasts[-1 - below])
        return Bounds(*ends, 100 * (1 - 2 * self._cumulated(below)))

    def _p(self, count: int) -> float:
        return self._cumulated(len(self.contrasts) - count) if len(self.contrasts) else math.nan

    def _cumulated(self, count: int) -> float:
        """The chance of ``count`` or fewer contrasts on one side of the truth; of as many or fewer on the other."""
        if count < 0:
            return 0.0
        if self._counted is not None:
            return float(min(1.0, self._counted[count]))
        mean, deviation = self._moments
        return NormalDist().cdf((count + 0.5 - mean) / deviation)

    def _most_below(self, share: float) -> int:
        """The largest count whose ``_cumulated`` is below ``share``, -1 where there is none."""
        if not len(self.contrasts):
            return -1
        if self._counted is not None:
            return int((self._counted < share).sum()) - 1
        mean, deviation = self._moments
        return math.floor(mean + NormalDist().inv_cdf(share) * deviation - 0.5)

    @cached_property
    def _counted(self) -> Floats | None:
        if len(self.contrasts) > MOST_COUNTED:
            return None
        return _rank_sums(*self.sizes) if len(self.sizes) == 2 else _signed_ranks(*self.sizes)

    @property
    def _moments(self) -> tuple[float, float]:
        number = len(self.contrasts)
        total = sum(self.sizes)
        variance = number * (total + 1) / 12 if len(self.sizes) == 2 else number * (2 * total + 1) / 12
        return number / 2, math.sqrt(variance)


def two_samples(ours: Sequence[float], theirs: Sequence[float]) -> Ranks:
    """Every difference between a value of ``ours`` and one of ``theirs``."""
    differences = np.subtract.outer(np.array(ours, dtype=np.float64), np.array(theirs, dtype=np.float64))
    return Ranks(np.sort(differences.ravel().round(_DIGITS)), (len(ours), len(theirs)))


def pairs(gaps: Sequence[float]) -> Ranks:
    """Every mean of two differences within pairs, each with itself included."""
    values = np.array(gaps, dtype=np.float64)
    first, second = np.triu_indices(len(values))
    return Ranks(np.sort(((values[first] + values[second]) / 2).round(_DIGITS)), (len(values),))


def smallest_of_two_samples(ours: int, theirs: int) -> float:
    """The least one-sided p-value of two sides of these sizes, that of sides which lie wholly apart."""
    return 1 / math.comb(ours + theirs, ours)


def smallest_of_pairs(number: int) -> float:
    """The least one-sided p-value of so many pairs, that of differences of one sign."""
    return float(0.5**number)


@cache
def _rank_sums(ours: int, theirs: int) -> Floats:
    """The chance of so many or fewer of all differences above 0 where nothing differs, for 0 to ours * theirs.

    ``rows[j]`` holds the number of ways in which i runs of one side and j of the other have each count: the last of all
    is either of ours, above all j of theirs, or of theirs.
    """

    rows = [np.ones(1)] * (theirs + 1)
    for i in range(1, ours + 1):
        above = rows
        rows = [np.ones(1)]
        for j in range(1, theirs + 1):
            ways = np.zeros(i * j + 1)
            ways[j:] += above[j]
            ways[: len(rows[-1])] += rows[-1]
            rows.append(ways)
    ways = rows[theirs]
    result: Floats = np.cumsum(ways) / ways.sum()
    return result


@cache
def _signed_ranks(number: int) -> Floats:
    """The chance of so many or fewer Walsh averages above 0 where nothing differs: each rank is signed by a coin."""
    ways = np.ones(1)
    for rank in range(1, number + 1):
        longer = np.zeros(len(ways) + rank)
        longer[: len(ways)] += ways / 2
        longer[rank:] += ways / 2
        ways = longer
    result: Floats = np.cumsum(ways)
    return result
