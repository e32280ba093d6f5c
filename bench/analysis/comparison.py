"""Is B slower than A? One primary endpoint, fixed-work time, is tested; everything else is shown without a test.

**Design.** Interleaved runs are paired by seed where both sides have the same seeds, as the runs of a pair share the
state of the machine; otherwise all runs of one side are compared with all of the other. Where every side has enough
campaigns, campaigns are the unit.
**Effect, interval and test** come from one rank procedure (``ranks``, ``effect``), monotone in every time.
**Drift.** Campaigns that were not interleaved may differ by an allowance (``drift``), which is part of the test and of
the interval, and is named in the design.

**Answer**: *slower* or *faster*, where the two-sided test finds it; *no difference* larger than the further end of the
interval, where that end is within the difference of interest; *within drift*, where the runs without the allowance
would have given one of these; else *not enough runs*, with about how many are needed. Nothing else decides, so a reader
can check it by hand. A gate is the one-sided test, and an estimate above the gate's limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis import config_diff, drift, effect, ranks, spread
from bench.analysis.censored import Interval, mean_seconds, median
from bench.analysis.drift import Allowance, Timing
from bench.analysis.effect import Effect, effect_of
from bench.analysis.fixed_work import WHOLE_SCHEDULE, Work, left_out
from bench.errors import Refused, UsageError
from bench.record import Record

SLOWER, FASTER = "slower", "faster"
NO_DIFFERENCE = "no difference"
WITHIN_DRIFT = "within drift"
NOT_ENOUGH = "not enough runs"
#: The default difference of interest in per cent.
TELL_PERCENT = 2.0


@dataclass(frozen=True)
class Side:
    """One configuration: a short ``name``, a ``title`` that describes it, and its records with verdicts."""

    name: str
    title: str
    records: tuple[Record, ...]
    work: Work = WHOLE_SCHEDULE
    #: Folders of runs that were started and have no events.
    without_events: tuple[str, ...] = ()
    #: The planned seeds, with or without a run.
    plan: tuple[int, ...] = ()
    #: The campaigns of a side of several; its records are those of all of them.
    campaigns: tuple[Side, ...] = ()
    #: The experiment whose sides were interleaved; empty for a campaign by itself.
    interleaved_in: str = ""

    @cached_property
    def counted(self) -> tuple[Record, ...]:
        """The runs that are compared."""
        return tuple(each for each in self.records if self.work.counts(each) and self.work.seconds(each) is not None)

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """Fixed-work time of each counted run."""
        known = (self.work.seconds(each) for each in self.counted)
        return tuple(each for each in known if each is not None)

    @property
    def mean(self) -> Interval:
        """Geometric mean of these times with its 95 % interval."""
        return mean_seconds(self.seconds)

    @property
    def median_seconds(self) -> float:
        """The median of these times; NaN of none."""
        return median(self.seconds)

    @property
    def levels(self) -> list[float]:
        """The level of each campaign of a side of several that has a run which counts: its median logarithm."""
        found = (drift.level(each.records, each.work) for each in self.campaigns)
        return [each for each in found if each is not None]

    @property
    def left_out(self) -> tuple[str, ...]:
        """The planned runs that are not compared, each with why not."""
        if self.campaigns:
            return tuple(each for campaign in self.campaigns for each in campaign.left_out)
        begun = {
            *(each.seed for each in self.records),
            *(int(name.removeprefix("seed-")) for name in self.without_events),
        }
        return (
            *left_out(self.records, self.work),
            *(f"{name} (no events)" for name in self.without_events),
            *(f"seed {seed} (no run)" for seed in self.plan if seed not in begun),
        )

    @property
    def suspect(self) -> int:
        """How many of the counted runs are suspect."""
        return sum(each.verdict is not None and each.verdict.level == "suspect" for each in self.counted)

    @property
    def outliers(self) -> tuple[int | None, ...]:
        """Seeds of the counted runs that are outliers; they are included."""
        return tuple(self.counted[place].seed for place in spread.outliers(self.seconds))


@dataclass(frozen=True)
class Answer:
    """One of the answers; where runs are missing, how many per side are needed, and the ends of its 95 % interval."""

    kind: str
    runs_needed: int | None = None
    runs_needed_low: int | None = None
    runs_needed_high: int | None = None


@dataclass(frozen=True)
class Design:
    """How two sides were made and are compared: ``unit`` is what is ranked, a `run` or a `campaign`."""

    timing: Timing
    allowance: Allowance | None = None
    unit: str = "run"

    def __str__(self) -> str:
        """The design in words: what a reader has to know to believe the answer."""
        parts = [str(self.timing)]
        if self.unit == "campaign":
            parts.append("each campaign one value")
        if self.allowance is not None:
            percent = f"{self.allowance.percent:.2f}".rstrip("0").rstrip(".")
            parts.append(f"allowance for drift between campaigns {percent} %, {self.allowance.source}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Versus:
    """A side against the reference."""

    reference: Side
    side: Side
    effect: Effect
    design: Design
    answer: Answer


@dataclass(frozen=True)
class Comparison:
    """The sides, the first being the reference, what differs between them, and each against the reference."""

    sides: tuple[Side, ...]
    work: Work
    tell_percent: float
    config_diff: tuple[config_diff.Difference, ...]
    versus: tuple[Versus, ...]

    def slower_than(self, percent: float) -> tuple[Versus, ...]:
        """Return the sides that fail a gate, slower by the one-sided test at 5 % and, estimated, by more than this."""
        return tuple(
            each
            for each in self.versus
            if each.effect.slower_holm < ranks.LEVEL and each.effect.estimate_percent > percent
        )

    def unable(self) -> tuple[Versus, ...]:
        """Return the sides that have too few runs to fail a gate."""
        return tuple(each for each in self.versus if not each.effect.able)


def compare(
    sides: Sequence[Side],
    tell_percent: float = TELL_PERCENT,
    *,
    different_work: bool = False,
    allowance_percent: float = drift.ALLOWANCE_PERCENT,
    others: Sequence[Sequence[Record]] = (),
) -> Comparison:
    """Compare each side with the first.

    ``others`` are further campaigns, with verdicts: if they repeat a configuration on the machine of a side, the
    allowance is measured from them, else it is ``allowance_percent``. Raises UsageError for fewer than two sides,
    Refused if what they trained is not the same work on the same data (with ``different_work`` only the data counts),
    or if one run is on two sides.
    """
    if len(sides) < 2:
        raise UsageError("a comparison needs two campaigns", "name another folder")
    _same_work(sides, different_work)
    _no_run_twice(sides)
    designs = [_design(sides[0], side, others, allowance_percent) for side in sides[1:]]
    effects = effect.adjusted(
        [_effect(sides[0], side, design, len(sides) - 1) for side, design in zip(sides[1:], designs, strict=True)]
    )
    versus = tuple(
        Versus(sides[0], side, found, design, answer_to(found, tell_percent, _sizes(sides[0], side, found, design)))
        for side, found, design in zip(sides[1:], effects, designs, strict=True)
    )
    counted = [side.counted or side.records for side in sides]
    return Comparison(
        tuple(sides),
        sides[0].work,
        tell_percent,
        config_diff.differences(counted),
        versus,
    )


def _design(reference: Side, side: Side, others: Sequence[Sequence[Record]], stated_percent: float) -> Design:
    together = reference.interleaved_in != "" and reference.interleaved_in == side.interleaved_in
    timing = drift.timing(reference.records, side.records, together)
    if timing.interleaved:
        return Design(timing)
    campaigns = len(reference.levels), len(side.levels)
    if min(campaigns) > 0 and 2 * ranks.smallest_of_two_samples(*campaigns) < ranks.LEVEL:
        return Design(timing, unit="campaign")
    found = drift.allowance([reference.records, side.records], side.work, others, stated_percent)
    return Design(timing, found)


def _same_work(sides: Sequence[Side], different_work: bool) -> None:
    first = sides[0]
    for side in sides:
        if not side.records:
            raise Refused(f"{side.name} has no run yet", "make some with the command its campaign was begun with")
    for key, what in (("name", "dataset"), ("sha256", "version of the dataset")):
        known = {str(each.dataset[key]) for side in sides for each in side.records if each.dataset.get(key)}
        if len(known) > 1:
            shown = " and ".join(sorted(value[:12] for value in known))
            raise Refused(f"there is more than one {what}, {shown}: times on different data are not to be compared.")
    for side in sides:
        own = {str(each.recipe["sha256"]) for each in side.records if each.recipe.get("sha256")}
        if len(own) > 1:
            raise Refused(f"the runs of {side.name} are of {len(own)} recipes", "name folders that hold one each")
        if side.work != first.work:
            raise Refused(f"{first.name} timed {first.work} and {side.name} {side.work}: that is not the same work.")
    shas = {str(each.recipe["sha256"]) for side in sides for each in side.records if each.recipe.get("sha256")}
    if len(shas) > 1 and not different_work:
        recipes = {
            (str(each.recipe.get("name")), str(each.recipe.get("sha256"))[:8])
            for side in sides
            for each in side.records
        }
        names = sorted(" ".join(each) for each in recipes)
        raise Refused(
            f"the sides trained different recipes ({', '.join(names)}), which is not the same work",
            "`make ablate` compares recipes, --different-work compares the time of each one's own schedule all the "
            "same",
        )


def _no_run_twice(sides: Sequence[Side]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for side in sides:
        for each in side.records:
            identity = drift.identity(each)
            if identity is None:
                continue
            if identity in seen:
                where = (
                    f"on {seen[identity]} and on {side.name}"
                    if seen[identity] != side.name
                    else f"twice on {side.name}"
                )
                raise Refused(f"the same run, seed {each.seed} of {each.utc}, is {where}", "name another folder")
            seen[identity] = side.name


def _effect(reference: Side, side: Side, design: Design, comparisons: int) -> Effect:
    if design.unit == "campaign":
        return effect_of(reference.levels, side.levels, False, comparisons=comparisons)
    allowed = 0.0 if design.allowance is None else design.allowance.percent
    theirs, ours = (_by_seed(each) if design.timing.interleaved else {} for each in (reference, side))
    shared = [seed for seed in theirs if seed in ours]
    if shared and len(shared) == len(reference.counted) == len(side.counted):
        return effect_of([theirs[seed] for seed in shared], [ours[seed] for seed in shared], True, allowed, comparisons)
    one, other = ([math.log(each) for each in which.seconds] for which in (reference, side))
    return effect_of(one, other, False, allowed, comparisons)


def _sizes(reference: Side, side: Side, effect: Effect, design: Design) -> list[int]:
    if effect.design == "paired":
        return [effect.pairs]
    return [len(each.levels if design.unit == "campaign" else each.counted) for each in (reference, side)]


def _by_seed(side: Side) -> dict[int, float]:
    """Logarithms of the times by seed; nothing where a seed is missing or was run twice, as no pair is then sure."""
    seeds = [each.seed for each in side.counted]
    if None in seeds or len(set(seeds)) < len(seeds):
        return {}
    return {seed: math.log(each) for seed, each in zip(seeds, side.seconds, strict=True) if seed is not None}


def answer_to(effect: Effect, tell_percent: float, sizes: Sequence[int] = ()) -> Answer:
    """Return the answer of an effect if a difference of ``tell_percent`` is of interest.

    ``sizes`` are the numbers of pairs, runs or campaigns that were compared.
    """
    if effect.found:
        return Answer(SLOWER if effect.p_slower < effect.p_faster else FASTER)
    if effect.furthest_percent <= tell_percent:
        return Answer(NO_DIFFERENCE)
    bare = effect.bare
    if bare is not None and (bare.found or bare.furthest_percent <= tell_percent):
        return Answer(WITHIN_DRIFT)
    least = _reachable(effect)
    if not effect.answerable:
        return Answer(NOT_ENOUGH, least)
    least = max(least, min(sizes, default=0) + 1)
    paired = effect.design == "paired"
    needed = spread.runs_to_detect_interval(
        tell_percent / 100, effect.spread, effect.freedom, paired=paired, least=least
    )
    return Answer(NOT_ENOUGH) if needed[0] is None else Answer(NOT_ENOUGH, *needed)


def _reachable(effect: Effect) -> int:
    """How many pairs, or runs a side, bring the smallest adjusted two-sided p to the level."""
    number = 1
    while True:
        number += 1
        least = ranks.smallest_of_two_samples(number, number)
        if 2 * effect.comparisons * least < ranks.LEVEL:
            return number
