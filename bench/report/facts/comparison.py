"""The facts of a comparison, each phrased once: the answers, what to know of them, and the table of the sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from bench.analysis import config_diff, frames, verdicts
from bench.analysis.comparison import FASTER, NO_DIFFERENCE, NOT_ENOUGH, SLOWER, Comparison, Side, Versus
from bench.analysis.comparison_table import table
from bench.analysis.effect import Effect
from bench.analysis.figures import sides
from bench.record.clocks import HEADLINE
from bench.report.facts import NOTE, Fact, sentence
from bench.report.facts.campaign import Configuration, mixed, of_summary
from bench.report.text import UNKNOWN, seconds


@dataclass(frozen=True)
class SideFacts:
    """One side: its name, a title that says what it is, and its figures or, in ``empty``, why it has none."""

    name: str
    title: str
    configurations: tuple[Configuration, ...]
    empty: str


@dataclass(frozen=True)
class ComparisonFacts:
    """What the formats render of a comparison.

    ``answers`` hold the answer's kind as their level; ``metrics`` is a row of label and a cell for each side.
    """

    comparison: Comparison
    answers: tuple[Fact, ...]
    notes: tuple[Fact, ...]
    metrics: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def method(self) -> str:
        """What is compared, and how."""
        work = "the same work" if sides.same_work(self.comparison.sides) else sides.OWN_WORK
        return (
            f"Compared: fixed work ({self.comparison.work}), the training time of {work}, target or not. Difference "
            f"of interest: {self.comparison.tell_percent:g} %. Rank test, estimate and interval; two-sided, at 5 %."
        )

    @cached_property
    def sides(self) -> tuple[SideFacts, ...]:
        """The figures of each side by itself."""
        return tuple(map(_side, self.comparison.sides))


def of_comparison(comparison: Comparison) -> ComparisonFacts:
    """Return the facts of a comparison: an answer for every side after the first, against the first."""
    rows = [row for _, row in table(comparison).iterrows()]
    metrics = ((label, tuple(cell(row) for row in rows)) for label, cell in _METRICS)
    return ComparisonFacts(
        comparison,
        tuple(_answer(each, comparison.tell_percent) for each in comparison.versus),
        tuple(Fact(name, "Note", sentence(words), level=NOTE) for name, words in _notes(comparison)),
        tuple((label, cells) for label, cells in metrics if {*cells} != {UNKNOWN}),
    )


def _answer(versus: Versus, tell_percent: float) -> Fact:
    label = f"{versus.side.name} vs {versus.reference.name}"
    detail = f"Design: {versus.design}. {sentence(_how(versus))}"
    return Fact("answer", label, sentence(_conclusion(versus, tell_percent)), detail, versus.answer.kind)


def _conclusion(versus: Versus, tell_percent: float) -> str:
    effect, answer, kind = versus.effect, versus.answer, versus.answer.kind
    a, b, interval = versus.reference.name, versus.side.name, interval_text(versus.effect)
    if kind in (SLOWER, FASTER):
        return f"{b} is {kind} than {a}: it takes {_longer(effect)} ({interval}; two-sided p = {effect.p_holm:.2g})."
    if kind == NO_DIFFERENCE:
        # Rounded up, so that the stated bound is never below the one that was found.
        bound = math.ceil(100 * effect.furthest_percent) / 100
        return f"no difference larger than {bound:.2f} % between {a} and {b} ({interval})."
    if kind != NOT_ENOUGH:
        return (
            f"the difference between {a} and {b} is within campaign-to-campaign drift ({interval}). To resolve it, run "
            "both interleaved (`make ab`), or compare several campaigns per side."
        )
    begin = f"not enough runs to detect {tell_percent:g} % between {a} and {b} ({interval})"
    paired, campaigns = effect.design == "paired", versus.design.unit == "campaign"
    unit = "pairs" if paired else "campaigns per side" if campaigns else "runs per side"
    if not effect.answerable:
        among = f" among {effect.comparisons} comparisons" if effect.comparisons > 1 else ""
        few = f"{_sizes(versus)}, for which no two-sided p-value can reach 0.05{among}"
        return f"{begin}: {few}; at least {answer.runs_needed} {unit} are needed."
    if answer.runs_needed is None:
        return f"{begin}; how many are needed is unknown."
    until = "more" if answer.runs_needed_high is None else f"{answer.runs_needed_high:,}"
    apart = " if interleaved" if effect.bare is not None else ""
    ends = f"95 % interval {answer.runs_needed_low:,} to {until}"
    return f"{begin}; about {answer.runs_needed:,} {unit} are needed{apart} ({ends})."


def _sizes(versus: Versus) -> str:
    """What is compared with what: pairs, runs or campaigns, and how many."""
    if versus.design.unit == "campaign":
        return f"{len(versus.reference.levels)} and {len(versus.side.levels)} campaigns"
    if versus.effect.design == "paired":
        return f"{versus.effect.pairs} pair{'' if versus.effect.pairs == 1 else 's'} of runs with the same seed"
    return f"{len(versus.reference.counted)} and {len(versus.side.counted)} runs"


def _how(versus: Versus) -> str:
    """The estimate, the design and the test behind the answer."""
    effect = versus.effect
    sizes = f"{_sizes(versus)}{'' if effect.design == 'paired' else ', unpaired'}"
    if math.isnan(effect.p_value):
        return f"{sizes}: no test"
    bare = effect.bare or effect
    holm = (
        f", {effect.p_holm:.2g} adjusted for {effect.comparisons} comparisons (Holm)" if effect.comparisons > 1 else ""
    )
    beyond = f" of a difference beyond {effect.allowance_percent:.3g} %" if effect.allowance_percent else ""
    return (
        f"Estimate {bare.estimate_percent:+,.2f} % time; {sizes}; {effect.test} test on log time{beyond}, "
        f"two-sided p = {effect.p_value:.2g}{holm}; one-sided p of slower {effect.p_slower:.2g}"
    )


def interval_text(effect: Effect) -> str:
    """Return the interval in per cent or, of sides whose times differ by an order of magnitude, as factors."""
    if math.isnan(effect.low_percent):
        return "too few runs for a 95 % interval"
    confidence = f"{effect.confidence_percent:.3g} % interval"
    if effect.low_percent >= 900:
        low, high = (1 + each / 100 for each in (effect.low_percent, effect.high_percent))
        return f"{confidence} {low:,.0f} to {high:,.0f} times as long"
    return f"{confidence} {effect.low_percent:+.2f} to {effect.high_percent:+.2f} %"


def _longer(effect: Effect) -> str:
    if effect.estimate_percent >= 900:
        return f"{1 + effect.estimate_percent / 100:,.1f} times as long"
    return f"{abs(effect.estimate_percent):.2f} % {'longer' if effect.estimate_percent > 0 else 'less time'}"


def _notes(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What restricts the answers, each with an id."""
    if not sides.same_work(comparison.sides):
        yield (
            "different_work",
            "the sides trained different recipes: each time is of its own schedule, not of the same work",
        )
    for side in comparison.sides:
        keys, name = config_diff.within(side.counted), side.name
        if keys:
            yield "mixed", mixed(keys, f"the runs of {name}")
        if side.left_out:
            yield "left_out", f"excluded from {name}: {', '.join(side.left_out)}"
        if side.suspect:
            yield (
                "suspect",
                f"{side.suspect} of {len(side.counted)} runs of {name} are suspect, and included in all figures",
            )
        if side.outliers:
            seeds = ", ".join(map(str, side.outliers))
            yield "outliers", f"outliers of {name}, included in all figures: seed {seeds}"
    if any(each.dataset.get("name") == "synthetic" for side in comparison.sides for each in side.records):
        yield "synthetic", verdicts.SYNTHETIC


