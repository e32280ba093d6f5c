"""Joules and dollars, as columns: of a run, to the target, and of the runs of a configuration together.

A miss never gets to the target, so its energy and its price to it are infinite, as its times are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

import pandas as pd

from bench.analysis import censored
from bench.record import Column, Record
from bench.record.clocks import HEADLINE, to_target_seconds
from bench.record.telemetry import DIVIDED

#: Below this the steps of a card's counter are not small compared with a run's energy, so back-to-back runs are
#: measured together.
SHORT_RUN_SECONDS = 10.0
#: When a run began is known to a whole second, and so is the gap between two.
_CLOCK_SLIP_SECONDS = 2.0
#: Roles of a card in records.
_TRAINS, _WATCHED = "trains", "watched"

_PRICE = f"price to the target: COST_PER_HOUR x {HEADLINE.name}_seconds / 3600"
EPOCH_COLUMNS = (
    Column("train_joules", "number", "J", "energy of the card while this was trained; empty where it is not known"),
    Column("train_joules_uncertainty", "number", "J", "its uncertainty, as energy_uncertainty_joules of a run"),
)
RUN_COLUMNS = (
    Column("gpu_role", "text", "", f"what the card does, of which all here is: {_TRAINS}, or {_WATCHED} beside a CPU"),
    Column("energy_joules", "number", "J", "energy of the card from the start of the trainer's process to its exit"),
    Column("energy_to_target_joules", "number", "J",
           f"the same to the end of the training that reached it; inf for a miss, empty unless gpu_role is {_TRAINS}"),
    Column("energy_uncertainty_joules", "number", "J",
           "uncertainty of these: at each end one step of the counter at the largest power read"),
    Column("energy_source", "text", "",
           "counter, or power: the readings of power over time, where there is no counter"),
    Column("energy_note", "text", "", "why an energy is not known, or whose it is where it is not the run's alone"),
    Column("energy_begin_millijoules", "whole", "mJ", "the card's counter at the start of the process"),
    Column("energy_end_millijoules", "whole", "mJ",
           "and at its exit, so that runs made back to back can be put together"),
    Column("cost_to_target_usd", "number", "USD", f"{_PRICE}; inf for a miss, empty without a price"),
)  # fmt: skip
SUMMARY_COLUMNS = (
    Column("gpu_role", "text", "", f"what the card does in the runs that count: {_TRAINS} or {_WATCHED}"),
    Column("energy_joules", "number", "J", "energy of the card for one run, mean"),
    Column("energy_uncertainty_joules", "number", "J", "its uncertainty, as of a run"),
    Column("energy_basis", "text", "",
           "what the mean is of: single runs, or runs back to back with the gaps in between"),
    Column("energy_to_target_joules", "number", "J",
           f"median energy to the target, misses being infinite; empty unless gpu_role is {_TRAINS}"),
    Column("cost_to_target_usd", "number", "USD", f"median {_PRICE}; misses being infinite"),
)  # fmt: skip


def run_cells(record: Record, cost_per_hour: float | None) -> dict[str, Any]:
    """The cells of RUN_COLUMNS; ``cost_per_hour`` is the price of the whole machine on demand, in US dollars."""
    role = record.telemetry.gpu.get("role")
    if (record.runs or 1) > 1:  # What several runs in one process share is none of theirs.
        return {"gpu_role": role, "energy_note": f"{record.runs} runs shared one process"}
    found = record.telemetry.energy
    return {
        "gpu_role": role,
        "energy_joules": found.run_joules,
        "energy_to_target_joules": _to_target_joules(record),
        "energy_uncertainty_joules": found.uncertainty_joules if found.run_joules is not None else None,
        "energy_source": found.source or None,
        "energy_note": "; ".join(_notes(record)) or None,
        "energy_begin_millijoules": found.begin_mj,
        "energy_end_millijoules": found.end_mj,
        "cost_to_target_usd": cost_usd(cost_per_hour, to_target_seconds(HEADLINE, record)),
    }


def _to_target_joules(record: Record) -> float | None:
    """The energy to the target, None for a card that did not train."""
    found = record.telemetry.energy
    if record.telemetry.gpu.get("role") != _TRAINS:
        return None
    missed = record.status == "done" and record.crossing_index is None
    return math.inf if missed and found.run_joules is not None else found.to_target_joules


def _notes(record: Record) -> Iterator[str]:
    telemetry, found = record.telemetry, record.telemetry.energy
    if found.why_empty:
        yield found.why_empty
    known = found.run_joules is not None
    if not known and found.begin_mj is None:
        return
    if telemetry.gpu.get("role") != _TRAINS:
        yield "of a card that was watched and did not train"
    elif _to_target_joules(record) is None:
        yield from _why_not_to_target(record)
    calls = telemetry.gpu.get("calls")
    if known and isinstance(calls, Mapping) and calls.get("utilisation") == DIVIDED:
        yield "MIG is on, and this is the energy of the whole card"


def _why_not_to_target(record: Record) -> Iterator[str]:
    if record.crossing_index is not None:
        yield "the energy was not read at the end of the training that reached the target"
    elif record.status != "done":
        yield "the run ended before it reached the target"


def cost_usd(cost_per_hour: float | None, seconds: float | None) -> float | None:
    """Return the cost of a time as DAWNBench computes it: the price of an hour x the hours, not rounded."""
    return None if cost_per_hour is None or seconds is None else cost_per_hour * (seconds / 3600)


def epoch_cells(record: Record) -> dict[float, dict[str, Any]]:
    """The cells of EPOCH_COLUMNS by the epoch of the evaluation that followed the training."""
    return {
        each.epoch: {
            "train_joules": each.train_joules,
            "train_joules_uncertainty": each.train_uncertainty_joules,
        }
        for each in record.telemetry.epochs
    }


def summary_cells(group: pd.DataFrame, counted: pd.DataFrame) -> dict[str, Any]:
    """The cells of SUMMARY_COLUMNS, of one configuration's runs, all of them and those that count."""
    return {
        "gpu_role": ";".join(sorted(set(counted["gpu_role"].dropna()))) or None,
        **(_back_to_back(group, counted) or _single(counted)),
        "energy_to_target_joules": censored.median(_known(counted["energy_to_target_joules"])),
        "cost_to_target_usd": censored.median(_known(counted["cost_to_target_usd"])),
    }


