"""The table of a measurement of the input, for the command that makes one and the one that reports on it."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from bench.analysis import stalls
from bench.record.stalls import load_stalls
from bench.report import stalls as shown
from bench.report import tables

TABLE_FILE = "stalls.csv"


def write(folder: Path) -> None:
    """Write ``stalls.csv`` from the events of both inputs. Raises EnvironmentProblem where the disk is full."""
    _, records = load_stalls(folder)
    tables.write(stalls.table(records), folder / TABLE_FILE)


def show(folder: Path, out: TextIO) -> None:
    """Print the table and its answer."""
    stored, records = load_stalls(folder)
    shown.show(stored, stalls.table(records), out)
