"""What the two sides of an A/B say beside each other, for the command that makes one and the one that reports on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from bench.analysis.comparison import TELL_PERCENT, compare
from bench.record import CAMPAIGN_FILE, holds
from bench.record.ab import SIDES, read_ab
from bench.report import comparison_files

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison

NOTHING_YET = "There is nothing to compare yet: each side needs a run."


def compared(folder: Path) -> Comparison | None:
    """The comparison of the sides in ``folder``; None where one has no run yet.

    Raises DataError where a side or ``ab.json`` is damaged.
    """

    read_ab(folder)  # Before "nothing yet" is said of a folder that is damaged.
    if not all(holds(folder / name, CAMPAIGN_FILE) for name in SIDES):
        return None
    sides = comparison_files.sides([folder])
    return compare(sides, TELL_PERCENT) if all(side.records for side in sides) else None


def show(comparison: Comparison | None, out: TextIO) -> None:
    """Print the ``comparison``, or that there is none yet."""
    if comparison is None:
        click.echo(NOTHING_YET, file=out)
        return
    comparison_files.show(comparison, out)


def write(folder: Path, comparison: Comparison | None) -> None:
    """Write the comparison's files into ``folder``, where there is one. Raises EnvironmentProblem for a full disk."""
    if comparison is not None:
        comparison_files.write(comparison, folder)
