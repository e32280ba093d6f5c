"""The tables of a campaign as Parquet files, for who reads them with pandas, DuckDB or Spark.

Names, order and types of the columns are those of the CSV files, and every column carries its unit and its meaning.
What is not known is null, what was never reached is infinite, and a text is as it is: no program runs a cell of these.
pyarrow writes them, which is installed only where somebody asks for it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.columns import FILES, Column
from bench.errors import EnvironmentProblem
from bench.record import replace_file


def require() -> None:
    """Raise EnvironmentProblem, with what to type, where pyarrow or Pillow is not installed."""
    try:
        import PIL  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError:
        raise EnvironmentProblem(
            "a Parquet file needs pyarrow and Pillow, which are not installed here; type `make parquet` (54 MB to "
            "download), then the same command again."
        ) from None


def write(frame: pd.DataFrame, path: Path) -> None:
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
    told = zip(values.isna().tolist(), values.tolist(), strict=True)
    return [None if missing else value for missing, value in told]
