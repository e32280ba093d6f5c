"""How far runs lie apart, and what follows: which stand out, and how many show a difference.

Times are compared by their logarithms: they spread by factors, and a difference of 1 % means the same at any speed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from scipy.special import gammaincinv, stdtrit

from bench.analysis import welch

#: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993): an outlier where the modified z-score is above.
THRESHOLD = 3.5
#: The median absolute deviation of a normal distribution, in standard deviations.
_SCALE = 0.6745
#: Fewer values than this have no spread that one of them could lie outside of.
LEAST_VALUES = 4
#: Above this the number of runs is not given.
MOST_RUNS = 100_000


def modified_z_score(value: float, sample: Sequence[float]) -> float:
    """Return a value's distance from the sample's median in units of a robust spread; infinite without spread."""
    return _z_score(value, *_middle_and_spread(sample))


def _middle_and_spread(sample: Sequence[float]) -> tuple[float, float]:
    middle = median(sample)
    return middle, median(abs(each - middle) for each in sample)


def _z_score(value: float, middle: float, spread: float) -> float:
    if spread == 0:
        return 0.0 if value == middle else float("inf")
    return _SCALE * abs(value - middle) / spread


def outliers(seconds: Sequence[float | None]) -> tuple[int, ...]:
    """Return the indices of outliers, to either side; they are reported and never dropped.

    Unknown and infinite times are no part of it. Times that agree to a thousandth never stand out: of runs that hardly
    spread, a nearest neighbour would.
    """
    known = [(place, math.log(each)) for place, each in enumerate(seconds) if each is not None and 0 < each < math.inf]
    if len(known) < LEAST_VALUES:
        return ()
    middle, spread = _middle_and_spread([each for _, each in known])
    return tuple(
        place for place, each in known if abs(each - middle) > 1e-3 and _z_score(each, middle, spread) > THRESHOLD
    )


def relative(seconds: Sequence[float]) -> float:
    """The standard deviation of one run's time as a share of it, from its logarithm; NaN below two finite times."""
    logs = [math.log(each) for each in seconds if 0 < each < math.inf]
    return math.sqrt(welch.variance(logs)) if len(logs) > 1 else math.nan


def runs_to_detect(share: float, spread: float, paired: bool = False, least: int = 2) -> int | None:
    """Runs a side (or pairs) with which a comparison finds a true difference of ``share`` in 80 % of all cases.

    ``spread`` is the standard deviation of one run's logarithm, or of the difference within a pair. None where it is
    not known, or more than MOST_RUNS. Student's t for both errors (P. Armitage and G. Berry, Statistical Methods in
    Medical Research, 1994, section 6.6), within a run of the exact power from five runs on.
    """
    if not math.isfinite(spread) or not 0 < share < math.inf:
        return None

    target, sides = math.log1p(share), 1 if paired else 2

    def suffices(runs: int) -> bool:
        freedom = sides * (runs - 1)
        quantiles = float(stdtrit(freedom, 1 - welch.LEVEL / 2)) + float(stdtrit(freedom, welch.POWER))
        return quantiles * spread * math.sqrt(sides / runs) <= target

    low, high = max(least, 2) - 1, max(least, 2)
    while not suffices(high):
        low, high = high, 2 * high
        if low > MOST_RUNS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def runs_to_detect_interval(
    share: float, spread: float, freedom: int, *, paired: bool = False, least: int = 2
) -> tuple[int | None, int | None, int | None]:
    """``runs_to_detect`` with the ends of its 95 % interval.

    The spread is an estimate from ``freedom`` degrees of freedom, whose chi-square interval bounds the number: of five
    runs there is a factor of 20 between the ends, as so few runs hardly know their spread. An end is None where it is
    above MOST_RUNS, all three where the spread is not known.
    """
    if freedom < 1 or not math.isfinite(spread):
        return None, None, None

    factors = [math.sqrt(freedom / (2 * float(gammaincinv(freedom / 2, each)))) for each in (0.975, 0.025)]
    middle, low, high = (runs_to_detect(share, spread * factor, paired, least) for factor in (1.0, *factors))
    return middle, low, high
