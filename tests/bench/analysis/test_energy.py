"""Joules and dollars: of a run, to the target, of runs too short to be measured alone; a miss is infinite."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from bench.analysis import energy, frames
from bench.record import Record, build_record
from tests.support.machines import NS, Machine
from tests.support.records import Run

WATCHED = Run(machine=Machine())
MISS = replace(WATCHED, seed=1, correct=(1, 2, 3, 4, 9399))
BEGAN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def summary(*records: Record, cost_per_hour: float | None = None) -> dict[str, Any]:
    frame = frames.summary(frames.runs(records, cost_per_hour))
    assert len(frame) == 1
    return {str(key): value for key, value in frame.iloc[0].items()}


def test_a_run_has_its_energy_and_where_it_is_from() -> None:
    row = frames.runs([WATCHED.record()]).iloc[0]
    assert (row["energy_joules"], row["energy_to_target_joules"]) == (16_100.0, 13_150.0)
    assert (row["energy_uncertainty_joules"], row["energy_source"]) == (10.0, "counter")
    assert (row["energy_begin_millijoules"], row["energy_end_millijoules"]) == (1_000_000, 17_100_000)
    assert (row["gpu_role"], pd.isna(row["energy_note"])) == ("trains", True)


def test_an_epoch_has_its_energy_and_what_that_can_be_off_by() -> None:
    table = frames.epochs([WATCHED.record()])
    assert list(table["train_joules"]) == [2500.0] * 5
    assert list(table["train_joules_uncertainty"]) == [10.0] * 5


def test_a_miss_never_gets_to_the_target_whatever_it_spends() -> None:
    row = frames.runs([MISS.record()], 3.06).iloc[0]
    assert row["energy_joules"] == 16_100.0
    assert (row["energy_to_target_joules"], row["cost_to_target_usd"]) == (math.inf, math.inf)
    unwatched = frames.runs([replace(MISS, machine=None).record()]).iloc[0]
    assert pd.isna(unwatched["energy_to_target_joules"])  # Nobody read a counter: not known, rather than infinite.


def test_energy_that_is_not_known_says_why() -> None:
    row = frames.runs([Run(machine=Machine(gpu=False)).record()]).iloc[0]
    assert row["energy_note"] == "no GPU"
    assert row[["energy_joules", "energy_source", "energy_uncertainty_joules"]].isna().all()


def test_the_energy_of_a_card_that_did_not_train_says_whose_it_is_and_leads_to_no_target() -> None:
    machine = Machine(role="watched")
    table = frames.runs([Run(machine=machine).record(), replace(MISS, machine=machine).record()])
    assert list(table["gpu_role"]) == ["watched"] * 2
    assert list(table["energy_joules"]) == [16_100.0] * 2
    assert table["energy_to_target_joules"].isna().all()
    assert set(table["energy_note"]) == {"of a card that was watched and did not train"}
    row = frames.summary(table).iloc[0]
    assert (row["gpu_role"], row["energy_joules"]) == ("watched", 16_100.0)
    assert pd.isna(row["energy_to_target_joules"])


def test_the_energy_of_a_divided_card_is_told_to_be_all_of_it() -> None:
    machine = Machine(calls={"utilisation": "not supported while MIG is on"})
    row = frames.runs([Run(machine=machine).record()]).iloc[0]
    assert (row["energy_joules"], row["energy_to_target_joules"]) == (16_100.0, 13_150.0)
    assert row["energy_note"] == "MIG is on, and this is the energy of the whole card"


def test_an_energy_to_the_target_that_was_not_read_says_so() -> None:
    run = Run(machine=Machine())
    lines = run.lines()
    index = [i for i, line in enumerate(lines) if line.get("edge") == "train_k"][3]
    lines[index] = {**lines[index], "energy_mj": None}
    row = frames.runs([build_record(lines, telemetry=run.ticks())]).iloc[0]
    assert (row["energy_joules"], pd.isna(row["energy_to_target_joules"])) == (16_100.0, True)
    assert row["energy_note"] == "the energy was not read at the end of the training that reached the target"


def test_a_run_that_was_cut_off_says_why_it_has_no_energy_to_the_target() -> None:
    row = frames.runs([replace(WATCHED, status="failed", correct=(1, 2)).record()]).iloc[0]
    assert pd.isna(row["energy_to_target_joules"])
    assert row["energy_note"] == "the run ended before it reached the target"


def test_runs_that_share_a_process_have_no_energy_of_their_own() -> None:
    row = frames.runs([Run(runs=3, machine=Machine()).record()], 3.06).iloc[0]
    assert row["energy_note"] == "3 runs shared one process"
    assert row[["energy_joules", "energy_to_target_joules", "cost_to_target_usd"]].isna().all()


def test_the_price_is_that_of_the_board() -> None:
    # The 24th row of davidcpage_resnet9_1v100-ec2_pytorch, which the board shows with $0.06.
    price = energy.cost_usd(3.06, 0.02056706 * 3600)
    assert price == pytest.approx(0.0629, abs=5e-5)
    assert f"{price:.2f}" == "0.06"
    assert frames.runs([Run().record()], 3.06).iloc[0]["cost_to_target_usd"] == pytest.approx(3.06 * 41.5 / 3600)


def test_without_a_price_or_an_end_there_is_no_cost() -> None:
    assert pd.isna(frames.runs([Run().record()]).iloc[0]["cost_to_target_usd"])
    assert pd.isna(frames.runs([Run(status="failed", correct=(1, 2)).record()], 3.06).iloc[0]["cost_to_target_usd"])


def test_the_summary_has_the_mean_energy_and_the_median_price() -> None:
    more = replace(WATCHED, seed=2, machine=Machine(training_watts=350.0))
    row = summary(WATCHED.record(), more.record(), MISS.record(), cost_per_hour=3.6)
    assert row["energy_joules"] == pytest.approx((16_100 + 21_100 + 16_100) / 3)
    assert row["energy_basis"] == "mean of 3 runs"
    assert row["energy_uncertainty_joules"] == pytest.approx((10 + 14 + 10) / 3)  # 20 ms at 250, 350 and 250 W, twice.
    assert row["energy_to_target_joules"] == 17_150.0  # Of 13,150, 17,150 and a miss.
    assert row["cost_to_target_usd"] == pytest.approx(0.0415)


def test_a_summary_of_runs_without_a_counter_says_what_it_rests_on() -> None:
    row = summary(Run(machine=Machine(counter=False)).record())
    assert row["energy_basis"] == "one run, by readings of power"
    assert pd.isna(row["energy_uncertainty_joules"])


# Runs too short to be measured alone


def short(seed: int, begin_second: float, idle_seconds: float | None, begin_mj: int, **changes: Any) -> Record:
    """A run of 4 s and 850 J: 3 s of training at 250 W and 1 s of the rest."""
    circumstances = {} if idle_seconds is None else {"idle_seconds": idle_seconds}
    utc = (BEGAN + timedelta(seconds=begin_second)).isoformat(timespec="seconds")
    run = Run(
        seed=seed, correct=(9500,), epochs=1, train_seconds=3.0, eval_seconds=0.25, exit_seconds=0.25,
        once_seconds={"import": 0.5}, machine=Machine(begin_mj=begin_mj), spawned_ns=round((1000 + begin_second) * NS),
        start={"utc": utc, "circumstances": circumstances},
    )  # fmt: skip
    return replace(run, **changes).record()


def test_short_runs_are_measured_back_to_back_with_the_gaps_between_them() -> None:
    row = summary(short(0, 0, None, 1_000_000), short(1, 5, 1.0, 1_950_000), short(2, 10, 1.0, 2_900_000))
    # From 1,000,000 mJ to 2,900,000 + 850,000 mJ: three runs of 850 J and two gaps of 100 J.
    assert row["energy_joules"] == pytest.approx(2750 / 3)
    assert row["energy_uncertainty_joules"] == pytest.approx(10 / 3)
    assert row["energy_basis"] == "3 runs back to back, 2.0 s between them included"


def test_runs_back_to_back_are_uncertain_by_an_edge_of_the_first_and_one_of_the_last() -> None:
    last = short(1, 5, 1.0, 1_950_000, machine=Machine(begin_mj=1_950_000, training_watts=350.0))
    row = summary(short(0, 0, None, 1_000_000), last)
    assert row["energy_uncertainty_joules"] == pytest.approx((5 + 7) / 2)


def test_a_pause_between_short_runs_is_not_taken_for_one_of_them() -> None:
    row = summary(short(0, 0, None, 1_000_000), short(1, 5, 1.0, 1_950_000), short(2, 9_000, None, 90_000_000))
    assert row["energy_joules"] == pytest.approx((1_950_000 + 850_000 - 1_000_000) / 1000 / 2)
    assert row["energy_basis"] == "2 runs back to back, 1.0 s between them included"


def test_a_run_that_does_not_count_parts_those_before_it_from_those_after() -> None:
    broken = short(1, 5, 1.0, 1_950_000, status="failed", correct=())
    row = summary(short(0, 0, None, 1_000_000), broken, short(2, 10, 1.0, 2_900_000))
    assert (row["energy_joules"], row["energy_basis"]) == (850.0, "mean of 2 runs")


def test_a_counter_that_was_reset_between_two_runs_parts_them() -> None:
    row = summary(short(0, 0, None, 1_000_000), short(1, 5, 1.0, 7))
    assert (row["energy_joules"], row["energy_basis"]) == (850.0, "mean of 2 runs")


def test_a_short_run_alone_is_what_it_is() -> None:
    row = summary(short(0, 0, None, 1_000_000))
    assert (row["energy_joules"], row["energy_uncertainty_joules"], row["energy_basis"]) == (850.0, 10.0, "one run")
