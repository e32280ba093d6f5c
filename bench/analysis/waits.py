"""How long training waited for its input, as columns: the waits, and the stalls among them.

A wait has a baseline, its duration when the next batch is ready; a stall is the time beyond it. The stalls of a run are
those after its first epoch, whose waits include first-use costs; each epoch has its own. A trainer whose dataset is on
the device never waits: its cells are empty, not 0.
"""

from __future__ import annotations

import math
from typing import Any

from bench.record import Column, Record, input_waits

_STALLED = "time the steps waited for input beyond the baseline"
RUN_COLUMNS = (
    Column("stall_seconds", "number", "s", f"{_STALLED}, after the first epoch; empty for input `device`"),
    Column("stall_share", "number", "", "that, as a share of the training it was measured in; empty for one epoch"),
)
EPOCH_COLUMNS = (
    Column("stall_seconds", "number", "s", f"{_STALLED}; empty for input `device`"),
    Column("stall_share", "number", "", "that, as a share of the training it was measured in"),
    Column("wait_floor_us", "number", "us", "the baseline: a wait for a batch that is ready"),
    Column("buffer_samples", "whole", "", "readings of the prefetch buffer; empty where it cannot be read"),
    Column("buffer_level_mean", "number", "batches", "batches that were ready, mean of the readings"),
    Column("buffer_capacity", "whole", "batches", "batches that the buffer holds"),
    Column("buffer_empty_share", "number", "", "share of the readings that found it empty"),
)


def run_cells(record: Record) -> dict[str, Any]:
    """The cells of RUN_COLUMNS, over the training after the first epoch of which the waits are known."""
    if record.input == "device":
        return {}
    known = input_waits.after_first(record)
    if not known:
        return {}
    return {
        "stall_seconds": math.fsum(each.stall_seconds for each in known),
        "stall_share": input_waits.stall_share(known),
    }


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
