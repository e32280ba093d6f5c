"""Frames: the right columns, a miss infinite, an unknown missing, and nobody dropped without being counted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import censored, frames
from bench.analysis.columns import EPOCHS, RUNS, SUMMARY
from bench.record import build_record
from tests.bench.record.test_build import HOSTILE_LINES, REAL_LINES, bent_lines
from tests.support.records import Run, changed, five_seeds

TIMES = ["dawnbench_seconds", "dawnbench_cold_seconds", "run_seconds", "train_seconds", "wall_seconds"]
MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")
CHEAT = Run(seed=3, end={"exit_code": 0}, hello={"seed": 77})


def run_frame(*runs: Run) -> pd.DataFrame:
    return frames.runs([run.record() for run in runs])


def summary_row(*runs: Run) -> dict[str, Any]:
    frame = frames.summary(run_frame(*runs))
    assert len(frame) == 1
    return {str(key): value for key, value in frame.iloc[0].items()}


def test_frames_have_exactly_the_documented_columns_even_when_empty() -> None:
    for records in ([], [Run().record()]):
        runs = frames.runs(records)
        assert list(runs.columns) == [column.name for column in RUNS]
        assert list(frames.epochs(records).columns) == [column.name for column in EPOCHS]
        assert list(frames.summary(runs).columns) == [column.name for column in SUMMARY]


def test_a_run_that_reaches_the_target_has_its_times() -> None:
    row = run_frame(Run()).iloc[0]
    assert [row[name] for name in TIMES] == [41.5, 61.5, 41.0, 40.0, 73.5]
    assert (row["reached_epoch"], row["final_accuracy_percent"], row["fixed_work_train_seconds"]) == (4.0, 95.0, 50.0)
    assert row["compile_seconds"] == 20.0
    assert row["images_per_second"] == 5 * 49_664 / 50
    assert row["harness_cpu_share"] == pytest.approx(0.05 / 86.0)
    assert row["clocks"] == "dawnbench@1 dawnbench-cold@1 run@1 train@1 wall@1"
    assert row["verdict"] == "clean"


def test_a_miss_is_infinite_in_all_five_times_and_has_done_its_work() -> None:
    row = run_frame(MISS).iloc[0]
    assert [row[name] for name in TIMES] == [math.inf] * 5
    assert pd.isna(row["reached_epoch"])
    assert row["fixed_work_train_seconds"] == 50.0


def test_a_run_that_broke_off_has_no_times_at_all() -> None:
    row = run_frame(CRASH).iloc[0]
    assert all(pd.isna(row[name]) for name in [*TIMES, "fixed_work_train_seconds"])
    assert (row["status"], row["verdict"], row["verdict_reasons"]) == ("failed", "invalid", "finished")


def test_several_runs_in_one_process_have_no_time() -> None:
    row = run_frame(Run(runs=3)).iloc[0]
    assert all(pd.isna(row[name]) for name in TIMES)
    assert row["final_accuracy_percent"] == 95.0


def test_what_is_not_known_is_missing_and_never_zero() -> None:
    row = frames.runs([build_record([])]).iloc[0]
    known = {name for name in row.index if not pd.isna(row[name])}
    assert known == {"status", "verdict", "verdict_reasons", "rules", "clocks", "telemetry_note"}


def test_throughput_leaves_the_first_epoch_out_where_it_says_warm() -> None:
    lines = Run().lines()
    first = next(i for i, line in enumerate(lines) if line.get("name") == "train_k")
    lines[first] = {**lines[first], "begin_ns": lines[first]["begin_ns"] - 10_000_000_000}
    row = frames.runs([build_record(lines)]).iloc[0]
    assert row["images_per_second"] == 5 * 49_664 / 60
    assert row["warm_images_per_second"] == 4 * 49_664 / 40


def test_a_run_of_one_epoch_has_no_warm_throughput() -> None:
    assert pd.isna(run_frame(Run(correct=(9500,), epochs=1)).iloc[0]["warm_images_per_second"])


def test_every_evaluation_has_a_row_with_the_clock_at_it() -> None:
    frame = frames.epochs([Run(seed=4).record(), MISS.record()])
    assert list(frame["seed"]) == [4] * 5 + [1] * 5
    assert list(frame["dawnbench_seconds"][:3]) == [11.5, 21.5, 31.5]
    assert list(frame["accuracy_percent"][:2]) == [40.0, 90.0]
    assert frame["wait_seconds"].isna().all()


def test_names_from_outside_become_single_printable_lines() -> None:
    lines = changed(Run().lines(), "hello", device={"kind": "cpu", "name": "a\nb\x1b[31m", "uuid": ""})
    assert frames.runs([build_record(lines)]).iloc[0]["device"] == "a b [31m"


def test_the_summary_of_five_seeds_keeps_the_miss() -> None:
    row = summary_row(*five_seeds())
    assert (row["runs"], row["reached"], row["success_rate"]) == (5, 4, 0.8)
    assert (row["success_low"], row["success_high"]) == pytest.approx((0.376, 0.964), abs=1e-3)
    assert row["median_seconds"] == 53.0  # of 51.5, 52, 53, 53.5 and a miss
    assert row["cold_median_seconds"] == 73.0
    assert row["mean_seconds"] == pytest.approx((51.5 * 52 * 53 * 53.5) ** 0.25)
    assert row["low_seconds"] < row["mean_seconds"] < row["high_seconds"]
    assert row["fixed_work_seconds"] == 52.5
    assert row["accuracy_mean"] == pytest.approx(94.09)
    assert row["accuracy_std"] == pytest.approx(0.0908295, abs=1e-6)
    assert row["expected_seconds"] == pytest.approx((51.5 + 52 + 53 + 53.5 + 52.5) / 4)
    assert row["clock"] == "dawnbench@1"


def test_a_run_that_missed_the_target_stays_in_the_median() -> None:
    assert summary_row(Run(), MISS)["median_seconds"] == math.inf
    assert summary_row(MISS)["mean_seconds"] is not None
    assert pd.isna(summary_row(MISS)["mean_seconds"])
    assert summary_row(MISS)["expected_seconds"] == math.inf


def test_a_crash_is_no_miss_and_is_counted_apart() -> None:
    row = summary_row(Run(), CRASH)
    assert (row["runs"], row["reached"], row["unfinished"]) == (1, 1, 1)
    assert row["median_seconds"] == 41.5


def test_an_invalid_run_is_left_out_and_counted() -> None:
    row = summary_row(Run(), CHEAT)
    assert (row["runs"], row["invalid"], row["unfinished"]) == (1, 1, 0)


def test_a_suspect_run_counts_and_is_counted() -> None:
    row = summary_row(Run(), Run(seed=5, git_dirty=True))
    assert (row["runs"], row["suspect"]) == (2, 1)


def test_nothing_but_crashes_have_no_rate_and_no_time() -> None:
    row = summary_row(CRASH)
    for name in ("success_rate", "success_low", "median_seconds", "mean_seconds", "accuracy_mean", "expected_seconds"):
        assert pd.isna(row[name])
    assert (row["runs"], row["unfinished"]) == (0, 1)


@pytest.mark.parametrize(
    ("runs", "plan", "planned", "not_counted"),
    [
        ([Run(seed=1), Run(seed=4)], [0, 1, 2, 3, 4], 5, "0;2;3"),
        ([Run(seed=1), CRASH, CHEAT], [0, 1, 2, 3], 4, f"0;{CRASH.seed};{CHEAT.seed}"),
        ([Run(seed=1), Run(seed=4)], [1, 4], 2, None),
        ([Run(seed=1), Run(seed=7)], [0, 1], 3, "0"),
    ],
)
def test_a_planned_seed_without_a_run_that_counts_is_not_successful(
    runs: list[Run], plan: list[int], planned: int, not_counted: str | None
) -> None:
    row = frames.summary(run_frame(*runs), plan).iloc[0]
    assert (row["planned"], row["success_rate"]) == (planned, row["reached"] / planned)
    assert row["success_high"] == censored.success_rate(row["reached"], planned).high
    assert (None if pd.isna(row["not_counted"]) else row["not_counted"]) == not_counted
    # What another try costs is not known of a run that has no end.
    assert pd.isna(row["expected_seconds"]) == pd.isna(row["expected_wall_seconds"]) == (planned > row["runs"])


def test_a_seed_without_a_run_stands_with_every_configuration() -> None:
    frame = frames.summary(run_frame(Run(), Run(seed=1, recipe="smoke")), [0, 1, 2])
    assert list(zip(frame["planned"], frame["not_counted"], strict=True)) == [(2, "2"), (2, "2")]


def test_one_run_has_no_spread() -> None:
    row = summary_row(Run())
    assert (row["mean_seconds"], row["median_seconds"]) == (41.5, 41.5)
    assert all(pd.isna(row[name]) for name in ("low_seconds", "high_seconds", "accuracy_std"))


def test_configurations_are_not_mixed() -> None:
    frame = frames.summary(run_frame(Run(), Run(seed=1), Run(recipe="smoke", dataset="synthetic")))
    assert [(row["recipe"], row["runs"]) for _, row in frame.iterrows()] == [("page24", 2), ("smoke", 1)]


def test_a_run_that_never_said_what_it_is_stands_with_the_others() -> None:
    silent = [line for line in CRASH.lines() if line["event"].startswith("harness_")]
    one = frames.summary(frames.runs([Run().record(), build_record(silent)]))
    assert (len(one), one.iloc[0]["unfinished"], one.iloc[0]["recipe"]) == (1, 1, "page24")
    two = frames.summary(frames.runs([Run().record(), Run(recipe="smoke").record(), build_record(silent)]))
    assert list(two["unfinished"]) == [0, 0, 1]


def test_a_configuration_with_an_unknown_in_it_is_one_all_the_same() -> None:
    frame = frames.summary(run_frame(Run(hello={"precision": ""}), Run(seed=1, hello={"precision": ""}), Run(seed=2)))
    assert list(frame["runs"]) == [2, 1]


def test_a_miss_whose_length_is_unknown_leaves_the_expected_time_unknown() -> None:
    stopped = replace(MISS, epochs=9)  # It ended well before its schedule did.
    assert pd.isna(summary_row(Run(epochs=9), stopped)["expected_seconds"])


@settings(max_examples=20)
@given(st.lists(st.lists(REAL_LINES | bent_lines() | HOSTILE_LINES, max_size=20), max_size=3))
def test_no_records_break_the_frames(many: list[list[Any]]) -> None:
    records = [build_record(lines) for lines in many]
    runs = frames.runs(records)
    assert len(runs) == len(records)
    assert frames.summary(runs)[["runs", "invalid", "unfinished"]].sum().sum() == len(records)
    frames.epochs(records)
