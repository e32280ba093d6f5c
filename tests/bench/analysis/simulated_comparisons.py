"""False alarms, power and coverage of `bench compare`, simulated: the table is in docs/notebook/measurements.md.

    python -m tests.bench.analysis.simulated_comparisons [TIMES]

prints it as Markdown, from 2,000 simulations a cell and the same seeds at every call. Welch's t test on log time stands
beside it, as the procedure that most readers know.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis import ranks, welch
from bench.analysis.comparison import TELL_PERCENT
from bench.analysis.effect import Effect, effect_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
Random = np.random.Generator
#: Draws the logarithms of both sides' times: reference, side; the spread of one run is about 1 %.
Draw = Callable[[Random, int], tuple[Floats, Floats]]
SPREAD, OUTLIER = 0.01, math.log1p(0.30)
SLOWDOWN_PERCENT = 5.0
TIMES = 2000


def _same(one: Callable[[Random, int], Floats]) -> Draw:
    return lambda random, runs: (one(random, runs), one(random, runs))


def normal(random: Random, runs: int) -> Floats:
    """Independent runs."""
    return random.normal(0, SPREAD, runs)


def heavy(random: Random, runs: int) -> Floats:
    """Student's t with three degrees of freedom, scaled to the same standard deviation."""
    return random.standard_t(3, runs) * SPREAD / math.sqrt(3)


def bimodal(random: Random, runs: int) -> Floats:
    """A clock that is 3 % lower in three runs of ten."""
    return normal(random, runs) + 0.03 * (random.random(runs) < 0.3)


def drifting(random: Random, runs: int) -> Floats:
    """A machine that gets slower by 2 % over the campaign."""
    return normal(random, runs) + np.linspace(0, 0.02, runs)


def _unequal(random: Random, runs: int) -> tuple[Floats, Floats]:
    return normal(random, runs), 3 * normal(random, runs)


def _quantised(random: Random, runs: int) -> tuple[Floats, Floats]:
    return np.round(normal(random, runs), 2), np.round(normal(random, runs), 2)


def _outlier(on_side: float) -> Draw:
    """One run that takes 30 % longer: of the side with a chance of ``on_side``, else of the reference."""

    def draw(random: Random, runs: int) -> tuple[Floats, Floats]:
        theirs, ours = normal(random, runs), normal(random, runs)
        (ours if random.random() < on_side else theirs)[random.integers(runs)] += OUTLIER
        return theirs, ours

    return draw


DRAWS: dict[str, Draw] = {
    "normal": _same(normal),
    "heavy tails (t with 3 degrees of freedom)": _same(heavy),
    "bimodal clock (3 in 10 runs 3 % slower)": _same(bimodal),
    "B spreads three times as far": _unequal,
    "times in steps of 1 %": _quantised,
    "both get slower by 2 % on the way": _same(drifting),
    "one run 30 % slower, of A or B": _outlier(0.5),
    "one run of B 30 % slower": _outlier(1.0),
    "one run of A 30 % slower": _outlier(0.0),
}


@dataclass(frozen=True)
class Cell:
    """Shares of the simulations: stopped by a gate at 0 %, and answered slower or faster, where nothing differs; of
    slowdowns of 5 % those stopped by a gate at 2 %, and its true size inside the interval.
    """

    false_alarms: float
    false_answers: float
    power: float
    coverage: float


def rank(theirs: Floats, ours: Floats, paired: bool) -> Effect:
    """The procedure of `bench compare`."""
    return effect_of(list(theirs), list(ours), paired)


def simulate(draw: Draw, runs: int, paired: bool, times: int, seed: int = 0) -> Cell:
    """The cell of a row, for ``runs`` runs a side."""
    random = np.random.default_rng([seed, runs, paired])
    alarms = answers = found = covered = 0
    truth = math.log1p(SLOWDOWN_PERCENT / 100)
    for _ in range(times):
        theirs, ours = draw(random, runs)
        effect = rank(theirs, ours, paired)
        alarms += effect.slower_holm < ranks.LEVEL and effect.estimate_percent > 0
        answers += effect.found
        slowed = rank(theirs, ours + truth, paired)
        found += slowed.slower_holm < ranks.LEVEL and slowed.estimate_percent > TELL_PERCENT
        # The ends may be of exactly this size where times are in steps, but for their last digits.
        covered += slowed.low_percent - 1e-6 <= SLOWDOWN_PERCENT <= slowed.high_percent + 1e-6
    return Cell(alarms / times, answers / times, found / times, covered / times)


