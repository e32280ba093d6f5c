"""CSV files of the frames: deterministic, atomic, exact, and safe to open in a spreadsheet.

UTF-8, LF, one header line, numbers in full, ``inf`` for what was never reached, an empty cell for what is not known.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.columns import FILES, VERSION_COLUMN, VERSIONS, Column
from bench.analysis.frames import frame
from bench.errors import DataError
from bench.record import TELEMETRY_FILE, replace_file
from bench.report.facts.campaign import CampaignFacts
from bench.system.files import plainly

HELP = "runs.csv, epochs.csv and summary.csv (always written)"

#: A spreadsheet runs a cell that begins like this as a formula (OWASP, CSV injection); a `'` before it makes it text.
#: Texts that have such a `'` of their own get one more, so that reading takes away exactly what writing put there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write(facts: CampaignFacts, out: Path) -> tuple[str, ...]:
    """Write the tables of a campaign into a folder. Raises EnvironmentProblem for a full disk."""
    for name, table in facts.tables.items():
        write_table(table, out / f"{name}.csv")
    return tuple(f"{name}.csv" for name in facts.tables)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as one of the files, by its name. Raises EnvironmentProblem for a full disk."""
    replace_file(path, table_text(frame, path.name))


def table_text(frame: pd.DataFrame, name: str) -> str:
    """Return a frame as the text of the file of this name; the version of the table is its last column."""
    columns = FILES[name]
    cells = [_cells(column, frame[column.name]) for column in columns]
    header = [column.name for column in columns]
    if name in VERSIONS:
        header.append(VERSION_COLUMN)
        cells.append([str(VERSIONS[name])] * len(frame))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def read_table(path: Path) -> pd.DataFrame:
    """Return the frame of a file that ``write_table`` wrote; further columns in it are ignored.

    Raises DataError for a file that is missing, cut off, or holds something else.
    """
    columns = FILES[path.name]
    again = f"rebuild it with `python -m bench report {path.parent}`"
    again = "it cannot be rebuilt; restore it from a backup" if path.name == TELEMETRY_FILE else again
    try:
        with open(path, encoding="utf-8-sig", newline="", opener=plainly) as stream:
            header, *rows = list(csv.reader(stream, strict=True)) or [[]]
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})", again) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file ({error})", again) from None
    missing = [column.name for column in columns if column.name not in header]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]}", again)
    short = next((number for number, row in enumerate(rows, start=2) if len(row) != len(header)), None)
    if short is not None:
        raise DataError(
            f"{path} has a row of {len(rows[short - 2])} cells for {len(header)} columns in row {short}", again
        )
    try:
        return frame(columns, [_values(columns, dict(zip(header, row, strict=True))) for row in rows])
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} has a cell that is not a number: {error}", again) from None


def _cells(column: Column, values: pd.Series[Any]) -> list[str]:
    # As lists: one by one pandas takes most of the time of a table.
    listed = zip(values.isna().tolist(), values.tolist(), strict=True)
    if column.kind == "text":
        return ["" if missing else neutral(str(value)) for missing, value in listed]
    if column.kind == "number":
        return ["" if missing else repr(float(value)) for missing, value in listed]
    return ["" if missing else str(int(value)) for missing, value in listed]


def neutral(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _values(columns: Sequence[Column], cells: dict[str, str]) -> dict[str, object]:
    return {column.name: _value(column, cells[column.name]) for column in columns}


def _value(column: Column, cell: str) -> object:
    if cell == "":
        return None
    if column.kind == "text":
        return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
    number = float(cell) if column.kind == "number" else int(cell)
    if math.isnan(number):
        raise ValueError("NaN is never written")
    return number