def _single(counted: pd.DataFrame) -> dict[str, Any]:
    joules = _known(counted["energy_joules"])
    if not joules:
        return {}
    uncertain = _known(counted["energy_uncertainty_joules"])
    integrated = bool((counted["energy_source"] == "power").any())
    source = ", by readings of power" if integrated else ""
    return {
        "energy_joules": math.fsum(joules) / len(joules),
        "energy_uncertainty_joules": math.fsum(uncertain) / len(joules) if len(uncertain) == len(joules) else None,
        "energy_basis": f"mean of {len(joules)} runs{source}" if len(joules) > 1 else f"one run{source}",
    }


def _back_to_back(group: pd.DataFrame, counted: pd.DataFrame) -> dict[str, Any] | None:
    """Runs too short to be measured one by one, from the start of the first to the end of the last.

    None where the runs are long enough, or no two of them followed each other.
    """
    lives = _known(counted["process_seconds"])
    if not lives or median(lives) >= SHORT_RUN_SECONDS:
        return None
    stretch = max(_stretches(group, set(counted.index)), key=len, default=[])
    if len(stretch) < 2:
        return None
    first, last, count = stretch[0], stretch[-1], len(stretch)
    gaps_seconds = math.fsum(float(row["idle_seconds"]) for row in stretch[1:])
    # One edge is of the first run and one of the last; each is half of its run's uncertainty; NaN is not known.
    uncertain = [row["energy_uncertainty_joules"] for row in (first, last)]
    return {
        "energy_joules": (last["energy_end_millijoules"] - first["energy_begin_millijoules"]) / 1000 / count,
        "energy_uncertainty_joules": math.fsum(uncertain) / 2 / count,
        "energy_basis": f"{count} runs back to back, {gaps_seconds:.1f} s between them included",
    }


def _stretches(group: pd.DataFrame, counted: set[Any]) -> list[list[Any]]:
    """Rows of runs that count, were measured by the counter, and followed each other with no other run between.

    A run knows how long before it another one ended; the start times show whether that was the run of the row before.
    """
    rows = [(_started(row["utc"]), index, row) for index, row in group.iterrows()]
    ordered = sorted(((start, index, row) for start, index, row in rows if start is not None), key=lambda each: each[0])
    stretches: list[list[Any]] = [[]]
    before: tuple[float, Any] | None = None
    for start, index, row in ordered:
        if index not in counted or _unknown(row, "energy_begin_millijoules", "energy_end_millijoules"):
            stretches.append([])
            before = None
            continue
        if before is None or not _follows(start, row, *before):
            stretches.append([])
        stretches[-1].append(row)
        before = (start, row)
    return stretches


def _follows(start: float, row: Any, start_before: float, before: Any) -> bool:
    if _unknown(row, "idle_seconds") or _unknown(before, "process_seconds"):
        return False
    gap_seconds = start - start_before - before["process_seconds"]
    grew = row["energy_begin_millijoules"] >= before["energy_end_millijoules"]
    return bool(grew and abs(gap_seconds - row["idle_seconds"]) <= _CLOCK_SLIP_SECONDS)


def _started(utc: Any) -> float | None:
    """When a run began, in seconds since 1970, None where its row does not say."""
    try:
        moment = datetime.fromisoformat(utc)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _unknown(row: Any, *names: str) -> bool:
    return any(pd.isna(row[name]) for name in names)


def _known(values: Any) -> Sequence[float]:
    return [float(each) for each in values.dropna()]
