"""CSV files: exact, deterministic, safe, and readable back to the frame they came from."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import ablation as compared
from bench.analysis import comparison_table, frames, stalls
from bench.analysis.columns import EPOCHS, FILES, RUNS, SUMMARY
from bench.analysis.comparison import Side, compare
from bench.errors import DataError, EnvironmentProblem
from bench.record import build_record
from bench.report.formats.csv import read_table, table_text, write_table
from bench.rules import with_verdict
from tests.support.machines import Machine, telemetry_text
from tests.support.records import Run, ablation, finals, five_seeds, variant

TICKS = Run(machine=Machine()).ticks() or []
MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))


def row(path: Path, number: int = 1) -> dict[str, str]:
    header, *rows = path.read_text().splitlines()
    return dict(zip(header.split(","), rows[number - 1].split(","), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = [*(run.record() for run in five_seeds()), build_record([], seed=9)]
    runs = frames.runs(records)
    write_table(runs, tmp_path / "runs.csv")
    write_table(frames.epochs(records), tmp_path / "epochs.csv")
    write_table(frames.summary(runs), tmp_path / "summary.csv")
    write_table(ablation_frame(), tmp_path / "ablation.csv")
    write_table(comparison_frame(), tmp_path / "comparison.csv")
    write_table(stalls_frame(), tmp_path / "stalls.csv")
    (tmp_path / "telemetry.csv").write_text(telemetry_text(TICKS))
    return tmp_path


def ablation_frame() -> pd.DataFrame:
    declared = ablation(variant("base"), variant("other", "base"), variant("unseen", "base"))
    runs = {"base": finals(94.1, 94.0, 93.7), "other": finals(94.2, 93.9)}
    return compared.table(declared, {name: [run.record() for run in each] for name, each in runs.items()})


def comparison_frame() -> pd.DataFrame:
    sides = []
    for name, slower in (("A", 0.0), ("B", 0.4), ("=C()", 0.0)):
        runs = [Run(seed=seed, train_seconds=10 + slower + seed / 100) for seed in range(5)]
        place = 1_000_000_000_000 * (1 + len(sides))
        made = [replace(run, spawned_ns=place + run.seed * 1_000_000_000_000 // 10) for run in runs]
        sides.append(Side(name, "<b>two, words</b>", tuple(with_verdict(run.record()) for run in made)))
    return comparison_table.table(compare(sides))


def stalls_frame() -> pd.DataFrame:
    slower = replace(Run(), seed=1, train_seconds=10.5)
    memory = [replace(each, hello={"input": "memory"}, train_seconds=9.0) for each in (Run(), slower)]
    return stalls.table({"host": [Run().record(), slower.record()], "memory": [each.record() for each in memory]})


@pytest.mark.parametrize("file", FILES)
def test_what_is_read_back_is_what_was_written(folder: Path, file: str) -> None:
    frame = read_table(folder / file)
    assert len(frame) > 0
    text = table_text(frame, file)
    assert text == (folder / file).read_text()
    records = [*(run.record() for run in five_seeds()), build_record([], seed=9)]
    made = {
        "runs.csv": frames.runs(records),
        "epochs.csv": frames.epochs(records),
        "summary.csv": frames.summary(frames.runs(records)),
        "ablation.csv": ablation_frame(),
        "comparison.csv": comparison_frame(),
        "stalls.csv": stalls_frame(),
        "telemetry.csv": frames.frame(FILES["telemetry.csv"], TICKS),
    }
    pd.testing.assert_frame_equal(frame, made[file])


def test_a_miss_is_inf_and_an_unknown_is_empty(tmp_path: Path) -> None:
    write_table(frames.runs([MISS.record(), build_record([])]), tmp_path / "runs.csv")
    assert row(tmp_path / "runs.csv", 1)["dawnbench_seconds"] == "inf"
    assert row(tmp_path / "runs.csv", 1)["reached_epoch"] == ""
    unknown = row(tmp_path / "runs.csv", 2)
    assert (unknown["dawnbench_seconds"], unknown["peak_memory_bytes"], unknown["seed"]) == ("", "", "")


def test_numbers_are_written_in_full(tmp_path: Path) -> None:
    write_table(frames.epochs([Run(train_seconds=1 / 3).record()]), tmp_path / "epochs.csv")
    assert row(tmp_path / "epochs.csv")["train_seconds"] == "0.333333333"
    assert row(tmp_path / "epochs.csv", 3)["loss"] == repr(2 / 3)


@given(st.floats(allow_nan=False) | st.none())
def test_any_number_comes_back_as_it_was(number: float | None) -> None:
    frame = frames.frame(EPOCHS, [{"loss": number}])
    assert table_text(frame, "epochs.csv").splitlines()[1].split(",")[6] == ("" if number is None else repr(number))


def test_lines_end_in_lf_and_the_last_one_too(folder: Path) -> None:
    for file in FILES:
        content = (folder / file).read_bytes()
        assert content.endswith(b"\n")
        assert b"\r" not in content


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''-2", "'plain", '=cmd|" /C calc"!A0', "a,b", 'a"b']
)
def test_no_text_is_run_by_a_spreadsheet_and_every_one_comes_back(tmp_path: Path, name: str) -> None:
    frame = frames.frame(RUNS, [{"device": name}])
    write_table(frame, tmp_path / "runs.csv")
    assert read_table(tmp_path / "runs.csv")["device"][0] == name
    for cell in (tmp_path / "runs.csv").read_text().splitlines()[1].split(","):
        assert not cell.lstrip('"').startswith(("=", "+", "-", "@"))


def test_negative_numbers_are_numbers_and_stay_so(tmp_path: Path) -> None:
    write_table(frames.frame(EPOCHS, [{"loss": -1.5, "steps": -2}]), tmp_path / "epochs.csv")
    assert row(tmp_path / "epochs.csv")["loss"] == "-1.5"
    assert read_table(tmp_path / "epochs.csv")["steps"][0] == -2


@given(st.lists(st.text(max_size=12), max_size=5))
def test_any_text_comes_back_as_the_frame_had_it(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    names = [name.encode("utf-8", "replace").decode() for name in names]
    frame = frames.frame(SUMMARY, [{"device": name} for name in names])
    path = tmp_path_factory.mktemp("any") / "summary.csv"
    write_table(frame, path)
    pd.testing.assert_frame_equal(read_table(path), frame)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_table(frames.runs([run.record() for run in five_seeds()]), tmp_path / name / "runs.csv")
    assert (tmp_path / "a" / "runs.csv").read_bytes() == (tmp_path / "b" / "runs.csv").read_bytes()


def test_a_file_saved_by_a_spreadsheet_is_read(folder: Path) -> None:
    path = folder / "runs.csv"
    text = path.read_text().replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert math.isinf(read_table(path)["dawnbench_seconds"][2])


def test_further_columns_are_passed_over(folder: Path) -> None:
    path = folder / "summary.csv"
    path.write_text("".join(f"{line},x\n" for line in path.read_text().splitlines()))
    assert list(read_table(path).columns) == [column.name for column in SUMMARY]


@pytest.mark.parametrize(("content", "complaint"), [
    ("", "lacks the column seed"),
    ("a,b\n1,2\n", "lacks the column seed"),
    (",".join(c.name for c in RUNS) + "\n1,2,3\n", r"a row of 3 cells for \d+ columns in row 2"),
    (",".join(c.name for c in RUNS) + "\n" + ",".join(["x"] * len(RUNS)) + "\n", "not a number"),
    (",".join(c.name for c in RUNS) + "\n" + ",".join(["nan"] * len(RUNS)) + "\n", "not a number"),
    (",".join(c.name for c in RUNS) + "\n" + ",".join(["9" * 30] * len(RUNS)) + "\n", "not a number"),
    ('seed,"a', "not a CSV"),
    (b"\xff\xfe\x00", "not a CSV"),
])  # fmt: skip
def test_what_is_no_table_is_refused_with_the_command_that_helps(
    tmp_path: Path, content: str | bytes, complaint: str
) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=complaint + ".*python -m bench report"):
        read_table(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*runs\.csv"):
        read_table(tmp_path / "runs.csv")


def test_ticks_that_are_lost_are_not_promised_to_come_back(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="backup"):
        read_table(tmp_path / "telemetry.csv")


def test_a_disk_that_takes_nothing_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        write_table(frames.runs([]), tmp_path / "nowhere" / "runs.csv")
