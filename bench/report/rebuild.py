"""Rebuild the tables of a folder that holds several campaigns: an experiment, of any kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from bench.errors import UsageError
from bench.record import CAMPAIGN_FILE, holds, load_campaign, read_experiment
from bench.record.experiment import kind_of
from bench.report import campaign_files, experiments


def experiment(folder: Path, out: TextIO, more: bool) -> str | None:
    """Rebuild and print the tables of ``folder`` and return the closing sentence; None where it is no experiment.

    A folder that cannot be written to is only printed. Raises UsageError where ``more`` than tables was requested.
    """
    kind = kind_of(folder)
    if kind is None:
        return None
    arms = read_experiment(folder, kind).arms  # Raises for a damaged folder before anything is written into it.
    if more:
        raise UsageError(
            f"{folder} is {kind.what}, of which there is neither a picture nor a DAWNBench pair",
            f"name one of its campaigns, such as {folder / arms[0]}",
        )
    writable = os.access(folder, os.W_OK)
    if writable:
        begun = [load_campaign(folder / name) for name in arms if holds(folder / name, CAMPAIGN_FILE)]
        for each in begun:
            campaign_files.build(each).write()
    experiments.publish(folder, out, write=writable)
    return rebuilt(folder) if writable else read_only(folder)


def rebuilt(folder: Path) -> str:
    """Return the sentence that tables now fit the events."""
    return f"Rebuilt records and tables in {folder}."


def read_only(folder: Path) -> str:
    """Return the sentence that nothing was written."""
    return f"{folder} is read-only: its files were left as they are."
