"""Where a campaign's time would have stood among times of others: pure arithmetic over seconds and dollars.

The board took one run of each entrant. A campaign has several, so two questions are kept apart: whether the recipe has
a time at all (the median of all runs, misses infinite), and which run stands for it (the median successful one, chosen
by the caller). Where the median is infinite there is no place, and what a single run would have made is told as that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.analysis import censored, spread
from bench.analysis.censored import Interval

Entrant = TypeVar("Entrant")
#: Values are compared as whole millionths, a microsecond or a ten thousandth of a cent: what the floats of hours and
#: prices add to a tie is smaller, and nothing on a board is finer.
TIE_DECIMALS = 6


@dataclass(frozen=True)
class Neighbour(Generic[Entrant]):
    """An entrant beside a value: its rank with the value among them all, equal values sharing one."""

    rank: int
    value: float
    entrant: Entrant


@dataclass(frozen=True)
class Place(Generic[Entrant]):
    """A value's place: ``rank`` (1 is best) ``of`` so many, itself included, ``tied`` with so many others.

    ``above`` and ``below`` are all entrants that are better, and that are not, each in the order of the board; a tie
    shares the rank and stands below.
    """

    value: float
    rank: int
    of: int
    tied: int
    above: tuple[Neighbour[Entrant], ...]
    below: tuple[Neighbour[Entrant], ...]

    def around(self, count: int) -> tuple[tuple[Neighbour[Entrant], ...], tuple[Neighbour[Entrant], ...]]:
        """The ``count`` nearest neighbours: half above, half below, and more of one side where the other ends."""
        half = count // 2
        below = min(len(self.below), max(count - half, count - len(self.above)))
        above = min(len(self.above), count - below)
        return self.above[len(self.above) - above :], self.below[:below]


@dataclass(frozen=True)
class Sample:
    """What the planned runs say together; times in seconds on the clock of the headline, by seed, misses infinite.

    ``chosen_seed`` is the run that stands for the campaign, ``best_seed`` the fastest; None where nothing reached the
    target. ``not_counted`` are the seeds that were asked for and have no run that counts: to rates and medians, misses.
    ``stated`` is how many reached the target of how many planned, where that is all that is known of the others.
    """

    seconds_by_seed: Mapping[int, float]
    chosen_seed: int | None
    not_counted: tuple[int, ...] = ()
    stated: tuple[int, int] | None = None

    @property
    def runs(self) -> int:
        """How many count."""
        return len(self.seconds_by_seed)

    @property
    def planned(self) -> int:
        """How many were asked for."""
        return self.runs + len(self.not_counted) if self.stated is None else self.stated[1]

    @property
    def reached(self) -> int:
        return (
            self.stated[0]
            if self.stated is not None
            else sum(math.isfinite(each) for each in self.seconds_by_seed.values())
        )

    @property
    def success_rate(self) -> Interval:
        """Share of the planned runs that reached the target, with Wilson's 95 % interval."""
        return censored.success_rate(self.reached, self.planned)

    def chance_to_beat(self, seconds: float, tries: int = 1) -> float:
        """The chance that the best of ``tries`` further runs is faster than this: luck alone; NaN where the spread of
        the runs is not known.
        """
        reached = [each for each in self.seconds_by_seed.values() if math.isfinite(each)]
        return spread.chance_to_beat(seconds, reached, self.planned, tries)

    @property
    def median_seconds(self) -> float:
        """Of all planned runs, misses included: infinite where half or more of them missed, NaN of no runs and where
        the times of the others are not known.
        """
        if self.stated is not None and self.planned > 1:
            return math.nan if self.has_a_time else math.inf
        return censored.median([*self.seconds_by_seed.values(), *(math.inf for _ in self.not_counted)])

    @property
    def chosen_seconds(self) -> float:
        return math.inf if self.chosen_seed is None else self.seconds_by_seed[self.chosen_seed]

    @property
    def best_seed(self) -> int | None:
        return min(self.seconds_by_seed, key=lambda seed: (self.seconds_by_seed[seed], seed)) if self.reached else None

    @property
    def best_seconds(self) -> float:
        return min(self.seconds_by_seed.values(), default=math.inf)

    @property
    def has_a_time(self) -> bool:
        """Whether the recipe has a time on this machine: more than half of its planned runs reach the target."""
        return 2 * self.reached > self.planned


@dataclass(frozen=True)
class Ranking(Generic[Entrant]):
    """Places of a campaign: on both boards by the run that stands for it, and on the time board by its best run.

    ``time`` and ``cost`` are None without a time, ``cost`` also without a price; ``single`` and ``best`` are the places
    that the chosen run and the fastest would have had alone, None where nothing reached the target.
    """

    sample: Sample
    cost_per_hour_usd: float | None
    time: Place[Entrant] | None
    cost: Place[Entrant] | None
    single: Place[Entrant] | None
    best: Place[Entrant] | None


def rank(
    sample: Sample,
    cost_per_hour_usd: float | None,
    board: Iterable[Entrant],
    seconds_of: Callable[[Entrant], float],
    cost_of: Callable[[Entrant], float | None],
) -> Ranking[Entrant]:
    """The places of a sample on a board whose entrants have a time, and a cost or None, which is no place there.

    ``cost_per_hour_usd`` is of the whole machine, on demand; only the time counted is charged.
    """
    entrants = tuple(board)
    if not sample.reached:
        return Ranking(sample, cost_per_hour_usd, None, None, None, None)
    single = place(sample.chosen_seconds, entrants, seconds_of)
    best = place(sample.best_seconds, entrants, seconds_of)
    cost = None
    if sample.has_a_time and cost_per_hour_usd is not None:
        cost = place(cost_per_hour_usd * sample.chosen_seconds / 3600, entrants, cost_of)
    return Ranking(sample, cost_per_hour_usd, single if sample.has_a_time else None, cost, single, best)


def place(value: float, board: Iterable[Entrant], value_of: Callable[[Entrant], float | None]) -> Place[Entrant]:
    """The place of a finite value among entrants, the lowest first; those without a value are not on this board."""
    if not math.isfinite(value):
        raise ValueError(f"only a finite value has a place, not {value}")
    known = [(its, each) for each in board if (its := value_of(each)) is not None]
    known.sort(key=lambda pair: pair[0])  # stable: equal values stay in the order of the board
    compared, mine = [round(each_value, TIE_DECIMALS) for each_value, _ in known], round(value, TIE_DECIMALS)
    everyone = sorted([*compared, mine])
    standing = [
        Neighbour(everyone.index(each) + 1, each_value, entrant)
        for each, (each_value, entrant) in zip(compared, known, strict=True)
    ]
    better = everyone.index(mine)
    return Place(
        value, better + 1, len(everyone), compared.count(mine), tuple(standing[:better]), tuple(standing[better:])
    )
