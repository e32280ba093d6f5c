"""Is B slower than A? One primary endpoint, fixed-work time, tested; everything else is shown beside it, untested.

**Design.** Runs are paired by seed where both sides have the same seeds, or share at least LEAST_PAIRS of them; else
all runs of one side stand against all of the other. **Effect**: the ratio of the geometric means, as per cent by which
B takes longer. **Interval**: Student's t on the differences of logarithms within pairs, or Welch's on the logarithms.
**Test**: exact permutation (``permutation``). Flipping the signs of four or five pairs can never reach the 5 % level,
so there all runs are relabelled, which finds less, not more, where the runs of a pair are alike in what they share.

**Answer**, one of three: *slower* or *faster*, where the test and the interval both say so; *no difference* larger
than the interval's further end, where that end is not beyond what was to be told; else *not enough runs*, with how
many would do. Nothing else decides, so a reader can check it by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.analysis import differing, permutation, spread, welch
from bench.analysis.censored import Interval, mean_seconds
from bench.analysis.fixed_work import WHOLE_SCHEDULE, Work, left_out
from bench.errors import Refused, UsageError
from bench.record import Record

SLOWER, FASTER = "slower", "faster"
NO_DIFFERENCE = "no difference"
NOT_ENOUGH = "not enough runs"
#: Unless told otherwise, a difference in per cent that is worth telling.
TELL_PERCENT = 2.0


@dataclass(frozen=True)
class Side:
    """One configuration: its ``name`` in sentences, a ``title`` that tells what it is, and its judged records."""

    name: str
    title: str
    records: tuple[Record, ...]
    work: Work = WHOLE_SCHEDULE

    @cached_property
    def counted(self) -> tuple[Record, ...]:
        """The runs that are compared."""
        return tuple(each for each in self.records if self.work.counts(each) and self.work.seconds(each) is not None)

    @cached_property
    def seconds(self) -> tuple[float, ...]:
        """Fixed-work time of each counted run."""
        return tuple(self.work.seconds(each) or math.nan for each in self.counted)

    @property
    def mean(self) -> Interval:
        """Geometric mean of these times with its 95 % interval."""
        return mean_seconds(self.seconds)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The runs that are not compared, each with why not."""
        return left_out(self.records, self.work)

    @property
    def suspect(self) -> int:
        """How many of the counted runs are suspect."""
        return sum(each.verdict is not None and each.verdict.level == "suspect" for each in self.counted)

    @property
    def outliers(self) -> tuple[int | None, ...]:
        """Seeds of the counted runs that stand out; they are told, and stay in."""
        return tuple(self.counted[place].seed for place in spread.outliers(self.seconds))


@dataclass(frozen=True)
class Effect:
    """By how many per cent a side takes longer than the reference, its 95 % interval, and the test; NaN is not known.

    ``design`` is ``paired`` (``pairs`` of one seed) or ``unpaired``; ``relabelled`` says that the test relabelled all
    runs. ``spread`` is of one run's logarithm, or of the difference within a pair. ``p_holm`` is adjusted for all the
    comparisons with one reference, and is what decides.
    """

    design: str
    pairs: int
    estimate_percent: float
    low_percent: float
    high_percent: float
    p_value: float
    p_holm: float
    relabelled: bool
    spread: float

    @property
    def furthest_percent(self) -> float:
        """The largest difference, to either side, that the interval leaves possible."""
        return max(abs(self.low_percent), abs(self.high_percent))


@dataclass(frozen=True)
class Answer:
    """One of the three answers, in a word and in a sentence; ``runs_needed`` a side, where that is the answer."""

    kind: str
    sentence: str
    runs_needed: int | None = None


@dataclass(frozen=True)
class Versus:
    """A side against the reference."""

    reference: Side
    side: Side
    effect: Effect
    answer: Answer


