"""The wall clock of runs, of retries and of campaigns, and the run whose numbers stand side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bench.analysis import frames, wall_clock
from bench.record import build_record
from tests.support.records import NS, Run

#: Wall clock before the first epoch of a made run: all that happens once.
ONCE = 25.5
MISS = Run(seed=3, correct=(1, 2, 3, 4, 9399))


def summary(*runs: Run) -> pd.Series[Any]:
    (row,) = (row for _, row in frames.summary(frames.runs([each.record() for each in runs])).iterrows())
    return row


def session(seed: int, began: int, spawned: int, earlier: float = 0.0, **more: Any) -> Run:
    """A run of a session that began at a second, and what its campaign's sessions before took."""
    circumstances = {"session_began_ns": began * NS, "earlier_sessions_seconds": earlier}
    return Run(seed=seed, spawned_ns=spawned * NS, start={"circumstances": circumstances}, **more)


def test_the_wall_clock_stands_beside_the_headline_as_a_median_with_misses_infinite() -> None:
    hits = [Run(seed=seed, train_seconds=10 + seed) for seed in range(3)]
    assert summary(*hits)["wall_median_seconds"] == pytest.approx(ONCE + 4 * (11 + 2))
    assert summary(hits[0], MISS)["wall_median_seconds"] == float("inf")


def test_a_miss_costs_a_whole_process_before_the_next_attempt() -> None:
    hit, whole = ONCE + 4 * (10 + 2), ONCE + 5 * (10 + 2) + 0.5
    assert summary(Run(), MISS)["expected_wall_seconds"] == pytest.approx(hit + whole, abs=0.01)
    assert summary(MISS)["expected_wall_seconds"] == float("inf")


def test_a_retry_in_the_same_process_has_no_start_and_no_compilation() -> None:
    row = summary(Run(), MISS)
    hit, again = ONCE + 4 * (10 + 2), 1.0 + 5 * (10 + 2)  # Building, preprocessing and five epochs.
    assert row["expected_wall_same_process_seconds"] == pytest.approx(hit + again, abs=0.01)
    for name in ("", "_same_process"):
        low, middle, high = (row[f"expected_wall{name}_{end}seconds"] for end in ("low_", "", "high_"))
        assert hit < low < middle < high < float("inf")
    assert pd.isna(summary(MISS)["expected_wall_low_seconds"])


def test_an_unknown_life_of_a_miss_leaves_the_expectation_unknown() -> None:
    row = summary(Run(), replace(MISS, start={"spawned_ns": None}))
    assert row["runs"] == 2 and pd.isna(row["expected_wall_seconds"])


def test_the_median_run_is_one_that_reached_the_target_and_all_its_numbers_are_its_own() -> None:
    row = summary(*(Run(seed=seed, train_seconds=10 + seed) for seed in (2, 0, 3, 1)), MISS)
    assert row["median_run_seed"] == 2  # of four the slower of the two middle ones
    assert row["median_run_seconds"] == pytest.approx(1.5 + 4 * 12)
    assert row["median_run_cold_seconds"] == pytest.approx(
        row["median_run_seconds"] + row["median_run_compile_seconds"]
    )
    assert row["median_run_wall_seconds"] == pytest.approx(ONCE + 4 * (12 + 2))
    assert pd.isna(summary(MISS)["median_run_seed"]) and pd.isna(summary(MISS)["median_run_seconds"])


def test_a_campaign_lasts_from_its_start_to_the_end_of_its_last_run_with_its_sessions_summed() -> None:
    first = [session(0, began=990, spawned=1000), session(1, began=990, spawned=2000)]
    life = first[0].record().life_ns / NS  # type: ignore[operator]
    assert summary(*first)["campaign_wall_seconds"] == pytest.approx(1010 + life)
    assert wall_clock.sessions_seconds(each.record() for each in first) == pytest.approx(1010 + life)
    later = session(2, began=5000, spawned=5010, earlier=1010 + life)
    assert summary(*first, later)["campaign_wall_seconds"] == pytest.approx(1020 + 2 * life, abs=0.01)
    every = [*first, later]
    assert wall_clock.sessions_seconds(each.record() for each in every) == pytest.approx(1020 + 2 * life, abs=0.01)


def test_a_run_that_was_killed_counts_to_the_last_thing_heard_of_it() -> None:
    lines = [line for line in session(0, began=990, spawned=1000).lines() if line["event"] != "harness_end"]
    seconds = wall_clock.sessions_seconds([build_record(lines)])
    assert seconds == pytest.approx(10 + ONCE + 5 * 12 + 0.5, abs=0.1)


def test_a_campaign_that_an_older_version_began_has_no_time_of_its_own() -> None:
    assert wall_clock.sessions_seconds([Run().record(), session(1, began=990, spawned=1000).record()]) is None


@pytest.mark.parametrize("circumstances", [
        {}, {"session_began_ns": "1"}, {"session_began_ns": 5},
        {"session_began_ns": True, "earlier_sessions_seconds": 0.0},
        {"session_began_ns": 10**18, "earlier_sessions_seconds": 0.0},
        {"session_began_ns": 5, "earlier_sessions_seconds": -1.0},
        {"session_began_ns": 5, "earlier_sessions_seconds": None},
    ])  # fmt: skip
def test_runs_that_do_not_know_their_session_have_no_campaign_time(circumstances: dict[str, Any]) -> None:
    row = summary(Run(start={"circumstances": circumstances}))
    assert pd.isna(row["campaign_wall_seconds"])
