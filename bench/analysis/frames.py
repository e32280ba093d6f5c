"""Records to pandas frames: one of runs, one of epochs, one of configurations, with the columns of ``columns.py``.

In a frame an unknown value is missing (NA, NaN) and a time that was never reached is infinite; never one for the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import censored, energy, telemetry, variation, waits, wall_clock
from bench.analysis.columns import EPOCHS, RUNS, SUMMARY, Column
from bench.record import Record
from bench.record.clocks import (
    CLOCKS,
    HEADLINE,
    cumulative_seconds,
    fixed_work_seconds,
    to_target_seconds,
)
from bench.rules import with_verdict

_DTYPES: dict[str, Any] = {"text": "string", "whole": "Int64", "number": "float64"}
#: What makes a configuration: runs that differ in any of these are never put in one row.
CONFIGURATION = (
    "recipe", "dataset", "dataset_state", "device", "precision", "input", "threads", "target_percent",
)  # fmt: skip
Row = dict[str, Any]


def frame(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame of these columns and types; absent values are missing, texts are single lines."""
    table = list(rows)
    # Not as pd.Series, which takes three times as long.
    cells = {
        each.name: pd.array([_CELLS[each.kind](row.get(each.name)) for row in table], dtype=_DTYPES[each.kind])
        for each in columns
    }
    result: pd.DataFrame = pd.DataFrame(cells, columns=[column.name for column in columns])
    return result


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _whole(value: Any) -> Any:
    return pd.NA if value is None else value


def _text(value: Any) -> Any:
    if value is None:
        return pd.NA
    text = str(value)
    if not text.isprintable():
        # A name comes from a trainer or a driver, and a stray line end or escape code would break a table.
        text = "".join(each if each.isprintable() else " " for each in text)
    return text.strip() or pd.NA


#: What stands in a cell of a kind of column for a value, or for none.
_CELLS: dict[str, Callable[[Any], Any]] = {"text": _text, "whole": _whole, "number": _number}


def runs(records: Iterable[Record], cost_per_hour: float | None = None) -> pd.DataFrame:
    """Return one row a run, in the order of the records; a missing verdict is computed.

    ``cost_per_hour`` is the price of the whole machine on demand, in US dollars; None if unknown.
    """
    return frame(RUNS, [_run(record if record.verdict else with_verdict(record), cost_per_hour) for record in records])


