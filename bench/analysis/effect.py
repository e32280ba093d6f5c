"""How much longer one side takes than another: effect, interval and test, from the logarithms of their times."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.analysis import permutation, welch
from bench.analysis.censored import Interval


@dataclass(frozen=True)
class Effect:
    """By how many per cent a side takes longer than the reference, its 95 % interval, and the test; NaN is not known.

    ``design`` is ``paired`` (``pairs`` of one seed) or ``unpaired``; ``relabelled`` says that the test relabelled all
    runs. ``spread`` is of one run's logarithm, or of the difference within a pair. ``p_holm`` is adjusted for all the
    comparisons with one reference, and is what decides. ``smallest_p`` is the least, so adjusted, that so many runs can
    give; NaN where there are too few for a test.
    """

    design: str
    pairs: int
    estimate_percent: float
    low_percent: float
    high_percent: float
    p_value: float
    p_holm: float
    smallest_p: float
    relabelled: bool
    spread: float

    @property
    def able(self) -> bool:
        """A difference could have been found: there is an interval, and the test can reach the level."""
        return math.isfinite(self.low_percent) and math.isfinite(self.high_percent) and self.smallest_p < welch.LEVEL

    @property
    def furthest_percent(self) -> float:
        """The largest difference, to either side, that the interval leaves possible."""
        return max(abs(self.low_percent), abs(self.high_percent))


def effect_of(theirs: list[float], ours: list[float], paired: bool) -> Effect:
    """The effect from the logarithms of both sides' times; ``paired`` ones stand in the order of their pairs."""
    return _paired(theirs, ours) if paired else _unpaired(theirs, ours)


def _paired(theirs: list[float], ours: list[float]) -> Effect:
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    found, number = welch.mean(gaps), len(gaps)
    deviation = math.sqrt(welch.variance(gaps)) if number > 1 else math.nan
    # As in ``welch.difference``: what agrees to the last digit does not tell how far it would lie apart.
    if deviation <= 1e-12:
        found = Interval(found.estimate, math.nan, math.nan)
    relabelled = number < permutation.LEAST_PAIRS
    p_value = smallest = math.nan
    if number >= permutation.LEAST_RUNS and relabelled:
        p_value, smallest = permutation.two_samples(ours, theirs), permutation.smallest_of_two_samples(number, number)
    elif number >= permutation.LEAST_RUNS:
        p_value, smallest = permutation.pairs(gaps), permutation.smallest_of_pairs(number)
    return _in_percent("paired", number, found, (p_value, smallest), relabelled, deviation)


def _unpaired(theirs: list[float], ours: list[float]) -> Effect:
    gap = welch.difference(ours, theirs)
    least = min(len(theirs), len(ours))
    p_value = smallest = math.nan
    if least >= permutation.LEAST_RUNS:
        p_value = permutation.two_samples(ours, theirs)
        smallest = permutation.smallest_of_two_samples(len(ours), len(theirs))
    sides = [each for each in (theirs, ours) if len(each) > 1]
    deviation = math.nan
    if sides:  # One run's, from every side that can tell it.
        freedom = sum(len(each) - 1 for each in sides)
        deviation = math.sqrt(sum(welch.variance(each) * (len(each) - 1) for each in sides) / freedom)
    return _in_percent("unpaired", 0, Interval(gap.estimate, gap.low, gap.high), (p_value, smallest), True, deviation)


def _in_percent(
    design: str, pairs: int, found: Interval, chances: tuple[float, float], relabelled: bool, deviation: float
) -> Effect:
    estimate, low, high = (_percent(each) for each in (found.estimate, found.low, found.high))
    p_value, smallest = chances
    return Effect(design, pairs, estimate, low, high, p_value, p_value, smallest, relabelled, deviation)


def _percent(log_ratio: float) -> float:
    try:
        return 100 * math.expm1(log_ratio)
    except OverflowError:
        return math.inf


def interval_text(effect: Effect) -> str:
    """The interval in words, in per cent or, of sides that are worlds apart, as factors."""
    if not math.isfinite(effect.low_percent) or not math.isfinite(effect.high_percent):
        return "no interval"
    if effect.low_percent >= 900:
        low, high = (1 + each / 100 for each in (effect.low_percent, effect.high_percent))
        return f"95 % interval {low:,.0f} to {high:,.0f} times as long"
    return f"95 % interval {effect.low_percent:+.2f} to {effect.high_percent:+.2f} %"