def unequal_sides(times: int, seed: int = 0) -> float:
    """False alarms of the gate at 0 % where ten runs stand against five that spread three times as far."""
    random = np.random.default_rng(seed)
    drawn = ((normal(random, 10), 3 * normal(random, 5)) for _ in range(times))
    return sum(rank(theirs, ours, False).slower_holm < ranks.LEVEL for theirs, ours in drawn) / times


def welch_shares(draw: Draw, runs: int, times: int, seed: int = 0) -> tuple[float, float]:
    """False alarms and power of Welch's one-sided t test at 5 % on the same unpaired draws."""
    random = np.random.default_rng([seed, runs, False])
    alarms = found = 0
    for _ in range(times):
        theirs, ours = draw(random, runs)
        for shift in (0.0, math.log1p(SLOWDOWN_PERCENT / 100)):
            gap = welch.difference(list(ours + shift), list(theirs))
            slower = gap.estimate > 0 and gap.p_value / 2 < ranks.LEVEL
            alarms += slower and not shift
            found += slower and shift > 0 and gap.estimate > math.log1p(TELL_PERCENT / 100)
    return alarms / times, found / times


#: What two campaigns differ in: in words, the standard deviation of a campaign's level, how much slower the second is.
CAMPAIGNS = (("levels spread by 0.5 %", 0.005, 0.0), ("the second is 2 % slower", 0.0, 0.02))


def campaigns(random: Random, runs: int, between: float, drift: float) -> tuple[Floats, Floats]:
    """Two campaigns of one configuration whose runs spread by 0.5 %, that share a level each (``between``, standard
    deviation) and the second of which is slower by ``drift``.
    """
    levels = random.normal(0, between, 2)
    theirs, ours = random.normal(0, 0.005, (2, runs))
    return theirs + levels[0], ours + levels[1] + drift


def false_answers_of_campaigns(between: float, drift: float, runs: int, allowance_percent: float, times: int) -> float:
    """The share of slower or faster where nothing but the campaign differs."""
    random = np.random.default_rng([runs, round(allowance_percent)])
    found = 0
    for _ in range(times):
        theirs, ours = campaigns(random, runs, between, drift)
        found += effect_of(list(theirs), list(ours), False, allowance_percent).found
    return found / times


def rows(times: int) -> Iterator[str]:
    """The table's lines."""
    heads = (
        "wrongly stopped",
        "wrongly slower or faster",
        "5 % stopped",
        "5 % in the interval",
        "Welch's t: wrongly / 5 %",
    )
    yield f"| of {times:,}, in per cent | runs | {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|"
    for name, draw in DRAWS.items():
        for runs, paired in ((5, False), (5, True), (10, False), (10, True)):
            cell = simulate(draw, runs, paired, times)
            shares = (cell.false_alarms, cell.false_answers, cell.power, cell.coverage)
            both = "" if paired else _percents(welch_shares(draw, runs, times), " / ")
            yield f"| {name} | {f'{runs} pairs' if paired else f'{runs} v {runs}'} | {_percents(shares)} | {both} |"
    yield ""
    yield f"10 v 5 runs, B spreads three times as far: wrongly stopped {_percents([unequal_sides(times)])} %."
    yield ""
    yield "| two campaigns, nothing else differs | runs | allowance 0 | allowance 2 % |"
    yield "|---|---|---|---|"
    for name, between, drift in CAMPAIGNS:
        for runs in (5, 10):
            shares = (false_answers_of_campaigns(between, drift, runs, each, times) for each in (0.0, 2.0))
            yield f"| {name} | {runs} v {runs} | {_percents(shares)} |"


def _percents(shares: Iterable[float], between: str = " | ") -> str:
    return between.join(f"{100 * each:.1f}" for each in shares)


if __name__ == "__main__":
    for line in rows(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES):
        print(line, flush=True)
