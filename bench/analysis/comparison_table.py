"""A comparison as a frame, one row a side: the columns of ``comparison.csv``."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pandas as pd

from bench.analysis import censored, frames, spread
from bench.analysis.comparison import Comparison, Side
from bench.analysis.comparison_columns import COMPARISON
from bench.record import Record


def table(comparison: Comparison) -> pd.DataFrame:
    """One row a side, the reference first; what is tested is the first endpoint alone."""
    against = {each.side.name: each for each in comparison.versus}
    rows = []
    for side in comparison.sides:
        row = side_cells(side)
        versus = against.get(side.name)
        if versus is not None:
            effect = versus.effect
            row |= {
                "against": versus.reference.name,
                "design": effect.design,
                "pairs": effect.pairs or None,
                "difference_percent": effect.estimate_percent,
                "difference_low_percent": effect.low_percent,
                "difference_high_percent": effect.high_percent,
                "p_value": effect.p_value,
                "p_holm": effect.p_holm,
                "told_percent": comparison.tell_percent,
                "answer": versus.answer.kind,
                "runs_needed": versus.answer.runs_needed,
                "runs_needed_low": versus.answer.runs_needed_low,
                "runs_needed_high": versus.answer.runs_needed_high,
                "confidence_percent": effect.confidence_percent,
                "p_slower": effect.p_slower,
                "p_slower_holm": effect.slower_holm,
                "test": effect.test,
                "unit": versus.design.unit,
                "interleaved": str(versus.design.timing.interleaved).lower(),
                "same_boot": _known(versus.design.timing.same_boot),
                "minutes_apart": versus.design.timing.minutes_apart,
                "drift_allowance_percent": versus.design.allowance and versus.design.allowance.percent,
                "drift_allowance_source": versus.design.allowance and versus.design.allowance.source,
            }
        rows.append(row)
    return frames.frame(COMPARISON, rows)


def _known(fact: bool | None) -> str | None:
    return None if fact is None else str(fact).lower()


def side_cells(side: Side) -> dict[str, Any]:
    """What a side's counted runs were and gave, as cells; medians are over the runs, misses being infinite."""
    counted = side.counted
    mean = side.mean
    runs = frames.runs(counted)
    reached = [each for each in counted if each.crossing_index is not None]
    whole = side.work.epochs is None
    planned = len(counted) + len(side.left_out)
    rate = censored.success_rate(len(reached), planned) if whole and counted else None
    accuracy = [each.epochs[-1].accuracy_percent for each in counted if each.epochs] if whole else []
    first = (counted or side.records or (None,))[0]
    return {
        "side": side.name,
        "title": side.title,
        **(frames.configuration(first) if first else {}),
        "clock": str(side.work),
        "campaigns": max(1, len(side.campaigns)),
        "runs": len(counted),
        "left_out": len(side.left_out),
        "suspect": side.suspect,
        "outliers": ";".join(map(str, side.outliers)),
        "fixed_work_seconds": mean.estimate,
        "fixed_work_low_seconds": mean.low,
        "fixed_work_high_seconds": mean.high,
        "fixed_work_median_seconds": side.median_seconds,
        "fixed_work_min_seconds": min(side.seconds, default=None),
        "fixed_work_max_seconds": max(side.seconds, default=None),
        "spread_percent": 100 * spread.relative(side.seconds),
        "reached": len(reached) if whole and counted else None,
        "success_rate": rate and rate.estimate,
        "success_low": rate and rate.low,
        "success_high": rate and rate.high,
        "dawnbench_median_seconds": _median(runs, "dawnbench_seconds") if whole else None,
        "epoch_train_seconds": censored.median(_epoch_seconds(counted)),
        "images_per_second": _median(runs, "images_per_second"),
        "compile_seconds": _median(runs, "compile_seconds"),
        "energy_joules": _median(runs, "energy_joules"),
        "stall_share": _median(runs, "stall_share"),
        "accuracy_mean": math.fsum(accuracy) / len(accuracy) if accuracy else None,
        "accuracy_std": float(pd.Series(accuracy).std(ddof=1)) if len(accuracy) > 1 else None,
    }


def _epoch_seconds(records: tuple[Record, ...]) -> list[float]:
    """Training time of every whole epoch after the first, which has first-use costs, over all runs."""
    seconds = []
    for record in records:
        timed = [(each.epoch, each.train_seconds) for each in record.epochs if each.train_seconds is not None]
        for (before, _), (epoch, took) in pairwise(timed):
            if abs(epoch - before - 1) < 1e-6:  # Not the last half of a recipe of 9.5 epochs.
                seconds.append(took)
    return seconds


def _median(runs: pd.DataFrame, column: str) -> float:
    return censored.median([float(each) for each in runs[column].dropna()])