def _side(side: Side) -> SideFacts:
    summaries = [frames.summary(frames.runs(each.records), each.plan) for each in side.campaigns or (side,)]
    configurations = of_summary(pd.concat(summaries)) if len(summaries) > 1 else of_summary(summaries[0])
    timed = any(fact.id != "empty" for each in configurations for fact in each.facts)
    epochs = side.work.epochs
    if epochs is None or not side.counted:
        return SideFacts(side.name, side.title, configurations, "" if timed else "No finished run counts.")
    ended = f"Each run was ended after {epochs} epoch{'' if epochs == 1 else 's'}, so there is no time to the target."
    return SideFacts(side.name, side.title, (), ended)


def _number(name: str, form: str) -> Callable[[Any], str]:
    return lambda row: UNKNOWN if pd.isna(row[name]) else form.format(row[name])


def _work(row: Any) -> str:
    low, high = (seconds(row[f"fixed_work_{end}_seconds"], unit="") for end in ("min", "max"))
    return f"{seconds(row['fixed_work_median_seconds'])} ({low} to {high})"


def _reached(row: Any) -> str:
    if pd.isna(row["reached"]):
        return UNKNOWN
    ends = f"{100 * row['success_low']:.0f} to {100 * row['success_high']:.0f} %"
    return f"{row['reached']} of {row['runs'] + row['left_out']} ({ends})"


def _stalls(row: Any) -> str:
    return UNKNOWN if pd.isna(row["stall_share"]) else f"{100 * row['stall_share']:.1f} %"


def _accuracy(row: Any) -> str:
    if pd.isna(row["accuracy_mean"]):
        return UNKNOWN
    spread = "" if pd.isna(row["accuracy_std"]) else f" ± {row['accuracy_std']:.2f}"
    return f"{row['accuracy_mean']:.2f}{spread} %"


#: The rows of the table; one that is not known of any side is left out.
_METRICS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("Runs", _number("runs", "{}")),
    ("Fixed work, median (range)", _work),
    ("Run-to-run variation", _number("spread_percent", "{:.2f} %")),
    ("Reached the target", _reached),
    (f"Time to target, median ({HEADLINE.label})", lambda row: seconds(row["dawnbench_median_seconds"])),
    ("Epoch, median", lambda row: seconds(row["epoch_train_seconds"])),
    ("Images/s, median", _number("images_per_second", "{:,.0f}")),
    ("Compilation, median", lambda row: seconds(row["compile_seconds"])),
    ("GPU energy, median", _number("energy_joules", "{:,.0f} J")),
    ("Input stalls, median", _stalls),
    ("Final accuracy, mean", _accuracy),
)
