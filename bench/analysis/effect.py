"""How much longer one side takes than another: effect, interval and test, from the logarithms of their times.

All three come from one rank procedure (``ranks``), so the interval excludes 0 exactly where the two-sided test finds a
difference. An *allowance* is what two campaigns of one configuration may differ by (``drift``): the test then requires
a difference beyond it, and both ends of the interval move out by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.analysis import ranks, welch

SIGNED_RANKS, RANK_SUM = "Wilcoxon signed ranks", "Mann-Whitney"


@dataclass(frozen=True)
class Effect:
    """By how many per cent a side takes longer than the reference; NaN is not known.

    ``design`` is ``paired`` (``pairs`` of one seed) or ``unpaired``, ``test`` the name of the procedure. The interval
    holds with ``confidence_percent``, at least 95, and is NaN (open) where so few runs bound nothing. ``p_slower`` and
    ``p_faster`` are one-sided, ``p_value`` is two-sided; ``slower_holm`` and ``p_holm`` are adjusted for all
    ``comparisons`` with one reference, and decide. ``smallest_p`` is the least one-sided p that so many runs can give.
    ``spread`` is the standard deviation of one run's logarithm, or of the difference within a pair, from ``freedom``
    degrees of freedom. ``allowance_percent`` is in the p-values and the interval; ``bare`` is the effect without it.
    """

    design: str
    pairs: int
    test: str
    estimate_percent: float
    low_percent: float
    high_percent: float
    confidence_percent: float
    p_slower: float
    p_faster: float
    slower_holm: float
    p_holm: float
    smallest_p: float
    spread: float
    freedom: int
    comparisons: int = 1
    allowance_percent: float = 0.0
    bare: Effect | None = None

    @property
    def p_value(self) -> float:
        """Return the unadjusted two-sided p-value."""
        return two_sided(self.p_slower, self.p_faster)

    @property
    def able(self) -> bool:
        """Return whether a one-sided test at 5 % can find it slower: else a gate cannot fail."""
        return self.comparisons * self.smallest_p < ranks.LEVEL

    @property
    def answerable(self) -> bool:
        """Return whether a two-sided test at 5 % can find a difference."""
        return 2 * self.comparisons * self.smallest_p < ranks.LEVEL

    @property
    def found(self) -> bool:
        """Return whether the adjusted two-sided test finds a difference."""
        return self.p_holm < ranks.LEVEL

    @property
    def furthest_percent(self) -> float:
        """The largest difference, to either side, that the interval leaves possible; infinite where it is open."""
        ends = (abs(self.low_percent), abs(self.high_percent))
        return math.inf if any(map(math.isnan, ends)) else max(ends)


def two_sided(slower: float, faster: float) -> float:
    """The two-sided p-value of two one-sided ones; NaN where they are not known."""
    return math.nan if math.isnan(slower) else min(1.0, 2 * min(slower, faster))


def effect_of(
    theirs: Sequence[float],
    ours: Sequence[float],
    paired: bool,
    allowance_percent: float = 0.0,
    comparisons: int = 1,
) -> Effect:
    """The effect from the logarithms of both sides' times; ``paired`` ones stand in the order of their pairs.

    So few pairs that their signs cannot reach the two-sided level (five: 2 / 2^5) have all runs ranked together, which
    finds less, not more, where the runs of a pair are alike.
    """
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)] if paired else []
    signed = signs_suffice(len(gaps), comparisons)
    found = ranks.pairs(gaps) if signed else ranks.two_samples(ours, theirs)
    margin = math.log1p(allowance_percent / 100)
    bounds = found.bounds()
    samples = [each for each in ([gaps] if paired else [theirs, ours]) if len(each) > 1]
    freedom = sum(len(each) - 1 for each in samples)
    pooled = sum(welch.variance(each) * (len(each) - 1) for each in samples)
    slower, faster = found.p_greater(margin), found.p_less(margin)
    effect = Effect(
        "paired" if paired else "unpaired",
        len(gaps),
        SIGNED_RANKS if signed else RANK_SUM,
        100 * welch.relative(found.estimate),
        100 * welch.relative(bounds.low - margin),
        100 * welch.relative(bounds.high + margin),
        bounds.confidence_percent,
        slower,
        faster,
        slower,
        two_sided(slower, faster),
        found.smallest_p,
        math.sqrt(pooled / freedom) if freedom else math.nan,
        freedom,
        comparisons,
        allowance_percent,
    )
    return (
        replace(effect, bare=effect_of(theirs, ours, paired, comparisons=comparisons)) if allowance_percent else effect
    )


def adjusted(effects: Sequence[Effect]) -> list[Effect]:
    """The effects with their p-values adjusted by Holm's method, slower and faster each a family of its own.

    One family of two-sided values would not do: a reference that gets slower makes another side significantly faster,
    which would relax the test of this one.
    """
    slower = welch.holm([each.p_slower for each in effects])
    faster = welch.holm([each.p_faster for each in effects])
    bare = adjusted([each.bare or each for each in effects]) if any(each.bare for each in effects) else effects
    return [
        replace(
            each, slower_holm=one, p_holm=two_sided(one, other),
            bare=without if each.bare else None,
        )
        for each, without, one, other in zip(effects, bare, slower, faster, strict=True)
    ]  # fmt: skip


def signs_suffice(pairs: int, comparisons: int = 1) -> bool:
    """Whether the signs of so many pairs can reach the two-sided level, adjusted for so many comparisons."""
    return pairs > 0 and 2 * comparisons * ranks.smallest_of_pairs(pairs) < ranks.LEVEL
