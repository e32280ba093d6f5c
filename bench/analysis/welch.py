"""Two small samples: how they differ, how sure that is, and what difference so many runs could have shown at all.

Welch's t test (B. L. Welch, Biometrika 34, 1947) does not ask that both sides spread alike; Holm's method (S. Holm,
Scandinavian Journal of Statistics 6, 1979) keeps the chance of any false finding among several at the level. Functions
of ``scipy.special``, without the time that ``scipy.stats`` takes to import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit

from bench.analysis.censored import CONFIDENCE, Interval

#: Two-sided chance of a finding where there is nothing to find.
LEVEL = 1 - CONFIDENCE
#: Chance of finding a difference of the smallest detectable size.
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """Mean of one sample minus that of another, the ends of its 95 % interval and the two-sided p-value.

    What cannot be known is NaN: a side has fewer than two values, or neither varies at all.
    """

    estimate: float
    low: float
    high: float
    p_value: float

    @property
    def has_interval(self) -> bool:
        """Return whether there is an interval."""
        return not math.isnan(self.p_value)


def mean(values: Sequence[float]) -> Interval:
    """The mean with its 95 % interval by Student's t; one value has no interval, none has no mean."""
    if not values:
        return Interval(math.nan, math.nan, math.nan)
    center = math.fsum(values) / len(values)
    if len(values) == 1:
        return Interval(center, math.nan, math.nan)
    half = quantile(len(values) - 1) * math.sqrt(variance(values) / len(values))
    return Interval(center, center - half, center + half)


def variance(values: Sequence[float]) -> float:
    """The sample variance (n - 1) of two values or more."""
    center = math.fsum(values) / len(values)
    return math.fsum((each - center) ** 2 for each in values) / (len(values) - 1)


def difference(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """How much larger the mean of ``values`` is than that of ``reference``, by Welch's t test."""
    if not values or not reference:
        return Difference(math.nan, math.nan, math.nan, math.nan)
    estimate = math.fsum(values) / len(values) - math.fsum(reference) / len(reference)
    if min(len(values), len(reference)) < 2:
        return Difference(estimate, math.nan, math.nan, math.nan)
    ours, theirs = variance(values) / len(values), variance(reference) / len(reference)
    error = math.sqrt(ours + theirs)
    # Equal values do not show their spread.
    if error <= 1e-12 * max(map(abs, (*values, *reference))):
        return Difference(estimate, math.nan, math.nan, math.nan)
    # Shares of the variance instead of its squares, which a small spread would take below what a float holds.
    share = ours / (ours + theirs)
    freedom = 1 / (share**2 / (len(values) - 1) + (1 - share) ** 2 / (len(reference) - 1))
    half = quantile(freedom) * error

    return Difference(estimate, estimate - half, estimate + half, 2 * float(stdtr(freedom, -abs(estimate) / error)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value adjusted for all of them, in their order; an unknown one (NaN) counts and stays unknown."""
    order = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def smallest_detectable(spread: float, runs: int, reference_runs: int, level: float = LEVEL) -> float:
    """The true difference that ``difference`` finds at ``level`` (two-sided) with a chance of POWER.

    ``spread`` is the standard deviation of one run, the same on either side; the result is in its unit. NaN where a
    side has fewer than two runs.
    """
    if min(runs, reference_runs) < 2:
        return math.nan
    return spread * _smallest(min(runs, reference_runs), max(runs, reference_runs), level)


@cache
def _smallest(runs: int, more_runs: int, level: float) -> float:
    """The smallest detectable difference at a spread of 1, by the power of Welch's test itself.

    Given both sample variances, which are chi2, the means differ by a normal variable: the power is the mean over the
    variances, taken at the middles of equal shares of their distributions, of what lies beyond the threshold that
    they make. Student's t, whose power is that of the noncentral t distribution, needs about 5 % less at 4 runs.
    """

    shares = (np.arange(160) + 0.5) / 160
    freedoms = (runs - 1, more_runs - 1)
    variances = [gammaincinv(freedom / 2, shares) / (freedom / 2) for freedom in freedoms]
    ours, theirs = variances[0][:, None] / runs, variances[1][None, :] / more_runs
    share = ours / (ours + theirs)
    freedom = 1 / (share**2 / freedoms[0] + (1 - share) ** 2 / freedoms[1])
    error = math.sqrt(1 / runs + 1 / more_runs)
    threshold = stdtrit(freedom, 1 - level / 2) * np.sqrt(ours + theirs) / error

    def power(shift: float) -> float:
        return float(np.mean(ndtr(shift - threshold) + ndtr(-shift - threshold)))

    low, high = 0.0, 1.0
    while power(high) < POWER:
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < POWER else (low, middle)
    return high * error


def relative(log_ratio: float) -> float:
    """Return a difference of logarithms as a share of the reference; infinite where no float holds it."""
    try:
        return math.expm1(log_ratio)
    except OverflowError:
        return math.inf


def quantile(freedom: float) -> float:
    """Student's t at the upper end of a 95 % interval, with ``freedom`` degrees of freedom."""
    return float(stdtrit(freedom, 1 - LEVEL / 2))
