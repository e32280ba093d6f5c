"""How long training waited for its input, as columns: the waits themselves, and what of them was a stall.

A wait has a floor, what it costs where the next batch is ready; only what is beyond it is a stall. A trainer whose
dataset rests on the device never waits: its cells are empty, not 0.
"""

from __future__ import annotations

import math
from typing import Any

from bench.record import Column, Record

_STALLS = (
    Column(
        "stall_seconds", "number", "s", "time the steps waited for input beyond the floor; empty for input `device`"
    ),
    Column("stall_share", "number", "", "that, as a share of the training it was measured in"),
)
RUN_COLUMNS = _STALLS
EPOCH_COLUMNS = (
    *_STALLS,
    Column("wait_floor_us", "number", "us", "the floor: a wait for a batch that is ready"),
    Column("buffer_samples", "whole", "", "looks at the prefetch buffer; empty where it cannot be seen"),
    Column("buffer_level_mean", "number", "batches", "batches that were ready, mean of the looks"),
    Column("buffer_capacity", "whole", "batches", "batches that the buffer holds"),
    Column("buffer_empty_share", "number", "", "share of the looks that found it empty"),
)


def run_cells(record: Record) -> dict[str, Any]:
    """The cells of RUN_COLUMNS, over the training of which the waits are known."""
    if record.input == "device":
        return {}
    trained: dict[float | None, int] = {}
    for phase in record.phases:
        if phase.name == "train_k":
            trained[phase.epoch] = trained.get(phase.epoch, 0) + phase.duration_ns
    stalled = {each.epoch: each.stall_seconds for each in record.waits if each.epoch in trained}
    known = {epoch: seconds for epoch, seconds in stalled.items() if seconds is not None}
    if not known:
        return {}
    seconds, train_ns = math.fsum(known.values()), sum(trained[epoch] for epoch in known)
    return {"stall_seconds": seconds, "stall_share": seconds / (train_ns / 1e9) if train_ns else None}


def epoch_cells(record: Record) -> list[dict[str, Any]]:
    """The cells of EPOCH_COLUMNS of each evaluation, in their order."""
    if record.input == "device":
        return [{} for _ in record.epochs]
    waits = {each.epoch: each for each in record.waits}
    rows = []
    for each in record.epochs:
        row: dict[str, Any] = {"stall_seconds": each.stall_seconds}
        if each.stall_seconds is not None and each.train_seconds:
            row["stall_share"] = each.stall_seconds / each.train_seconds
        seen = waits.get(each.epoch)
        if seen is not None:
            row |= {
                "wait_floor_us": seen.floor_us,
                "buffer_samples": seen.level_samples,
                "buffer_level_mean": seen.level_mean,
                "buffer_capacity": seen.level_capacity,
                "buffer_empty_share": seen.level_empty_share,
            }
        rows.append(row)
    return rows