@dataclass(frozen=True)
class Comparison:
    """The sides, the first being the reference, what differs between them, and each against the reference."""

    sides: tuple[Side, ...]
    work: Work
    tell_percent: float
    differing: tuple[differing.Difference, ...]
    versus: tuple[Versus, ...]
    notes: tuple[str, ...] = ()

    def slower_than(self, percent: float) -> tuple[Versus, ...]:
        """The sides that a gate stops: found slower, and by more than this in the estimate."""
        return tuple(
            each for each in self.versus if each.answer.kind == SLOWER and each.effect.estimate_percent > percent
        )

    def unable(self) -> tuple[Versus, ...]:
        """The sides with so few runs that no difference could have been found: a gate that cannot fail is none."""
        return tuple(each for each in self.versus if math.isnan(each.effect.p_value))


def compare(sides: Sequence[Side], tell_percent: float = TELL_PERCENT, *, different_work: bool = False) -> Comparison:
    """Compare each side with the first.

    Raises UsageError for fewer than two sides, Refused where what they trained is not the same work on the same data
    (with ``different_work`` only the data counts), or where one run stands on two sides.
    """
    if len(sides) < 2:
        raise UsageError("a comparison needs two campaigns; name another folder.")
    _same_work(sides, different_work)
    _no_run_twice(sides)
    effects = [_effect(sides[0], side) for side in sides[1:]]
    adjusted = welch.holm([each.p_value for each in effects])
    effects = [replace(each, p_holm=p_holm) for each, p_holm in zip(effects, adjusted, strict=True)]
    versus = tuple(
        Versus(sides[0], side, effect, answer_to(sides[0], side, effect, tell_percent))
        for side, effect in zip(sides[1:], effects, strict=True)
    )
    counted = [side.counted or side.records for side in sides]
    return Comparison(
        tuple(sides), sides[0].work, tell_percent, differing.differences(counted), versus, tuple(_notes(sides))
    )


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
        names = sorted({str(each.recipe.get("name")) for side in sides for each in side.records})
        raise Refused(
            f"the sides trained different recipes ({', '.join(names)}), which is not the same work; `make ablate` "
            "compares recipes, --different-work compares the time of each one's own schedule all the same."
        )


