"""Is B slower than A? One primary endpoint, fixed-work time, tested; everything else is shown beside it, untested.

**Design.** Runs that alternated are paired by seed where both sides have the same seeds, as they share their minutes;
else all runs of one side stand against all of the other. Where every side has campaigns enough, campaigns are the unit.
**Effect, interval and test** come from one rank procedure (``ranks``, ``effect``), monotone in every time.
**Drift.** Campaigns that were not interleaved may differ by an allowance for no reason of interest (``drift``); it is
part of the test and of the interval, and the answer names it.

**Answer**, one of four: *slower* or *faster*, where the two-sided test says so; *no difference* larger than the
interval's further end, where that end is not beyond the difference of interest; *within drift*, where the runs would
have told either and the allowance does not let them; else *not enough runs*, with about how many would do. Nothing else
decides, so a reader can check it by hand. A gate is the one-sided test, and an estimate above the gate's limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis import config_diff, drift, effect, ranks, spread
from bench.analysis.censored import Interval, mean_seconds, median
from bench.analysis.drift import Allowance, Timing
from bench.analysis.effect import Effect, effect_of, interval_text
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
    """One configuration: its ``name`` in sentences, a ``title`` that tells what it is, and its judged records."""

    name: str
    title: str
    records: tuple[Record, ...]
    work: Work = WHOLE_SCHEDULE
    #: Folders of runs that were begun and of which nothing is known.
    without_events: tuple[str, ...] = ()
    #: The seeds that were asked for, whether they have a run or not.
    plan: tuple[int, ...] = ()
    #: The campaigns that a side of several holds, its records being theirs together.
    campaigns: tuple[Side, ...] = ()
    #: Names the experiment whose other side had its runs between these; empty for a campaign by itself.
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
        """Seeds of the counted runs that stand out; they are told, and stay in."""
        return tuple(self.counted[place].seed for place in spread.outliers(self.seconds))


@dataclass(frozen=True)
class Answer:
    """One of the answers, in a word and in a sentence; ``runs_needed`` a side, where that is the answer, with the ends
    of its 95 % interval, which a spread from so few runs leaves wide.
    """

    kind: str
    sentence: str
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
            parts.append(f"allowance for drift between campaigns {_share(self.allowance.percent)} %, "
                         f"{self.allowance.source}")  # fmt: skip
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
    notes: tuple[str, ...] = ()

    def slower_than(self, percent: float) -> tuple[Versus, ...]:
        """The sides that a gate stops: slower by the one-sided test at 5 %, and by more than this in the estimate."""
        return tuple(
            each
            for each in self.versus
            if each.effect.slower_holm < ranks.LEVEL and each.effect.estimate_percent > percent
        )

    def unable(self) -> tuple[Versus, ...]:
        """The sides that a gate could not have stopped, as they have too few runs."""
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

    ``others`` are campaigns that are not compared, judged: where they repeat a configuration on the machine of a side,
    they tell how far campaigns differ there, else ``allowance_percent`` does. Raises UsageError for fewer than two
    sides, Refused where what they trained is not the same work on the same data (with ``different_work`` only the data
    counts), or where one run stands on two sides.
    """
    if len(sides) < 2:
        raise UsageError("a comparison needs two campaigns; name another folder.")
    _same_work(sides, different_work)
    _no_run_twice(sides)
    designs = [_design(sides[0], side, others, allowance_percent) for side in sides[1:]]
    effects = effect.adjusted(
        [_effect(sides[0], side, design, len(sides) - 1) for side, design in zip(sides[1:], designs, strict=True)]
    )
    versus = tuple(
        Versus(sides[0], side, found, design, answer_to(sides[0], side, found, tell_percent, design))
        for side, found, design in zip(sides[1:], effects, designs, strict=True)
    )
    counted = [side.counted or side.records for side in sides]
    return Comparison(
        tuple(sides),
        sides[0].work,
        tell_percent,
        config_diff.differences(counted),
        versus,
        tuple(_notes(sides, different_work)),
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
            raise Refused(f"{side.name} has no run yet; make some with the command its campaign was begun with.")
    for key, what in (("name", "dataset"), ("sha256", "version of the dataset")):
        known = {str(each.dataset[key]) for side in sides for each in side.records if each.dataset.get(key)}
        if len(known) > 1:
            shown = " and ".join(sorted(value[:12] for value in known))
            raise Refused(f"there is more than one {what}, {shown}: times on different data are not to be compared.")
    for side in sides:
        own = {str(each.recipe["sha256"]) for each in side.records if each.recipe.get("sha256")}
        if len(own) > 1:
            raise Refused(f"the runs of {side.name} are of {len(own)} recipes; name folders that hold one each.")
        if side.work != first.work:
            raise Refused(f"{first.name} timed {first.work} and {side.name} {side.work}: that is not the same work.")
    shas = {str(each.recipe["sha256"]) for side in sides for each in side.records if each.recipe.get("sha256")}
    if len(shas) > 1 and not different_work:
        told = {
            (str(each.recipe.get("name")), str(each.recipe.get("sha256"))[:8])
            for side in sides
            for each in side.records
        }
        names = sorted(" ".join(each) for each in told)
        raise Refused(
            f"the sides trained different recipes ({', '.join(names)}), which is not the same work; `make ablate` "
            "compares recipes, --different-work compares the time of each one's own schedule all the same."
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
                raise Refused(f"the same run, seed {each.seed} of {each.utc}, stands {where}; name another folder.")
            seen[identity] = side.name


def _notes(sides: Sequence[Side], different_work: bool) -> list[str]:
    notes = []
    shas = {each.recipe.get("sha256") for side in sides for each in side.counted}
    if different_work and len(shas) > 1:
        notes.append("the sides trained different recipes: the times are of each one's own schedule, not of one work")
    for side in sides:
        unlike = config_diff.within(side.counted)
        if unlike:
            notes.append(f"the runs of {side.name} differ in {', '.join(unlike)}, so they are no one sample")
        if side.left_out:
            notes.append(f"left out of {side.name}: {', '.join(side.left_out)}")
        if side.suspect:
            notes.append(
                f"{side.suspect} of the {len(side.counted)} runs of {side.name} are suspect, and in all figures"
            )
        if side.outliers:
            seeds = ", ".join(str(seed) for seed in side.outliers)
            notes.append(f"seed {seeds} of {side.name} stands out from the others, and is in all figures")
    names = {each.dataset.get("name") for side in sides for each in side.records}
    if "synthetic" in names:
        notes.append("this is no CIFAR-10 result: it was trained on the built-in stand-in")
    return notes


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


def _by_seed(side: Side) -> dict[int, float]:
    """Logarithms of the times by seed; nothing where a seed is missing or was run twice, as no pair is then sure."""
    seeds = [each.seed for each in side.counted]
    if None in seeds or len(set(seeds)) < len(seeds):
        return {}
    return {seed: math.log(each) for seed, each in zip(seeds, side.seconds, strict=True) if seed is not None}


def answer_to(reference: Side, side: Side, effect: Effect, tell_percent: float, design: Design | None = None) -> Answer:
    """The answer that an effect gives where a difference of ``tell_percent`` is of interest."""
    a, b, between = reference.name, side.name, interval_text(effect)
    made = f" Design: {design}." if design is not None else ""
    if effect.found:
        kind = SLOWER if effect.p_slower < effect.p_faster else FASTER
        return Answer(
            kind,
            f"{b} is {kind} than {a}: it takes {_longer(effect)} ({between}; two-sided p = {effect.p_holm:.2g}).{made}",
        )
    # Rounded up, so that what is said is never less than what was found.
    if effect.furthest_percent <= tell_percent:
        bound = math.ceil(100 * effect.furthest_percent) / 100
        return Answer(NO_DIFFERENCE, f"no difference larger than {bound:.2f} % between {a} and {b} ({between}).{made}")
    bare = effect.bare
    if bare is not None and (bare.found or bare.furthest_percent <= tell_percent):
        return Answer(
            WITHIN_DRIFT,
            f"the difference between {a} and {b} ({_signed(bare)}) cannot be told apart from campaign-to-campaign "
            f"drift ({between}).{made} To find out, run both interleaved (`make ab`), or compare several campaigns a "
            "side.",
        )
    return _too_few(reference, side, effect, tell_percent, between, made, "run" if design is None else design.unit)


def _too_few(
    reference: Side, side: Side, effect: Effect, tell_percent: float, between: str, made: str, unit: str
) -> Answer:
    """Why the runs are not enough, in the order of what has to change first."""
    a, b, paired = reference.name, side.name, effect.design == "paired"
    kind, units = ("campaigns", "campaigns a side") if unit == "campaign" else ("runs", "a side")
    sizes = [len(each.levels if unit == "campaign" else each.counted) for each in (reference, side)]
    if paired:
        sizes, kind, units = [effect.pairs], "pair" if effect.pairs == 1 else "pairs", "pairs"
    begin = f"not enough runs to detect {tell_percent:g} % between {a} and {b}"
    if not effect.answerable:
        counts = f"{' and '.join(map(str, sizes))} {kind}"
        least = _reachable(effect)
        among = f" among {effect.comparisons} comparisons" if effect.comparisons > 1 else ""
        few = (
            f"{begin} ({between}): no two-sided p-value of {counts} reaches 0.05{among}; {least} {units} are the "
            f"least.{made}"
        )
        return Answer(NOT_ENOUGH, few, least)
    least = max(_reachable(effect), min(sizes) + 1)
    needed, low, high = spread.runs_to_tell_interval(
        tell_percent / 100, effect.spread, effect.freedom, paired=paired, least=least
    )
    if needed is None:
        return Answer(NOT_ENOUGH, f"{begin} ({between}); how many would do is not known.{made}")
    until = "more" if high is None else f"{high:,}"
    apart = " if interleaved" if effect.bare is not None else ""
    would = f"about {needed:,} {units} would do{apart} (95 % interval {low:,} to {until})"
    return Answer(NOT_ENOUGH, f"{begin} ({between}); {would}.{made}", needed, low, high)


def _reachable(effect: Effect) -> int:
    """How many pairs, or runs a side, bring the smallest adjusted two-sided p to the level."""
    number = 1
    while True:
        number += 1
        least = ranks.smallest_of_two_samples(number, number)
        if 2 * effect.comparisons * least < ranks.LEVEL:
            return number


def _longer(effect: Effect) -> str:
    if effect.estimate_percent >= 900:
        return f"{1 + effect.estimate_percent / 100:,.1f} times as long"
    return f"{abs(effect.estimate_percent):.2f} % {'longer' if effect.estimate_percent > 0 else 'less time'}"


def _signed(effect: Effect) -> str:
    return f"{effect.estimate_percent:+.2f} % time"


def _share(percent: float) -> str:
    return f"{percent:.2f}".rstrip("0").rstrip(".")
