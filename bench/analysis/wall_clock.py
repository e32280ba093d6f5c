"""The wall clock beside the headline clock: of a run, of the retries that misses cost, and of a whole campaign; and the
median run, whose numbers may stand side by side.
"""

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
)


def run_cells(record: Record) -> dict[str, Any]:
    """The cells of RUN_COLUMNS: known of runs that `bench run` started."""
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
        heard = (*(each.received_ns for each in record.phases), *(each.received_ns for each in record.epochs))
        stamps = [each for each in (record.exited_ns, record.spawned_ns, *heard) if each is not None]
        ends_ns[began_ns] = max(ends_ns.get(began_ns, 0), *stamps)
    return math.fsum((end_ns - began_ns) / 1e9 for began_ns, end_ns in ends_ns.items())


def summary_cells(counted: pd.DataFrame, every: pd.DataFrame, planned: int) -> dict[str, Any]:
    """The cells of SUMMARY_COLUMNS from the rows of ``runs.csv`` that count, and from ``every`` row.

    Of more runs ``planned`` than count, what a try costs is not known.
    """
    hits = counted[counted["reached_epoch"].notna() & counted["dawnbench_seconds"].notna()]
    wall_hits = [float(each) for each in hits["wall_seconds"].dropna()]
    wall_misses = [float(each) for each in counted.loc[counted["reached_epoch"].isna(), "process_seconds"].dropna()]
    known = len(wall_hits) + len(wall_misses) == planned
    campaign = every["campaign_wall_seconds"].max()
    cells = {
        "wall_median_seconds": censored.median([float(each) for each in counted["wall_seconds"].dropna()]),
        "expected_wall_seconds": censored.expected_seconds(wall_hits, wall_misses) if known else None,
        "campaign_wall_seconds": None if pd.isna(campaign) else float(campaign),
    }
    if hits.empty:
        return cells
    run = hits.sort_values(["dawnbench_seconds", "seed"]).iloc[len(hits) // 2]
    names = {"": "dawnbench", "compile_": "compile", "cold_": "dawnbench_cold", "wall_": "wall"}
    chosen = {f"median_run_{short}seconds": run[f"{name}_seconds"] for short, name in names.items()}
    return {**cells, "median_run_seed": None if pd.isna(run["seed"]) else int(run["seed"]), **chosen}
