"""The tables of an experiment, of any kind: made from the events of its arms, written and printed."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from bench.analysis import ablation, stalls
from bench.analysis.comparison import TELL_PERCENT, Comparison, compare
from bench.record import CAMPAIGN_FILE, holds, replace_file
from bench.record.experiment import (
    StoredAB,
    StoredAblation,
    StoredStalls,
    kind_of,
    load_experiment,
    read_experiment,
)
from bench.report import ablation as ablation_text
from bench.report import comparison_files, terminal
from bench.report import stalls as stalls_text
from bench.report.formats.csv import write_table
from bench.rules import with_verdict

NOTHING_YET = "There is nothing to compare yet: each side needs a run."


def publish(folder: Path, out: TextIO | None, *, write: bool = True) -> Comparison | None:
    """Write the tables of the experiment in ``folder`` and print them to ``out``; return the comparison of an A/B.

    Raises DataError where the folder is damaged, EnvironmentProblem where the disk does not take a file.
    """
    kind = kind_of(folder)
    if kind is StoredAB:
        return _publish_ab(folder, out, write)
    _publish_stalls(folder, out, write) if kind is StoredStalls else _publish_ablation(folder, out, write)
    return None


def compared(folder: Path) -> Comparison | None:
    """Return the comparison of the sides of an A/B; None where one has no run yet.

    Raises DataError where a side or ``ab.json`` is damaged.
    """
    # Read first: a damaged folder is not one where nothing was run yet.
    if not all(holds(folder / name, CAMPAIGN_FILE) for name in read_experiment(folder, StoredAB).arms):
        return None
    sides = comparison_files.sides([folder])
    return compare(sides, TELL_PERCENT) if all(side.records for side in sides) else None


def _publish_ab(folder: Path, out: TextIO | None, write: bool) -> Comparison | None:
    comparison = compared(folder)
    if write and comparison is not None:
        comparison_files.write(comparison, folder)
    if out is not None and comparison is not None:
        comparison_files.show(comparison, out)
    elif out is not None:
        click.echo(NOTHING_YET, file=out)
    return comparison


def _publish_ablation(folder: Path, out: TextIO | None, write: bool) -> None:
    stored, found = load_experiment(folder, StoredAblation)
    records = {name: tuple(map(with_verdict, each)) for name, each in found.items()}
    frame = ablation.table(stored, records)
    if write:
        write_table(frame, folder / "ablation.csv")
        replace_file(folder / "ablation.md", ablation_text.markdown(stored, frame, records))
    if out is not None:
        terminal.show(lambda width, colour: ablation_text.render(stored, frame, records, width, colour), out)


def _publish_stalls(folder: Path, out: TextIO | None, write: bool) -> None:
    stored, records = load_experiment(folder, StoredStalls)
    frame = stalls.table(records)
    if write:
        write_table(frame, folder / "stalls.csv")
    if out is not None:
        terminal.show(lambda width, colour: stalls_text.render(stored, frame, width, colour), out)
