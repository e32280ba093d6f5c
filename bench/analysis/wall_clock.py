"""The wall clock of a run, of retries after misses, and of a whole campaign; and the median run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.analysis import censored
from bench.record import Column, Record

RUN_COLUMNS = (
    Column(
        "campaign_wall_seconds",
        "number",
        "s",
        "from the start of `bench run` to the end of this run, earlier sessions of the campaign added",
    ),
    Column(
        "process_start_seconds",
        "number",
        "s",
        "what only the first run of a process takes: imports, device, data, compilation, exit",
    ),
)
SUMMARY_COLUMNS = (
    Column(
        "wall_median_seconds",
        "number",
        "s",
        "median wall clock from the start of the process to the evaluation that reached the target, misses infinite",
    ),
    Column(
        "expected_wall_seconds",
        "number",
        "s",
        "mean wall clock to the first success where a miss is followed by another process; inf for none",
    ),
    Column(
        "campaign_wall_seconds",
        "number",
        "s",
        "from the start of `bench run` to the end of the last run, sessions summed; empty where runs do not know it",
    ),
    Column(
        "median_run_seed",
        "whole",
        "",
        "seed of the median run of those that reached the target, of an even number the slower of the two middle ones",
    ),
    Column("median_run_seconds", "number", "s", "its time to the target, on the clock of the row"),
    Column("median_run_compile_seconds", "number", "s", "its compilation"),
    Column("median_run_cold_seconds", "number", "s", "its time to the target with compilation"),
    Column("median_run_wall_seconds", "number", "s", "its wall clock to the target"),
    Column(
        "expected_wall_low_seconds",
        "number",
        "s",
        "expected_wall_seconds at success_high; what the times vary by is not in it",
    ),
    Column("expected_wall_high_seconds", "number", "s", "the same at success_low"),
    Column(
        "expected_wall_same_process_seconds",
        "number",
        "s",
        "the same where a miss is followed by another run in the same process, which needs no start and no compilation",
    ),
    Column("expected_wall_same_process_low_seconds", "number", "s", "it at success_high"),
    Column("expected_wall_same_process_high_seconds", "number", "s", "it at success_low"),
)
#: The phases that a second run of the same process would have, too.
_OF_EACH_RUN = frozenset({"build", "preprocess", "final_eval", "train_k", "eval_k", "checkpoint_k"})


def run_cells(record: Record) -> dict[str, Any]:
    """The cells of RUN_COLUMNS."""
    return {"process_start_seconds": _start_seconds(record), **_campaign_cells(record)}


def _start_seconds(record: Record) -> float | None:
    if record.life_ns is None or (record.runs or 1) > 1 or not record.phases:
        return None
    return (record.life_ns - sum(each.duration_ns for each in record.phases if each.name in _OF_EACH_RUN)) / 1e9


def _campaign_cells(record: Record) -> dict[str, Any]:
    began_ns, before = _began_ns(record), record.circumstances.get("earlier_sessions_seconds")
    if began_ns is None or record.exited_ns is None or not isinstance(before, (int, float)):
        return {}
    if isinstance(before, bool) or not 0 <= before < math.inf:
        return {}
    return {"campaign_wall_seconds": before + (record.exited_ns - began_ns) / 1e9}


def _began_ns(record: Record) -> int | None:
    """When the session of a run began; None where it does not say so, or cannot mean it."""
    began_ns, spawned_ns = record.circumstances.get("session_began_ns"), record.spawned_ns
    if not isinstance(began_ns, int) or isinstance(began_ns, bool) or spawned_ns is None:
        return None
    return began_ns if 0 <= began_ns <= spawned_ns else None


def sessions_seconds(records: Iterable[Record]) -> float | None:
    """The wall clock of a campaign's sessions up to now: of each, from its start to the end of its last run.

    None where a run does not know when its session began, as those of older versions.
    """
    ends_ns: dict[int, int] = {}
    for record in records:
        began_ns = _began_ns(record)
        if began_ns is None:
            return None
        received = (*(each.received_ns for each in record.phases), *(each.received_ns for each in record.epochs))
        # A busy harness may read the last events after the exit; without one it was killed, and they are all there is.
        stamps = (record.spawned_ns, *received) if record.exited_ns is None else (record.exited_ns,)
        ends_ns[began_ns] = max(ends_ns.get(began_ns, 0), *(each for each in stamps if each is not None))
    return math.fsum((end_ns - began_ns) / 1e9 for began_ns, end_ns in ends_ns.items())


def summary_cells(counted: pd.DataFrame, every: pd.DataFrame, planned: int) -> dict[str, Any]:
    """The cells of SUMMARY_COLUMNS from the rows of ``runs.csv`` that count, and from ``every`` row.

    Of more runs ``planned`` than count, what a try costs is not known.
    """
    hits = counted[counted["reached_epoch"].notna() & counted["dawnbench_seconds"].notna()]
    campaign = every["campaign_wall_seconds"].max()
    cells = {
        "wall_median_seconds": censored.median([float(each) for each in counted["wall_seconds"].dropna()]),
        "campaign_wall_seconds": None if pd.isna(campaign) else float(campaign),
        **_expected(counted, planned),
    }
    if hits.empty:
        return cells
    run = hits.sort_values(["dawnbench_seconds", "seed"]).iloc[len(hits) // 2]
    names = {"": "dawnbench", "compile_": "compile", "cold_": "dawnbench_cold", "wall_": "wall"}
    chosen = {f"median_run_{short}seconds": run[f"{name}_seconds"] for short, name in names.items()}
    return {**cells, "median_run_seed": None if pd.isna(run["seed"]) else int(run["seed"]), **chosen}


def _expected(counted: pd.DataFrame, planned: int) -> dict[str, float]:
    """The expected wall clock to the first success, with every retry in a new process and in the same one."""
    missed = counted["reached_epoch"].isna()
    wall = list(counted.loc[~missed, "wall_seconds"])
    cells: dict[str, float] = {}
    for name, first in (("", 0.0), ("same_process_", counted["process_start_seconds"])):
        whole = counted["process_seconds"] - first  # What a miss takes.
        misses, lengths = list(whole[missed]), list(whole[~missed])
        if len(counted) < planned or any(map(math.isnan, (*wall, *misses))):
            continue
        known = [each for each in lengths if not math.isnan(each)]
        found = censored.expected_interval(wall, misses, known)
        ends = (("", found.estimate), ("low_", found.low), ("high_", found.high))
        cells |= {f"expected_wall_{name}{end}seconds": value for end, value in ends}
    return cells
