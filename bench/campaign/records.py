"""The record of a run, written when the run is over."""

from __future__ import annotations

from pathlib import Path

from bench.record import EVENTS_FILE, RECORD_FILE, Record, build_record_from, write
from bench.rules import with_verdict


def write_record(run_folder: Path) -> Record:
    """Build a run's record from its events, with its verdict, and write ``record.json``."""
    record = with_verdict(build_record_from(run_folder / EVENTS_FILE))
    write(record, run_folder / RECORD_FILE)
    return record
