"""Is B slower than A? One primary endpoint, fixed-work time, tested; everything else is shown beside it, untested.

**Design.** Runs are paired by seed where both sides have the same seeds; else all runs of one side stand against all
of the other, as pairs alone would leave runs out. **Effect**: the ratio of the geometric means, as per cent by which B
takes longer. **Interval**: Student's t on the differences of logarithms within pairs, or Welch's on the logarithms.
**Test**: permutation (``permutation``), exact up to 10 + 10 runs. Flipping the signs of four or five pairs can never
reach the 5 % level, so there all runs are relabelled, which finds less, not more, where the runs of a pair are alike in
what they share.

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
from bench.analysis.effect import Effect, effect_of, interval_text
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
    #: Folders of runs that were begun and of which nothing is known.
    without_events: tuple[str, ...] = ()

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
    def left_out(self) -> tuple[str, ...]:
        """The runs that are not compared, each with why not."""
        return (*left_out(self.records, self.work), *(f"{name} (no events)" for name in self.without_events))

    @property
    def timed_out(self) -> tuple[int | None, ...]:
        """Seeds whose run was ended because it took too long: perhaps the slow ones."""
        return tuple(each.seed for each in self.records if each.status == "timed_out")

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
        """The sides of which no difference could have been found: a gate that cannot fail is none."""
        return tuple(each for each in self.versus if not each.effect.able)


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
    effects = [
        replace(each, p_holm=p_holm, smallest_p=min(1.0, len(effects) * each.smallest_p))
        for each, p_holm in zip(effects, adjusted, strict=True)
    ]
    versus = tuple(
        Versus(sides[0], side, effect, answer_to(sides[0], side, effect, tell_percent))
        for side, effect in zip(sides[1:], effects, strict=True)
    )
    counted = [side.counted or side.records for side in sides]
    return Comparison(
        tuple(sides),
        sides[0].work,
        tell_percent,
        differing.differences(counted),
        versus,
        tuple(_notes(sides, different_work)),
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
            if each.spawned_ns is None or each.utc is None:
                continue
            # Whatever seed it says it has: two processes never begin and end in the same nanoseconds.
            identity = (each.utc, each.spawned_ns, each.exited_ns)
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
    if shared and len(shared) == len(reference.counted) == len(side.counted):
        return effect_of([theirs[seed] for seed in shared], [ours[seed] for seed in shared], paired=True)
    return effect_of(list(map(math.log, reference.seconds)), list(map(math.log, side.seconds)), paired=False)


def _by_seed(side: Side) -> dict[int, float]:
    """Logarithms of the times by seed; nothing where a seed is missing or was run twice, as no pair is then sure."""
    seeds = [each.seed for each in side.counted]
    if None in seeds or len(set(seeds)) < len(seeds):
        return {}
    return {seed: math.log(each) for seed, each in zip(seeds, side.seconds, strict=True) if seed is not None}


def answer_to(reference: Side, side: Side, effect: Effect, tell_percent: float) -> Answer:
    """The answer that an effect gives where a difference of ``tell_percent`` was to be told."""
    a, b, between = reference.name, side.name, interval_text(effect)
    apart = effect.low_percent > 0 or effect.high_percent < 0
    if apart and effect.p_holm < welch.LEVEL:
        kind = SLOWER if effect.estimate_percent > 0 else FASTER
        return Answer(kind, f"{b} is {kind} than {a}: it takes {_longer(effect)} ({between}; p = {effect.p_holm:.2g}).")
    furthest = effect.furthest_percent
    if effect.able and furthest <= tell_percent:
        # Rounded up, so that what is said is never less than what was found.
        bound = math.ceil(100 * furthest) / 100
        return Answer(NO_DIFFERENCE, f"no difference larger than {bound:.2f} % between {a} and {b} ({between}).")
    begin = f"not enough runs to tell {tell_percent:g} % between {a} and {b} ({between})"
    return _too_few(reference, side, effect, tell_percent, begin)


def _too_few(reference: Side, side: Side, effect: Effect, tell_percent: float, begin: str) -> Answer:
    """Why the runs are not enough, in the order of what has to change first."""
    ours, theirs, paired = len(reference.counted), len(side.counted), effect.design == "paired"
    if min(ours, theirs) < permutation.LEAST_RUNS:
        least = permutation.LEAST_RUNS
        return Answer(NOT_ENOUGH, f"{begin}: {ours} and {theirs} count, and a test takes {least} a side.", least)
    if not math.isfinite(effect.low_percent):
        return Answer(NOT_ENOUGH, f"{begin}: the runs of a side agree to the last digit, which tells no spread.")
    if not effect.able:
        least = _reachable(effect, paired, ours, theirs)
        among = f"{begin}: among so many comparisons a test takes about {least} {'pairs' if paired else 'a side'}."
        return Answer(NOT_ENOUGH, among, least)
    needed = spread.runs_to_tell(tell_percent / 100, effect.spread, paired, max(ours, theirs) + 1)
    if needed is None:
        return Answer(NOT_ENOUGH, f"{begin}; how many would do is not known.")
    return Answer(NOT_ENOUGH, f"{begin}; about {needed:,} {'pairs' if paired else 'a side'} would do.", needed)


def _reachable(effect: Effect, paired: bool, ours: int, theirs: int) -> int:
    """How many pairs, or runs a side, bring the smallest adjusted p below the level."""
    number = effect.pairs if paired else min(ours, theirs)
    own = permutation.smallest_of_pairs(number) if paired and not effect.relabelled else None
    own = permutation.smallest_of_two_samples(number, number) if own is None else own
    comparisons = max(1, round(effect.smallest_p / own))
    while True:
        number += 1
        flipped = paired and number >= permutation.LEAST_PAIRS
        least = (
            permutation.smallest_of_pairs(number) if flipped else permutation.smallest_of_two_samples(number, number)
        )
        if comparisons * least < welch.LEVEL or number > 100:
            return number


def _longer(effect: Effect) -> str:
    if effect.estimate_percent >= 900:
        return f"{1 + effect.estimate_percent / 100:,.1f} times as long"
    return f"{abs(effect.estimate_percent):.2f} % {'longer' if effect.estimate_percent > 0 else 'less time'}"
