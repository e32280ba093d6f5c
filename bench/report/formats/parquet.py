"""The tables of a campaign as Parquet files, for readers that use pandas, DuckDB or Spark.

Names, order and types of the columns are those of the CSV files, and every column carries its unit and its meaning.
What is not known is null, what was never reached is infinite, and a text is unchanged: no program runs such a cell.
pyarrow writes them, an optional library (`make parquet`), so it is imported where it is used.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.columns import FILES, Column
from bench.errors import EnvironmentProblem
from bench.record import replace_file
from bench.report.facts.campaign import CampaignFacts

HELP = "the three tables as .parquet files (needs `make parquet`)"


def require() -> None:
    """Raise EnvironmentProblem where pyarrow or Pillow is not installed."""
    try:
        import PIL  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError:
        raise EnvironmentProblem(
            "Parquet files need pyarrow and Pillow, which are not installed",
            "run `make parquet` (54 MB to download), then repeat the command",
        ) from None


def write(facts: CampaignFacts, out: Path) -> tuple[str, ...]:
    """Write the tables of a campaign into a folder. Raises EnvironmentProblem for a full disk or without pyarrow."""
    for name, table in facts.tables.items():
        write_table(table, out / f"{name}.parquet")
    return tuple(f"{name}.parquet" for name in facts.tables)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as ``runs.parquet`` and the like. Raises EnvironmentProblem for a full disk or without pyarrow."""
    require()
    import pyarrow
    import pyarrow.parquet

    columns = FILES[path.with_suffix(".csv").name]
    fields = [
        pyarrow.field(each.name, _type(each), metadata={"unit": each.unit, "meaning": each.meaning}) for each in columns
    ]
    arrays = [pyarrow.array(_values(frame[each.name]), field.type) for each, field in zip(columns, fields, strict=True)]
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields)), out)
    replace_file(path, out.getvalue())


def _type(column: Column) -> Any:
    import pyarrow

    return {"text": pyarrow.string(), "whole": pyarrow.int64(), "number": pyarrow.float64()}[column.kind]


def _values(values: pd.Series[Any]) -> list[Any]:
    listed = zip(values.isna().tolist(), values.tolist(), strict=True)
    return [None if missing else value for missing, value in listed]
