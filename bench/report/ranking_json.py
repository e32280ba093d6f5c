"""Where a result would have stood, for programs: the same as ``bench.report.ranking`` tells people, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.analysis.ranking import Place, Ranking
from bench.dawnbench.board import BoardEntry
from bench.dawnbench.candidate import Candidate
from bench.dawnbench.later import LaterRecord
from bench.record.clocks import CLOCKS
from bench.report.ranking import NEIGHBOURS, THE_BOARD


def body(candidate: Candidate, ranking: Ranking[BoardEntry], later: Sequence[LaterRecord]) -> dict[str, Any]:
    """The same as plain values for JSON: a miss is the text ``inf``, as in the tables, and null is not known."""
    sample, rate, told = ranking.sample, ranking.sample.success_rate, candidate.expectation
    return {
        "schema": 1,
        "result": candidate.title,
        "clock": candidate.clock,
        "target_percent": candidate.target_percent,
        "hardware": candidate.hardware,
        "framework": candidate.framework,
        "rule": candidate.rule,
        "planned": sample.planned,
        "not_counted": list(sample.not_counted),
        "runs": sample.runs,
        "reached": sample.reached,
        "success_rate": _number(rate.estimate),
        "success_low": _number(rate.low),
        "success_high": _number(rate.high),
        "median_seconds": _number(sample.median_seconds),
        "chosen_seed": sample.chosen_seed,
        "chosen_wall_seconds": candidate.wall_seconds,
        "accuracy_percent": candidate.accuracy_percent,
        "test_time_augmentation": candidate.augmentation or None,
        "plain_accuracy_percent": candidate.plain_percent,
        "best_seed": sample.best_seed,
        "cost_per_hour_usd": ranking.cost_per_hour_usd,
        "time": _place(ranking.time),
        "cost": _place(ranking.cost),
        "one_run_alone": _place(ranking.single),
        "best_run": _place(ranking.best),
        "expected": None if told is None else {
            "card": told.card, "clock": CLOCKS[told.clock].label, "low_seconds": told.low_seconds,
            "high_seconds": told.high_seconds, "schedule_seconds": candidate.schedule_seconds, "basis": told.basis,
            "reason": told.reason,
        },
        "later": [
            {"name": each.name, "hardware": each.hardware, "seconds": each.seconds, "bound": each.bound,
             "target_percent": each.target_percent, "left_out": each.left_out, "source": each.source}
            for each in later
        ],
        "remarks": list(candidate.remarks),
        "note": THE_BOARD,
    }  # fmt: skip


def _place(place: Place[BoardEntry] | None) -> dict[str, Any] | None:
    if place is None:
        return None
    above, below = place.around(NEIGHBOURS)
    return {
        "value": place.value, "rank": place.rank, "of": place.of, "tied": place.tied,
        "above": [each.entrant.file for each in above], "below": [each.entrant.file for each in below],
    }  # fmt: skip


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else "inf" if math.isinf(value) else value
