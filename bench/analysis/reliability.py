"""How often a recipe of this project reaches its target: counted if enough runs are published, else predicted.

Such a recipe has no published result to reproduce. Its rule: published runs of the same network and tricks, at any
length, and a success rate of LEAST_SUCCESS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import bdtr

from bench.analysis import censored
from bench.analysis.epoch_curve import Prediction, Published

#: Published runs of the same network and tricks, at any length, that a default rests on.
LEAST_PUBLISHED = 50
#: From so many runs at its own length on a success rate is counted and not predicted.
LEAST_COUNTED = 40
#: The share of runs that is to reach the target.
LEAST_SUCCESS = 0.98
#: Chance of so few successes, or fewer, below which runs contradict LEAST_SUCCESS (exact binomial, one-sided).
CONTRADICTION = 0.025
PREDICTED, COUNTED = "predicted", "counted"
RULE = (
    f"a default: at least {LEAST_PUBLISHED} published runs of the same network and tricks, a predicted success rate of "
    f"{100 * LEAST_SUCCESS:g} % or more, and no runs that contradict it; counted from {LEAST_COUNTED} runs on"
)


@dataclass(frozen=True)
class Reliability:
    """The success rate of a recipe with its 95 % interval, as shares; ``basis`` is PREDICTED or COUNTED.

    ``reached`` of ``runs`` published here at its own length reached the target; ``published_runs`` of
    ``published_recipe`` are what others published. ``shortfall`` says why it cannot be a default, empty where it can.
    """

    recipe: str
    recipe_sha256: str
    basis: str
    success: float
    success_low: float
    success_high: float
    runs: int
    reached: int
    published_runs: int
    published_recipe: str
    shortfall: str


def texts(share: float, low: float, high: float) -> tuple[str, str]:
    """A success rate and its interval in percent, with one decimal; less than certain is at most 99.9."""
    rate, *ends = (
        f"{100 if each == 1 else min(99.9, 100 * each):.1f}".removesuffix(".0") for each in (share, low, high)
    )
    return f"{rate} %", f"{ends[0]} to {ends[1]} %"


def of(
    name: str, sha256: str, prediction: Prediction, reached: Sequence[bool], published: Sequence[Published]
) -> Reliability:
    """The reliability of a recipe: ``reached`` says of each of its runs whether it reached the target."""
    counted = censored.success_rate(sum(reached), len(reached))
    largest = max(published, key=lambda each: each.n, default=None)
    by_count = len(reached) >= LEAST_COUNTED
    shortfall = ""
    if largest is None or largest.n < LEAST_PUBLISHED:
        shortfall = f"fewer than {LEAST_PUBLISHED} published runs of its network and tricks"
    elif _contradicts(sum(reached), len(reached)):
        shortfall = f"{sum(reached)} of {len(reached)} runs reached the target, fewer than predicted"
    elif not by_count and round(prediction.success, 2) < LEAST_SUCCESS:  # one run moves it by half a point
        shortfall = f"predicted success below {100 * LEAST_SUCCESS:g} %"
    return Reliability(
        recipe=name,
        recipe_sha256=sha256,
        basis=COUNTED if by_count else PREDICTED,
        success=counted.estimate if by_count else prediction.success,
        success_low=counted.low if by_count else prediction.success_low,
        success_high=counted.high if by_count else prediction.success_high,
        runs=len(reached),
        reached=sum(reached),
        published_runs=0 if largest is None else largest.n,
        published_recipe="" if largest is None else largest.recipe,
        shortfall=shortfall,
    )


def _contradicts(reached: int, runs: int) -> bool:
    """Whether so few successes would be a surprise at a success rate of LEAST_SUCCESS."""
    return float(bdtr(reached, runs, LEAST_SUCCESS)) < CONTRADICTION
