"""The table of the seeds: every column of ``runs.csv`` with its exact values, the main ones first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analysis.columns import RUNS
from bench.record.clocks import CLOCKS

#: The columns shown at first, with their titles; a button shows the others, under their own names.
_FIRST = {
    "seed": "seed",
    "status": "status",
    "verdict": "verdict",
    "final_accuracy_percent": "accuracy %",
    "reached_epoch": "at epoch",
    "dawnbench_seconds": f"{CLOCKS['dawnbench'].label} s",
    "compile_seconds": "compile s",
    "dawnbench_cold_seconds": f"{CLOCKS['dawnbench-cold'].label} s",
    "run_seconds": f"{CLOCKS['run'].label} s",
    "train_seconds": f"{CLOCKS['train'].label} s",
    "wall_seconds": f"{CLOCKS['wall'].label} s",
    "fixed_work_seconds": f"fixed work, {CLOCKS['dawnbench'].label} s",
    "images_per_second": "images/s",
    "verdict_reasons": "reasons",
}


@dataclass(frozen=True)
class Heading:
    """A column: its title, its name in ``runs.csv``, what it means, and whether it is hidden at first (``extra``)."""

    title: str
    name: str
    meaning: str
    numeric: bool
    extra: bool


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and the number it is sorted by where that is different."""

    text: str
    sort: str = ""


@dataclass(frozen=True)
class Row:
    """A run."""

    status: str
    verdict: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class SeedTable:
    """All runs, and the choices of their filters."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    statuses: tuple[str, ...]
    verdicts: tuple[str, ...]


def of_runs(runs: pd.DataFrame) -> SeedTable:
    """Return the table of these runs; a column without any value is left out unless it is a main one."""
    by_name = {column.name: column for column in RUNS}
    known = [name for name in by_name if name not in _FIRST and runs[name].notna().any()]
    headings = tuple(
        Heading(
            title=_FIRST.get(name, name),
            name=name,
            meaning=by_name[name].meaning,
            numeric=by_name[name].kind != "text",
            extra=name not in _FIRST,
        )
        for name in (*_FIRST, *known)
    )
    rows = tuple(
        Row(text(row["status"]), text(row["verdict"]), tuple(_cell(row[each.name]) for each in headings))
        for _, row in runs.iterrows()
    )
    statuses = tuple(dict.fromkeys(each.status for each in rows if each.status))
    verdicts = tuple(dict.fromkeys(each.verdict for each in rows if each.verdict))
    return SeedTable(headings, rows, statuses, verdicts)


def text(value: Any) -> str:
    """Return a value as its CSV file holds it: numbers in full, empty where unknown."""
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, str):
        return value
    number = float(value)
    return repr(number) if isinstance(value, float) or not number.is_integer() else str(int(value))


def _cell(value: Any) -> Cell:
    if isinstance(value, float) and value == math.inf:
        return Cell("missed", sort="Infinity")
    return Cell(text(value))
