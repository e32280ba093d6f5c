"""The records of a campaign, written when its runs are over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench import record as records_on_disk
from bench.record import Record
from bench.rules import with_verdict

if TYPE_CHECKING:
    from bench.campaign.campaign import Campaign


def write_record(run_folder: Path) -> Record:
    """Fold a run's events, judge them, and write ``record.json`` beside them, sealed."""
    run = records_on_disk.load_run(run_folder)
    record = with_verdict(run.record)
    records_on_disk.write_run(run, record)
    return record


def write_missing_records(campaign: Campaign) -> None:
    """Write the records that a harness was killed before it could write; their runs are done and are not made again."""
    for seed in campaign.seeds:
        folder = campaign.run_folder(seed)
        if campaign.done(seed) and not (folder / records_on_disk.RECORD_FILE).exists():
            write_record(folder)