def _no_run_twice(sides: Sequence[Side]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for side in sides:
        for each in side.records:
            if each.spawned_ns is None or each.utc is None:
                continue
            identity = (each.seed, each.utc, each.spawned_ns, each.exited_ns)
            if identity in seen:
                where = (
                    f"on {seen[identity]} and on {side.name}"
                    if seen[identity] != side.name
                    else f"twice on {side.name}"
                )
                raise Refused(f"the same run, seed {each.seed} of {each.utc}, stands {where}; name another folder.")
            seen[identity] = side.name


def _notes(sides: Sequence[Side]) -> list[str]:
    notes = []
    for side in sides:
        unlike = differing.within(side.counted)
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


def _effect(reference: Side, side: Side) -> Effect:
    theirs, ours = _by_seed(reference), _by_seed(side)
    shared = [seed for seed in theirs if seed in ours]
    all_shared = len(shared) == len(reference.counted) == len(side.counted) and bool(shared)
    if all_shared or len(shared) >= permutation.LEAST_PAIRS:
        return effect_of([theirs[seed] for seed in shared], [ours[seed] for seed in shared], paired=True)
    return effect_of(list(map(math.log, reference.seconds)), list(map(math.log, side.seconds)), paired=False)


def effect_of(theirs: list[float], ours: list[float], paired: bool) -> Effect:
    """The effect from the logarithms of both sides' times; ``paired`` ones stand in the order of their pairs."""
    return _paired(theirs, ours) if paired else _unpaired(theirs, ours)


def _by_seed(side: Side) -> dict[int, float]:
    """Logarithms of the times by seed; nothing where a seed is missing or was run twice, as no pair is then sure."""
    seeds = [each.seed for each in side.counted]
    if None in seeds or len(set(seeds)) < len(seeds):
        return {}
    return {seed: math.log(each) for seed, each in zip(seeds, side.seconds, strict=True) if seed is not None}


def _paired(theirs: list[float], ours: list[float]) -> Effect:
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    found, number = welch.mean(gaps), len(gaps)
    deviation = math.sqrt(welch.variance(gaps)) if number > 1 else math.nan
    relabelled = number < permutation.LEAST_PAIRS
    p_value = math.nan
    if number >= permutation.LEAST_RUNS:
        p_value = permutation.two_samples(ours, theirs) if relabelled else permutation.pairs(gaps)
    return _in_percent("paired", number, found, p_value, relabelled, deviation)


def _unpaired(theirs: list[float], ours: list[float]) -> Effect:
    gap = welch.difference(ours, theirs)
    least = min(len(theirs), len(ours))
    p_value = permutation.two_samples(ours, theirs) if least >= permutation.LEAST_RUNS else math.nan
    sides = [each for each in (theirs, ours) if len(each) > 1]
    deviation = math.nan
    if sides:  # One run's, from every side that can tell it.
        freedom = sum(len(each) - 1 for each in sides)
        deviation = math.sqrt(sum(welch.variance(each) * (len(each) - 1) for each in sides) / freedom)
    return _in_percent("unpaired", 0, Interval(gap.estimate, gap.low, gap.high), p_value, True, deviation)


def _in_percent(design: str, pairs: int, found: Interval, p_value: float, relabelled: bool, deviation: float) -> Effect:
    estimate, low, high = (_percent(each) for each in (found.estimate, found.low, found.high))
    return Effect(design, pairs, estimate, low, high, p_value, p_value, relabelled, deviation)


def _percent(log_ratio: float) -> float:
    try:
        return 100 * math.expm1(log_ratio)
    except OverflowError:
        return math.inf


def answer_to(reference: Side, side: Side, effect: Effect, tell_percent: float) -> Answer:
    """The answer that an effect gives where a difference of ``tell_percent`` was to be told."""
    a, b, between = reference.name, side.name, interval_text(effect)
    apart = effect.low_percent > 0 or effect.high_percent < 0
    if apart and effect.p_holm < welch.LEVEL:
        kind = SLOWER if effect.estimate_percent > 0 else FASTER
        return Answer(kind, f"{b} is {kind} than {a}: it takes {_longer(effect)} ({between}; p = {effect.p_holm:.2g}).")
    furthest = effect.furthest_percent
    if not math.isnan(effect.p_value) and furthest <= tell_percent:
        # Rounded up, so that what is said is never less than what was found.
        bound = math.ceil(100 * furthest) / 100
        return Answer(NO_DIFFERENCE, f"no difference larger than {bound:.2f} % between {a} and {b} ({between}).")
    least = permutation.LEAST_RUNS
    paired = effect.design == "paired"
    needed = spread.runs_to_tell(tell_percent / 100, effect.spread, paired, least)
    begin = f"not enough runs to tell {tell_percent:g} % between {a} and {b} ({between})"
    if min(len(reference.counted), len(side.counted)) < least:
        have = f"{len(reference.counted)} and {len(side.counted)} count, and a test takes {least} a side"
        return Answer(NOT_ENOUGH, f"{begin}: {have}{_would(needed, paired, least)}.", needed)
    return Answer(NOT_ENOUGH, f"{begin}{_would(needed, paired, least)}.", needed)


def _would(needed: int | None, paired: bool, least: int) -> str:
    if needed is None:
        return "; how many would do is not known"
    return "" if needed <= least else f"; about {needed:,} {'pairs' if paired else 'a side'} would do"


def _longer(effect: Effect) -> str:
    if effect.estimate_percent >= 900:
        return f"{1 + effect.estimate_percent / 100:,.1f} times as long"
    return f"{abs(effect.estimate_percent):.2f} % {'longer' if effect.estimate_percent > 0 else 'less time'}"


def interval_text(effect: Effect) -> str:
    """The interval in words, in per cent or, of sides that are worlds apart, as factors."""
    if not math.isfinite(effect.low_percent) or not math.isfinite(effect.high_percent):
        return "no interval"
    if effect.low_percent >= 900:
        low, high = (1 + each / 100 for each in (effect.low_percent, effect.high_percent))
        return f"95 % interval {low:,.0f} to {high:,.0f} times as long"
    return f"95 % interval {effect.low_percent:+.2f} to {effect.high_percent:+.2f} %"
