"""What the machine did, in the tables: each value where it belongs, or the reason why there is none."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench.analysis import frames
from bench.record import Record, build_record
from tests.support.machines import Machine
from tests.support.records import Run

WATCHED = Run(machine=Machine(), start={"circumstances": {"idle_seconds": 1.5}})


def run_row(record: Record, cost_per_hour: float | None = None) -> dict[str, Any]:
    return {str(key): value for key, value in frames.runs([record], cost_per_hour).iloc[0].items()}


def waits(epoch: float, sum_us: float, **more: Any) -> dict[str, Any]:
    """97 waits with a floor of 200 us."""
    body = {"epoch": epoch, "edges_us": [1000.0], "counts": [90, 7], "floor_us": 200.0, "sum_us": sum_us, **more}
    return {"v": 1, "event": "waits", "run": 0, "t_ns": 1_000_000_000_000, **body}


def waited(*lines: dict[str, Any], **changes: Any) -> Record:
    told = Run(**changes).lines()
    return build_record([*told[:-1], *lines, told[-1]])


def test_a_run_has_what_its_machine_did_in_training() -> None:
    row = run_row(WATCHED.record())
    assert row["telemetry_ticks"] == 100
    assert pd.isna(row["telemetry_note"])
    figures = [row[f"gpu_power_watts_{figure}"] for figure in ("mean", "median", "max", "ticks")]
    assert figures == [250.0, 250.0, 250.0, 100]
    assert (row["gpu_utilisation_percent_median"], row["sm_clock_mhz_max"]) == (90.0, 1530.0)
    assert row["gpu_memory_bytes_max"] == 15e9
    assert (row["trainer_cpu_cores_median"], row["other_cpu_cores_median"]) == pytest.approx((1.5, 0.25))
    assert row["other_cpu_cores_ticks"] == 45
    assert (row["start_temperature_celsius"], row["idle_seconds"]) == (41.0, 1.5)


def test_a_run_has_what_its_sampler_cost() -> None:
    row = run_row(WATCHED.record())
    assert (row["sampler_period_ms"], row["sampler_missed"]) == (500.0, 0)
    assert (row["sampler_tick_median_us"], row["sampler_tick_max_us"]) == (301.0, 302.0)
    assert (row["sampler_late_median_ms"], row["sampler_late_max_ms"]) == (1.0, 1.0)


def test_each_epoch_has_its_own_and_one_with_too_few_ticks_says_so() -> None:
    frame = frames.epochs([WATCHED.record(), Run(seed=1, machine=Machine(period_ms=3000.0)).record()])
    assert list(frame["telemetry_ticks"][:5]) == [20] * 5
    assert list(frame["gpu_utilisation_percent_mean"][:5]) == [90.0] * 5
    assert frame["telemetry_note"][:5].isna().all()
    few = frame.iloc[5:]
    assert set(few["telemetry_ticks"]) == {3}
    assert set(few["telemetry_note"]) == {"3 ticks in the epoch; 5 are needed"}
    assert few.filter(regex="_(mean|median|max)$").isna().all().all()


def test_a_quantity_of_an_epoch_that_was_read_at_too_few_ticks_has_only_their_number() -> None:
    # The times of the whole machine are read on every second tick, so 10 of them make 4 intervals.
    record = Run(machine=Machine(period_ms=1000.0)).record()
    epochs, run = frames.epochs([record]), run_row(record)
    assert set(epochs["telemetry_ticks"]) == {10}
    assert set(epochs["other_cpu_cores_ticks"]) == {4}
    assert epochs.filter(regex="^other_cpu_cores_(mean|median|max)$").isna().all().all()
    assert list(epochs["trainer_cpu_cores_mean"]) == pytest.approx([1.5] * 5)
    assert run["other_cpu_cores_median"] == pytest.approx(0.25)


def test_a_run_keeps_a_quantity_however_few_its_ticks() -> None:
    run = run_row(Run(correct=(9500,), epochs=1, machine=Machine(period_ms=1000.0)).record())
    assert (run["other_cpu_cores_ticks"], run["other_cpu_cores_median"]) == (4, pytest.approx(0.25))


@pytest.mark.parametrize(("run", "note"), [
    (Run(), "no telemetry was recorded"),
    (Run(machine=Machine(sampler={"off": True})), "telemetry was off"),
    (Run(machine=Machine(gpu=False)), "no GPU: there is no NVIDIA driver library (libnvidia-ml.so.1)"),
])  # fmt: skip
def test_what_is_empty_says_why(run: Run, note: str) -> None:
    assert run_row(run.record())["telemetry_note"] == note
    assert set(frames.epochs([run.record()])["telemetry_note"]) == {note}


def test_a_machine_without_a_card_keeps_its_cpus_and_has_nothing_of_a_card() -> None:
    row = run_row(Run(machine=Machine(gpu=False)).record())
    assert row["trainer_cpu_cores_median"] == pytest.approx(1.5)
    assert all(pd.isna(value) for name, value in row.items() if name.startswith(("gpu_", "sm_", "energy_joules")))


def test_the_summary_is_the_median_of_the_runs() -> None:
    records = [Run(seed=k, machine=Machine(training_watts=watts)).record() for k, watts in enumerate((200, 250, 290))]
    row = frames.summary(frames.runs(records)).iloc[0]
    assert (row["gpu_power_watts"], row["gpu_utilisation_percent"], row["sm_clock_mhz"]) == (250.0, 90.0, 1530.0)
    assert (row["trainer_cpu_cores"], row["other_cpu_cores"]) == pytest.approx((1.5, 0.25))


# Input stalls


def test_a_stall_is_what_was_waited_beyond_the_floor() -> None:
    record = waited(waits(1, 1_019_400.0), waits(2, 10_000.0), waits(3, 3_019_400.0))
    frame = frames.epochs([record])
    # 97 waits at a floor of 200 us are 19.4 ms, so 1 s of 1.0194 s is stalled; the second epoch is below its floor.
    assert list(frame["stall_seconds"][:3]) == pytest.approx([1.0, 0.0, 3.0])
    assert list(frame["stall_share"][:3]) == pytest.approx([0.1, 0.0, 0.3])
    assert frame["wait_share"][0] == pytest.approx(0.10194)
    assert frame["stall_seconds"][3:].isna().all()


def test_the_stalls_of_a_run_are_those_after_its_first_epoch() -> None:
    record = waited(waits(1, 9_019_400.0), waits(2, 10_000.0), waits(3, 3_019_400.0))
    row = run_row(record)
    assert (row["stall_seconds"], row["stall_share"]) == pytest.approx((3.0, 0.15))  # Of the 20 s that were measured.
    assert frames.summary(frames.runs([record])).iloc[0]["stall_share"] == pytest.approx(0.15)
    for only_first in (waited(waits(1, 9e6)), waited(waits(1, 9e6), correct=(9500,), epochs=1)):
        assert pd.isna(run_row(only_first)["stall_share"]) and pd.isna(run_row(only_first)["stall_seconds"])


def test_the_level_of_the_buffer_is_told_where_it_was_seen() -> None:
    level = {"level_samples": 200, "level_mean": 1.5, "level_capacity": 4, "level_empty_share": 0.01}
    frame = frames.epochs([waited(waits(1, 20_000.0, **level), waits(2, 20_000.0))])
    names = ["wait_floor_us", "buffer_samples", "buffer_level_mean", "buffer_capacity", "buffer_empty_share"]
    assert list(frame.loc[0, names]) == [200.0, 200, 1.5, 4, 0.01]
    assert frame.loc[1, names[1:]].isna().all()


def test_a_dataset_that_rests_on_the_device_has_no_stalls_not_even_none() -> None:
    record = waited(waits(1, 20_000.0), hello={"input": "device"})
    assert math.isnan(run_row(record)["stall_share"])
    assert frames.epochs([record])[["stall_seconds", "stall_share", "wait_floor_us"]].isna().all().all()


def test_a_trainer_that_does_not_measure_its_waits_has_no_stalls() -> None:
    assert pd.isna(run_row(Run().record())["stall_seconds"])
    assert pd.isna(run_row(waited(waits(9, 20_000.0)))["stall_seconds"])  # An epoch that was never trained.