def epochs(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row an evaluation, of every run."""
    return frame(EPOCHS, [row for record in records for row in _epochs(record)])


def _run(record: Record, cost_per_hour: float | None) -> Row:
    verdict, last = record.verdict, record.epochs[-1] if record.epochs else None
    life, cost = _seconds(record.life_ns), record.harness
    row: Row = {
        **configuration(record),
        "seed": record.seed,
        "status": record.status,
        "final_accuracy_percent": last and last.accuracy_percent,
        "final_accuracy_view": last and last.view,
        "final_plain_accuracy_percent": _final_plain(record),
        "reached_epoch": record.crossing and record.crossing.epoch,
        "compile_seconds": _phase_seconds(record, "compile"),
        "images_per_second": images_per_second(record),
        "warm_images_per_second": images_per_second(record, skip=1),
        "peak_memory_bytes": record.peak_memory_bytes,
        "verdict": verdict and verdict.level,
        "verdict_reasons": verdict and ";".join(reason.rule for reason in verdict.reasons),
        "rules": verdict and verdict.rules,
        "clocks": " ".join(clock.label for clock in CLOCKS.values()),
        "trainer": record.trainer,
        "framework": record.framework,
        "utc": record.utc,
        "process_seconds": life,
        "trainer_cpu_seconds": record.trainer_cpu_seconds,
        "harness_cpu_seconds": cost.cpu_seconds,
        "harness_cpu_share": _ratio(cost.cpu_seconds, life),
        "harness_voluntary_switches": cost.voluntary_switches,
        "harness_involuntary_switches": cost.involuntary_switches,
        "events": cost.events,
        "emit_seconds": _seconds(cost.emit_ns),
        **telemetry.run_cells(record),
        **waits.run_cells(record),
        **energy.run_cells(record, cost_per_hour),
        **wall_clock.run_cells(record),
    }
    if (record.runs or 1) == 1:  # Several runs in one process share its start, so none of them has a time of its own.
        row |= {f"{name.replace('-', '_')}_seconds": to_target_seconds(clock, record) for name, clock in CLOCKS.items()}
        row["fixed_work_train_seconds"] = fixed_work_seconds(CLOCKS["train"], record)
        row["fixed_work_seconds"] = fixed_work_seconds(HEADLINE, record)
    return row


def _final_plain(record: Record) -> float | None:
    plain = record.plain(record.epochs[-1]) if record.epochs else None
    return None if plain is None else plain.accuracy_percent


def configuration(record: Record) -> Row:
    """Return the cells of CONFIGURATION."""
    return {
        "recipe": record.recipe.get("name"),
        "dataset": record.dataset.get("name"),
        "dataset_state": record.dataset.get("state"),
        "device": record.device.get("name") or record.device.get("kind"),
        "precision": record.precision,
        "input": record.input,
        "threads": record.threads,
        "target_percent": record.target_percent,
    }


def _epochs(record: Record) -> Iterable[Row]:
    clocks = zip(cumulative_seconds(HEADLINE, record), cumulative_seconds(CLOCKS["wall"], record), strict=True)
    machine, joules = telemetry.epoch_cells(record), energy.epoch_cells(record)
    unseen = {"telemetry_note": telemetry.note(record.telemetry)}
    for each, (headline_seconds, wall_seconds), waited in zip(
        record.epochs, clocks, waits.epoch_cells(record), strict=True
    ):
        trained = each.train_seconds is not None  # A TTA evaluation has no training.
        yield {
            "seed": record.seed,
            "epoch": each.epoch,
            "steps": each.steps,
            "images": each.images,
            "train_seconds": each.train_seconds,
            "eval_seconds": each.eval_seconds,
            "loss": each.loss,
            "correct": each.correct,
            "total": each.total,
            "accuracy_percent": each.accuracy_percent,
            "view": each.view,
            "images_per_second": _ratio(each.images, each.train_seconds),
            "wait_seconds": each.wait_seconds,
            "wait_share": _ratio(each.wait_seconds, each.train_seconds),
            "dawnbench_seconds": headline_seconds,
            "wall_seconds": wall_seconds,
            **waited,
            **(machine.get(each.epoch, unseen) if trained else {}),
            **(joules.get(each.epoch, {}) if trained else {}),
        }


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _phase_seconds(record: Record, name: str) -> float | None:
    durations_ns = [phase.duration_ns for phase in record.phases if phase.name == name]
    return sum(durations_ns) / 1e9 if durations_ns else None


def images_per_second(record: Record, skip: int = 0) -> float | None:
    """Images trained over the time spent training them, from epoch ``skip`` on; None where neither is known."""
    timed = [
        (each.images, each.train_seconds) for each in record.epochs if each.images and each.train_seconds is not None
    ]
    return _ratio(sum(images for images, _ in timed[skip:]), math.fsum(seconds for _, seconds in timed[skip:]))


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def summary(runs: pd.DataFrame, plan: Iterable[int] = ()) -> pd.DataFrame:
    """Return one row a configuration, from the frame of its runs: counts, success rate, times, accuracy.

    ``plan`` are the planned seeds: one without a counted run is not successful. With several configurations a seed
    without a run counts for each. A run that did not report its configuration counts for the only one.
    """
    keys = list(CONFIGURATION)
    named = runs[runs["recipe"].notna()]
    groups = [group for _, group in named.groupby(keys, sort=False, dropna=False)]
    unnamed = runs[runs["recipe"].isna()]
    if len(groups) == 1:
        groups = [runs]
    elif len(unnamed):
        groups.append(unnamed)
    without_run = sorted({*plan} - {*runs["seed"].dropna()})
    return frame(SUMMARY, [_summary_row(group, without_run) for group in groups])


def _summary_row(group: pd.DataFrame, without_run: Sequence[int]) -> Row:
    done = group[group["status"] == "done"]
    counted = done[done["verdict"] != "invalid"]
    hits = counted[counted["reached_epoch"].notna()]
    column = "dawnbench_seconds"
    planned = len(group) + len(without_run)
    not_counted = sorted([*group.drop(counted.index)["seed"].dropna(), *without_run])
    rate = censored.success_rate(len(hits), planned if len(counted) else 0)
    mean = censored.mean_seconds([each for each in _known(hits[column]) if each > 0])
    middle = censored.median_range(_known(counted[column]))
    accuracy = _known(counted["final_accuracy_percent"])
    plain = _known(counted["final_plain_accuracy_percent"])
    return {
        **{key: _first_known(group[key]) for key in CONFIGURATION},
        "runs": len(counted),
        "reached": len(hits),
        "success_rate": rate.estimate,
        "success_low": rate.low,
        "success_high": rate.high,
        "clock": HEADLINE.label,
        "median_seconds": censored.median(_known(counted[column])),
        "mean_seconds": mean.estimate,
        "low_seconds": mean.low,
        "high_seconds": mean.high,
        "fixed_work_seconds": censored.median(_known(counted["fixed_work_seconds"])),
        "accuracy_mean": math.fsum(accuracy) / len(accuracy) if accuracy else None,
        "accuracy_std": float(pd.Series(accuracy).std(ddof=1)) if len(accuracy) > 1 else None,
        "accuracy_view": _first_known(counted["final_accuracy_view"]),
        "plain_accuracy_mean": math.fsum(plain) / len(plain) if plain else None,
        **_expected_cells(counted, hits, planned),
        "cold_median_seconds": censored.median(_known(counted["dawnbench_cold_seconds"])),
        "compile_median_seconds": censored.median(_known(counted["compile_seconds"])),
        "images_per_second": censored.median(_known(counted["images_per_second"])),
        "suspect": int((counted["verdict"] == "suspect").sum()),
        "invalid": len(done) - len(counted),
        "unfinished": len(group) - len(done),
        "stall_share": censored.median(_known(counted["stall_share"])),
        **{name: censored.median(_known(counted[column])) for name, column in telemetry.SUMMARISED.items()},
        **energy.summary_cells(group, counted),
        **variation.summary_cells(counted),
        **wall_clock.summary_cells(counted, group, planned),
        "planned": planned,
        "not_counted": ";".join(map(str, not_counted)) or None,
        "time_low_seconds": middle.low,
        "time_high_seconds": middle.high,
        "time_confidence_percent": middle.confidence_percent,
    }


def _expected_cells(counted: pd.DataFrame, hits: pd.DataFrame, planned: int) -> Row:
    reached = _known(hits["dawnbench_seconds"])
    missed = _known(counted.loc[counted["reached_epoch"].isna(), "fixed_work_seconds"])
    if len(reached) + len(missed) < planned:
        return {}  # The cost of a miss, or the time of a success, is not known.
    found = censored.expected_interval(reached, missed, _known(hits["fixed_work_seconds"]))
    names = (f"expected_{end}seconds" for end in ("", "low_", "high_"))
    return dict(zip(names, (found.estimate, found.low, found.high), strict=True))


def _known(values: pd.Series[Any]) -> list[float]:
    return [float(each) for each in values.dropna()]


def _first_known(values: pd.Series[Any]) -> Any:
    known = values.dropna()
    return None if known.empty else known.iloc[0]
