"""What ``bench report`` gives a campaign's tables and figures as, beside the CSV files and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis import figures
from bench.record import Record, StoredCampaign
from bench.report import PARQUET, campaign_files, pictures
from bench.report import markdown as form

if TYPE_CHECKING:
    import pandas as pd


def require(forms: Sequence[str]) -> None:
    """Raise EnvironmentProblem, before anything is made, where a format needs what is not installed."""
    if PARQUET in forms:
        from bench.report import parquet

        parquet.require()


def markdown(
    title: str,
    records: Sequence[Record],
    made: Mapping[str, pd.DataFrame],
    notes: Sequence[str] = (),
    after: Sequence[str] = (),
) -> str:
    """The summary and the seeds as Markdown to paste; ``notes`` stand before those that the tables tell."""
    told = [*notes, *campaign_files.notes_of(records, made["summary"]), *after]
    return form.text(title, records, made["runs"], made["summary"], told)


def write_parquet(folder: Path, made: Mapping[str, pd.DataFrame]) -> str:
    """Write each table as the Parquet file of its name, and say so. Raises EnvironmentProblem for a full disk."""
    from bench.report import parquet

    for name, frame in made.items():
        parquet.write(frame, folder / f"{name}.parquet")
    return f"{', '.join(f'{name}.parquet' for name in made)} are in {folder}."


def draw_figures(campaign: StoredCampaign, records: Sequence[Record], title: str, folder: Path, form: str) -> str:
    """Draw the page's figures into ``folder``; what was drawn and what has no picture, in lines.

    Raises EnvironmentProblem where the disk does not take a picture.
    """

    drawn, left_out = pictures.write(figures.campaign(records, campaign_files.ticks_of(campaign)), folder, form, title)
    count = f"{len(drawn)} picture{'' if len(drawn) == 1 else 's'}"
    return "\n".join([f"{count} of the page's figures {'is' if len(drawn) == 1 else 'are'} in {folder}.", *left_out])
