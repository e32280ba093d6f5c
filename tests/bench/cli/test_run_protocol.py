"""``bench run``: what comes before the first seed and between two, and what every record tells of it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench import rules
from bench.analysis import frames
from bench.campaign import records
from bench.launch import conditions, kernel_cache
from bench.record import Record, build_record_from, load_campaign
from tests.support.scripted_bench import Bench, installed

WARM_UP_SEED = 10**9


class Warm(Bench):
    """The same with all that comes before the first seed, into the folder ``mine``."""

    usual = ("--out", "mine")

    def __call__(self, *words: str, seeds: str = "1", device: str = "cpu") -> tuple[int, str, str]:
        return super().__call__("--seeds", seeds, *words, device=device)

    @property
    def folder(self) -> Path:
        return self.results.with_name("mine")

    @property
    def seeds(self) -> list[int]:
        """Of the runs that were made."""
        return [request.seed for request in self.requests]

    def record(self, seed: int) -> Record:
        return build_record_from(self.folder / f"seed-{seed:03d}" / "events.jsonl")

    def warm_ups(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("warm-up*"))

    def rows(self, table: str) -> list[str]:
        """The seeds in a table, each once."""
        with open(self.folder / table, newline="") as stream:
            return sorted({row["seed"] for row in csv.DictReader(stream)})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Warm:
    return installed(Warm, tmp_path, monkeypatch, capfd)


# The warm-up run


def test_a_campaign_begins_with_a_run_that_is_in_no_table(bench: Warm) -> None:
    code, out, err = bench(seeds="2")

    assert (code, err) == (0, "")
    assert bench.seeds == [WARM_UP_SEED, 0, 1]
    lines = out.splitlines()
    assert "smoke with seed 0, 1, into mine; 1 warm-up run first, 0 s idle between runs, kernel cache kept" in lines
    assert any(re.fullmatch(r"warm-up  over after \d+\.\d s, discarded", line) for line in lines)
    assert "warm-up  epoch    2/2  94.00 %" in out
    assert bench.rows("runs.csv") == bench.rows("epochs.csv") == ["0", "1"]
    assert sorted(path.name for path in (bench.folder / "warm-up").iterdir()) == [
        "events.jsonl", "predictions.u8", "record.json", "telemetry.csv", "trainer.log",
    ]  # fmt: skip
    assert [record.seed for record in load_campaign(bench.folder).records] == [0, 1]


def test_every_record_tells_what_came_before_it(bench: Warm) -> None:
    bench()

    warm_up, counted = build_record_from(bench.folder / "warm-up" / "events.jsonl"), bench.record(0)
    assert warm_up.seed == WARM_UP_SEED
    began_ns = warm_up.circumstances["session_began_ns"]
    assert warm_up.circumstances == {
        "rules": rules.RULES, "warm_up": False, "idle_seconds_asked": 0.0, "kernel_cache": "kept",
        "session_began_ns": began_ns, "earlier_sessions_seconds": 0.0,
    }  # fmt: skip
    assert warm_up.spawned_ns is not None and began_ns < warm_up.spawned_ns
    assert counted.circumstances["warm_up"] is True
    assert counted.spawned_ns is not None
    assert warm_up.exited_ns is not None
    assert counted.circumstances["idle_seconds"] == (counted.spawned_ns - warm_up.exited_ns) / 1e9


def test_a_warm_up_is_ended_when_it_has_lasted_long_enough_and_counts_as_made(
    bench: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "WARM_UP_SECONDS", 0.0)
    first_epoch = next(index for index, step in enumerate(bench.honest(1880)) if step[0] == "epoch")
    bench.scripts[WARM_UP_SEED] = [*bench.honest(1880)[: first_epoch + 1], ["sleep"]]

    code, out, err = bench()

    assert (code, err) == (0, "")
    assert "warm-up  over after " in out
    assert build_record_from(bench.folder / "warm-up" / "events.jsonl").status == "cut_short"
    assert bench.record(0).circumstances["warm_up"] is True


def test_without_a_warm_up_nothing_precedes_the_first_seed(bench: Warm) -> None:
    code, out, _ = bench("--warm-up", "0")

    assert code == 0
    assert bench.seeds == [0]
    assert "into mine; no warm-up run first, 0 s idle between runs, kernel cache kept" in out
    assert bench.record(0).circumstances["warm_up"] is False
    assert "idle_seconds" not in bench.record(0).circumstances
    assert bench.warm_ups() == []


def test_each_start_with_seeds_left_warms_up_anew_and_keeps_the_older_one_aside(bench: Warm) -> None:
    bench()
    code, _, _ = bench(seeds="2")
    bench(seeds="2")

    assert code == 0
    assert bench.seeds == [WARM_UP_SEED, 0, WARM_UP_SEED, 1]
    assert bench.warm_ups() == ["warm-up", "warm-up.done-1"]


def test_a_later_session_knows_what_the_earlier_ones_took(bench: Warm) -> None:
    bench()
    bench(seeds="2")
    first, second = bench.record(0), bench.record(1)
    assert first.exited_ns is not None and second.exited_ns is not None
    began_ns = [each.circumstances["session_began_ns"] for each in (first, second)]
    took = (first.exited_ns - began_ns[0]) / 1e9
    assert began_ns[1] > first.exited_ns
    assert second.circumstances["earlier_sessions_seconds"] == pytest.approx(took)
    runs = frames.runs([first, second])
    assert frames.summary(runs)["campaign_wall_seconds"][0] == pytest.approx(
        took + (second.exited_ns - began_ns[1]) / 1e9
    )


def test_several_warm_ups_are_made_one_after_the_other(bench: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMUP", "2")

    code, out, _ = bench()

    assert code == 0
    assert bench.seeds == [WARM_UP_SEED, WARM_UP_SEED, 0]
    assert bench.warm_ups() == ["warm-up", "warm-up.done-1"]
    assert "2 warm-up runs first" in out


def test_the_seed_of_a_warm_up_gives_way_to_one_that_counts(bench: Warm) -> None:
    code, _, _ = bench(seeds=f"{WARM_UP_SEED},")

    assert code == 0
    assert bench.seeds == [WARM_UP_SEED + 1, WARM_UP_SEED]


def test_a_warm_up_that_fails_is_told_and_the_seeds_are_run(bench: Warm) -> None:
    bench.scripts[WARM_UP_SEED] = [bench.hello(), ["exit", 1]]

    code, out, err = bench()

    assert (code, err) == (0, "")
    assert "warm-up  failed: the trainer ended with exit code 1" in out
    assert bench.record(0).circumstances["warm_up"] is False


def test_a_warm_up_that_fails_and_a_first_seed_that_does_are_two_in_a_row(bench: Warm) -> None:
    bench.scripts[WARM_UP_SEED] = bench.scripts[0] = [bench.hello(), ["exit", 1]]

    code, _, err = bench(seeds="3")

    assert code == 5
    assert bench.seeds == [WARM_UP_SEED, 0]
    assert err.startswith("bench: the warm-up: the trainer ended with exit code 1")
    assert "; seed 0: the trainer ended" in err
    assert "the same command again runs seed 0, 1, 2." in err


@pytest.mark.parametrize("code", [2, 3, 4])
def test_what_no_seed_could_fare_better_with_ends_the_campaign_in_its_warm_up(bench: Warm, code: int) -> None:
    error = {"event": "error", "message": "no such thing", "hint": "type another"}
    bench.scripts[WARM_UP_SEED] = [["event", error], ["exit", code]]

    ended, _, err = bench(seeds="3")

    assert ended == code
    assert err == "bench: the warm-up: no such thing; type another.\n"
    assert bench.seeds == [WARM_UP_SEED]


def test_ctrl_c_in_a_warm_up_stops_and_the_same_command_begins_anew(bench: Warm) -> None:
    bench.scripts[WARM_UP_SEED] = [bench.hello(), ["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, out, err = bench(seeds="2")

    assert code == 130
    assert err.startswith("Stopped. What is finished is kept in mine; the same command again runs seed 0, 1.")
    assert "warm-up  interrupted: stopped by Ctrl-C" in out
    assert json.loads((bench.folder / "campaign.json").read_text())["status"] == "unfinished"

    bench.scripts.clear()
    assert bench(seeds="2")[0] == 0
    assert bench.warm_ups() == ["warm-up", "warm-up.interrupted-1"]
    assert bench.rows("runs.csv") == ["0", "1"]


# Rest between runs


def test_the_rest_between_runs_is_asked_for_measured_and_stated(bench: Warm) -> None:
    code, out, _ = bench("--idle", "0.2", "--warm-up", "0", seeds="2")

    assert code == 0
    assert "0.2 s idle between runs" in out
    assert "idle_seconds" not in bench.record(0).circumstances
    told = bench.record(1).circumstances
    assert told["idle_seconds_asked"] == 0.2
    first, second = bench.record(0), bench.record(1)
    assert first.exited_ns is not None
    assert second.spawned_ns is not None
    assert told["idle_seconds"] == (second.spawned_ns - first.exited_ns) / 1e9 >= 0.2


def test_a_wish_to_stop_ends_the_rest_at_once(bench: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = records.write_record

    def stopped_after(folder: Path) -> Any:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return fold(folder)

    monkeypatch.setattr(records, "write_record", stopped_after)
    began = time.monotonic()

    code, out, err = bench("--idle", "3600", "--warm-up", "0", seeds="2")

    assert code == 130
    assert time.monotonic() - began < 60
    assert "resting until 3600 s after the run before" in out
    assert "the same command again runs seed 1." in err


def test_a_campaign_is_not_continued_under_another_protocol(bench: Warm) -> None:
    bench()

    code, _, err = bench("--idle", "0.1", seeds="2")

    assert code == 6
    assert err == (
        "bench: OUT=mine was begun under another protocol: idle_seconds 0.0 instead of 0.1. Name another folder.\n"
    )


# The kernel cache


def test_a_cold_cache_is_stated_by_its_name_alone_and_gone_after_the_campaign(bench: Warm) -> None:
    code, out, _ = bench("--cache", "cold")

    assert code == 0
    assert "kernel cache empty at each run" in out
    assert bench.record(0).fingerprint["env.CUDA_CACHE_PATH"] == "cold"
    assert bench.record(0).circumstances["kernel_cache"] == "cold"
    assert list(kernel_cache.FOLDER.parent.glob("cold-*")) == []


def test_the_folder_that_is_kept_is_stated_by_its_name_alone(bench: Warm) -> None:
    bench("--warm-up", "0")

    assert bench.record(0).fingerprint["env.CUDA_CACHE_PATH"] == "cuda"


# What was typed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--warm-up", "-1"], "--warm-up '-1' is not from 0 to 100 runs"),
        (["--warm-up", "one"], "--warm-up 'one' is not a whole number"),
        (["--idle", "-3"], "--idle '-3' is not from 0 to 86400 seconds"),
        (["--idle", "nan"], "--idle 'nan' is not a number"),
        (["--idle", "1e9"], "is not from 0 to"),
        (["--cache", "hot"], "'hot' is not one of 'kept', 'cold'"),
        (["--telemetry", "maybe"], "'maybe' is not one of 'on', 'off'"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_runs(bench: Warm, words: list[str], says: str) -> None:
    code, _, err = bench(*words)

    assert code == 2
    assert says in err
    assert bench.seeds == []


def test_empty_variables_were_not_given(bench: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARMUP", "IDLE", "CACHE", "TELEMETRY", "WATCH"):
        monkeypatch.setenv(name, "")

    code, out, _ = bench()

    assert code == 0
    assert "1 warm-up run first, 0 s idle between runs, kernel cache kept" in out
