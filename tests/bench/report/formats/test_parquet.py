"""Parquet files hold what the CSV files hold, with types, and without pyarrow one sentence says what to type."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis import frames
from bench.analysis.columns import FILES
from bench.errors import EnvironmentProblem
from bench.report.formats import csv, parquet
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds

pq = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow; type `make parquet`")
RUNS = [
    *five_seeds(),
    Run(seed=5, machine=Machine()),
    Run(seed=6, status="failed", correct=()),
    Run(seed=7, recipe="=a"),
]


def made() -> dict[str, pd.DataFrame]:
    records = tuple(with_verdict(run.record()) for run in RUNS)
    runs = frames.runs(records, 3.06)
    return {"runs": runs, "epochs": frames.epochs(records), "summary": frames.summary(runs)}


@pytest.mark.parametrize("name", ["runs", "epochs", "summary"])
def test_names_order_types_and_values_are_those_of_the_csv(tmp_path: Path, name: str) -> None:
    frame = made()[name]
    parquet.write_table(frame, tmp_path / f"{name}.parquet")
    csv.write_table(frame, tmp_path / f"{name}.csv")
    table = pq.read_table(tmp_path / f"{name}.parquet")
    types = {"text": "string", "whole": "int64", "number": "double"}
    assert [(field.name, str(field.type)) for field in table.schema] == [
        (column.name, types[column.kind]) for column in FILES[f"{name}.csv"]
    ]
    read = csv.read_table(tmp_path / f"{name}.csv")
    for column in FILES[f"{name}.csv"]:
        told = [None if pd.isna(value) else value for value in read[column.name].tolist()]
        assert table[column.name].to_pylist() == told, column.name


def test_a_miss_is_infinite_and_what_is_not_known_is_null(tmp_path: Path) -> None:
    parquet.write_table(made()["runs"], tmp_path / "runs.parquet")
    table = pq.read_table(tmp_path / "runs.parquet")
    assert table["dawnbench_seconds"].to_pylist()[2] == math.inf
    assert table["reached_epoch"].to_pylist()[2] is None
    assert table["energy_joules"].to_pylist()[:1] == [None]
    assert table["recipe"].to_pylist()[7] == "=a"


def test_every_column_says_its_unit_and_its_meaning(tmp_path: Path) -> None:
    parquet.write_table(made()["runs"], tmp_path / "runs.parquet")
    field = pq.read_schema(tmp_path / "runs.parquet").field("dawnbench_seconds")
    assert field.metadata[b"unit"] == b"s"
    assert b"inf for a miss" in field.metadata[b"meaning"]


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        parquet.write_table(made()["epochs"], tmp_path / place / "epochs.parquet")
    assert (tmp_path / "a" / "epochs.parquet").read_bytes() == (tmp_path / "b" / "epochs.parquet").read_bytes()


def test_without_pyarrow_one_sentence_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = made()["runs"]  # first, as pandas keeps texts in pyarrow's arrays where it has found it
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentProblem, match="`make parquet`"):
        parquet.write_table(runs, tmp_path / "runs.parquet")
    assert list(tmp_path.iterdir()) == []
