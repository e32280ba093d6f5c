"""The table of an ablation from its records: what each variant reached, how it differs from its reference, the answer.

Accuracy is compared as it is, in points; images/s on a log scale, in percent. Differences are Welch's, their p-values
Holm's over all comparisons of the set; a difference is found where that is below 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analysis import censored, frames, welch
from bench.analysis.columns import ABLATION
from bench.record import Record, StoredAblation, Variant
from bench.record.clocks import CLOCKS, fixed_work_seconds
from bench.rules import with_verdict

ACCURACY, THROUGHPUT = "accuracy", "images_per_second"
UNITS = {ACCURACY: "points", THROUGHPUT: "%"}
#: What a positive and a negative difference is called.
_FOUND = {ACCURACY: ("better", "worse"), THROUGHPUT: ("faster", "slower")}
NOT_ENOUGH = "not enough runs"
#: Runs that all gave the same have no spread from which an interval follows.
NO_SPREAD = "no spread to judge by"


@dataclass(frozen=True)
class _Sample:
    """What the runs of a variant that count gave; ``left_out`` is the number of those that do not."""

    accuracies: list[float]
    speeds: list[float]
    train_seconds: list[float]
    left_out: int

    def compared(self, decides: str) -> list[float]:
        """Return the values that ``decides`` names, on the scale of the comparison."""
        return self.accuracies if decides == ACCURACY else [math.log(each) for each in self.speeds]


def table(stored: StoredAblation, records: Mapping[str, Sequence[Record]]) -> pd.DataFrame:
    """Return one row a variant, the base first: ``ablation.csv``. ``records`` are each variant's, by name."""
    samples = {each.name: _sample(each, records.get(each.name, ())) for each in stored.variants}
    differences = {
        each.name: welch.difference(
            samples[each.name].compared(each.decides), samples[each.against].compared(each.decides)
        )
        for each in stored.comparisons
    }
    adjusted = dict(zip(differences, welch.holm([each.p_value for each in differences.values()]), strict=True))
    rows = []
    for each in stored.variants:
        row = _variant_cells(each, samples[each.name])
        if each.against:
            counts = [len(samples[name].compared(each.decides)) for name in (each.name, each.against)]
            row |= _compared(each, differences[each.name], adjusted[each.name], min(counts))
            row["smallest_detectable"] = smallest_detectable(stored, each.decides, *counts)
        rows.append(row)
    return frames.frame(ABLATION, rows)


def smallest_detectable(
    stored: StoredAblation, decides: str, runs: int, reference_runs: int, level: float = welch.LEVEL
) -> float:
    """Return the difference that so many runs find with a chance of 80 %, in the unit of UNITS, by the declared
    spread.
    """
    if decides == ACCURACY:
        return welch.smallest_detectable(stored.spread_percent, runs, reference_runs, level)
    # A small relative spread is the spread of the logarithm.
    return _percent(welch.smallest_detectable(stored.throughput_spread, runs, reference_runs, level))


def spread_seen(stored: StoredAblation, records: Mapping[str, Sequence[Record]], decides: str) -> float:
    """Return the standard deviation between seeds over all variants: points, or relative; NaN where it is unknown."""
    groups = [_sample(each, records.get(each.name, ())).compared(decides) for each in stored.variants]
    known = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in known)
    if not freedom:
        return math.nan
    return math.sqrt(math.fsum((len(group) - 1) * welch.variance(group) for group in known) / freedom)


def _sample(variant: Variant, records: Sequence[Record]) -> _Sample:
    runs = [record if record.verdict else with_verdict(record) for record in records]
    counted = [each for each in runs if each.status == "done" and each.verdict and each.verdict.level != "invalid"]
    speeds = [frames.images_per_second(each) for each in counted]
    seconds = [fixed_work_seconds(CLOCKS["train"], each) for each in counted]
    return _Sample(
        accuracies=[each for each in (_accuracy(variant, record) for record in counted) if each is not None],
        speeds=[each for each in speeds if each and each > 0],
        train_seconds=[each for each in seconds if each is not None],
        left_out=len(runs) - len(counted),
    )


def _accuracy(variant: Variant, record: Record) -> float | None:
    declared = [each for each in record.epochs if each.view == variant.view]
    return declared[-1].accuracy_percent if declared else None


def _variant_cells(variant: Variant, sample: _Sample) -> dict[str, Any]:
    accuracy = welch.mean(sample.accuracies)
    return {
        "technique": variant.technique,
        "recipe": variant.recipe,
        "against": variant.against,
        "decides": variant.decides if variant.against else None,
        "epochs": variant.epochs,
        "runs": len(sample.accuracies),
        "accuracy_mean": accuracy.estimate,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "train_seconds": censored.median(sample.train_seconds),
        "images_per_second": censored.median(sample.speeds),
        "variant": variant.name,
        "input": variant.input,
        "accuracy_view": variant.view,
        "changes": "; ".join(variant.changes),
        "left_out": sample.left_out,
    }


def _compared(variant: Variant, found: welch.Difference, p_holm: float, runs: int) -> dict[str, Any]:
    scale = _percent if variant.decides == THROUGHPUT else float
    shown = welch.Difference(scale(found.estimate), scale(found.low), scale(found.high), found.p_value)
    return {
        "difference": shown.estimate,
        "difference_low": shown.low,
        "difference_high": shown.high,
        "unit": UNITS[variant.decides],
        "p_value": found.p_value,
        "p_holm": p_holm,
        "answer": _answer(variant.decides, shown, p_holm, runs),
    }


def _answer(decides: str, found: welch.Difference, p_holm: float, runs: int) -> str:
    """``runs`` is the number of the side that has fewer."""
    if not found.has_interval and runs > 1:
        return NO_SPREAD
    if not found.has_interval or not math.isfinite(found.high):
        return NOT_ENOUGH
    if p_holm < welch.LEVEL:
        return _FOUND[decides][found.estimate < 0]
    # Rounded up, so that what is said is never less than what was found.
    places = 100 if decides == ACCURACY else 10
    bound = math.ceil(places * max(abs(found.low), abs(found.high))) / places
    return f"no difference larger than {bound:g} {UNITS[decides]}"


def _percent(log_ratio: float) -> float:
    return 100 * welch.relative(log_ratio)
