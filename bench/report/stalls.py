"""What the input costs, as text: what will be measured, a row an epoch, and the answer with its indicators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench.analysis.stalls import COST_SHARE, INPUT_BOUND, NOT_ENOUGH
from bench.record.experiment import StoredStalls
from bench.report import terminal
from bench.report.terminal import PLAIN_WIDTH
from bench.report.text import UNKNOWN, counted
from bench.rules.data import EMPTY_SHARE, STALL_SHARE

NOT_APPLICABLE = (
    "Input stalls: not applicable. With INPUT=device the dataset rests on the device and batches are made where they "
    "are used, so no step waits for one; INPUT=host has an input to measure."
)
STAND_IN = "The built-in stand-in checks the harness; what its input costs says nothing about CIFAR-10's."
_HEADER = ("epoch", "waited", "buffer", "empty", "host s", "memory s", "input costs", "answer")


def plan(stored: StoredStalls) -> list[str]:
    """Return lines to print before anything runs: what is compared and what decides."""
    return [
        f"What the host's input costs {stored.recipe}: {counted(len(stored.seeds), 'pair')} of runs, interleaved, one "
        "with the host's input and one with its control, whose batches are ready in memory; "
        f"{stored.epochs} epochs each, the first left out.",
        f"input-bound needs two indicators: over {_percent(STALL_SHARE)} of training waited for input, and either the "
        f"prefetch buffer empty in {_percent(EMPTY_SHARE)} or more of the samples, or a control that saves over "
        f"{_percent(COST_SHARE)} with its 95 % interval above 0.",
    ]


def render(stored: StoredStalls, frame: pd.DataFrame, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """Return the table and the answer as text, no line longer than ``width`` (40 at least)."""
    lines = conclusion(stored, frame)
    return terminal.report(_HEADER, _cells(frame), lines, width, colour, left=("answer",), wrapped=_HEADER)


def conclusion(stored: StoredStalls, frame: pd.DataFrame) -> list[str]:
    """Return the answer in words, and what a reader of it must know."""
    whole = frame.iloc[-1]
    lines = [f"{whole['answer']}: {'; '.join(_indicators(whole))}."]
    if whole["answer"] == NOT_ENOUGH:
        lines.append("Run more pairs: at least two, `--pairs 5` for a narrow interval.")
    elif whole["answer"] == INPUT_BOUND:
        lines.append("Give the input more CPU time (--threads), or keep the dataset on the device with INPUT=device.")
    elif not pd.isna(whole["cost_share_low"]) and whole["cost_share_low"] > 0 and whole["cost_share"] > COST_SHARE:
        lines.append(
            "What the input costs was not waiting; it may be its own work on the CPU cores that the step uses."
        )
    wanted, compared = len(stored.seeds), int(whole["pairs"])
    if compared < wanted:
        lines.append(
            f"Of {wanted} pairs only {compared} can be compared; see record.json of the others for the reason."
        )
    return [*lines, STAND_IN] if stored.dataset == "synthetic" else lines


def _indicators(whole: Any) -> Iterator[str]:
    if pd.isna(whole["stall_share"]):
        yield "no run recorded how long steps waited"
    else:
        yield f"steps waited for input in {_percent(whole['stall_share'])} of training"
    if not pd.isna(whole["buffer_empty_share"]):
        yield f"the prefetch buffer was empty in {_percent(whole['buffer_empty_share'])} of the samples"
    if pd.isna(whole["cost_share"]):
        yield "no control to compare with"
    else:
        yield f"compared with its control the input costs {_cost(whole)}"


def _cells(frame: pd.DataFrame) -> Iterator[Sequence[str]]:
    for _, row in frame.iterrows():
        level = UNKNOWN
        if not pd.isna(row["buffer_level_mean"]):
            level = f"{row['buffer_level_mean']:.1f} of {row['buffer_capacity']}"
        yield (
            "all" if pd.isna(row["epoch"]) else f"{row['epoch']:g}",
            _percent(row["stall_share"]),
            level,
            _percent(row["buffer_empty_share"]),
            _seconds(row["host_seconds"]),
            _seconds(row["memory_seconds"]),
            _cost(row),
            str(row["answer"]),
        )


def _cost(row: Any) -> str:
    if pd.isna(row["cost_share"]):
        return UNKNOWN
    ends = ""
    if not pd.isna(row["cost_share_low"]):
        ends = f" ({100 * row['cost_share_low']:.1f} to {100 * row['cost_share_high']:.1f})"
    return f"{row['cost_seconds']:.3g} s, {100 * row['cost_share']:.1f} %{ends}"


def _percent(share: Any) -> str:
    return UNKNOWN if pd.isna(share) else f"{100 * share:.3g} %" if share >= 0.0005 else "0.0 %"


def _seconds(value: Any) -> str:
    return UNKNOWN if pd.isna(value) else f"{value:,.3f}"
