from __future__ import annotations

import csv
import os
import resource
import tracemalloc
from pathlib import Path

import pytest

from bench import protocol
from bench.errors import EnvironmentProblem
from bench.record.telemetry import COLUMNS
from bench.system.env_snapshot import hashed
from tests.support.made_up_kernel import process
from tests.support.sampler_lab import PERIOD_NS, START_NS, SYSTEM, TRAINER, Lab, phase


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


# A row


def test_a_row_has_every_column_in_its_unit(lab: Lab) -> None:
    lab.tick(lab.begin())

    with open(lab.folder / "telemetry.csv", newline="") as stream:
        header, row = csv.reader(stream)
    page = os.sysconf("SC_PAGE_SIZE")
    gpu = ("90", "40", str(1 << 30), "", "1530", "877", "4", "55", "1", "0")
    assert header == [column.name for column in COLUMNS]
    assert row == [str(START_NS), "0.0", "0.0", "0.0", *gpu, "2.0", str(25 * page), *SYSTEM]


def test_what_moves_slowly_is_read_each_second_and_the_dearest_on_every_tenth_tick(lab: Lab) -> None:
    lab.tick(lab.begin(), ticks=21)

    assert [i for i, cell in enumerate(lab.column("load_average")) if cell] == [0, 4, 8, 12, 16, 20]
    assert [i for i, cell in enumerate(lab.column("gpu_temperature_celsius")) if cell] == [0, 10, 20]
    assert [i for i, cell in enumerate(lab.column("gpu_processes")) if cell] == [0, 10, 20]
    assert lab.column("gpu_utilisation_percent") == ["90"] * 21
    assert lab.column("trainer_cpu_seconds") == ["2.0"] * 21


def test_the_price_of_a_tick_is_in_its_row_and_that_of_writing_a_line_in_the_next(lab: Lab) -> None:
    lab.card.wall_ms, lab.card.cpu_us = 2.0, 300.0
    lab.writing = 1.0, 40.0
    sampler = lab.begin()
    lab.tick(sampler, ticks=2)
    lab.time.now_ns += 1
    sampler.event(phase("train_k", 1.0), lab.time.now_ns)
    lab.tick(sampler)

    assert [edge["cost_us"] for edge in lab.of("harness_edge")] == [300.0, 300.0]
    assert lab.column("cost_us") == ["340.0", "300.0", "340.0"]
    assert lab.column("took_us") == ["3000.0", "2000.0", "3000.0"]


# The schedule


def test_ticks_keep_their_schedule_however_long_they_take(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.wall_ms = 30.0

    dues = [lab.tick(sampler) for _ in range(4)]

    # The first tick sets the start, which came after the counters were read at the spawn.
    assert dues == [START_NS + k * PERIOD_NS for k in range(1, 5)]
    assert lab.column("late_ms") == ["0.0"] * 4


def test_a_late_tick_says_so_and_does_not_move_the_next(lab: Lab) -> None:
    sampler = lab.begin()
    lab.tick(sampler)
    lab.time.now_ns += 12_000_000

    due = lab.tick(sampler)

    assert lab.column("late_ms") == ["0.0", "12.0"]
    assert due == START_NS + 2 * PERIOD_NS


def test_missed_ticks_are_left_out_and_can_be_told(lab: Lab) -> None:
    sampler = lab.begin()
    lab.tick(sampler)
    lab.time.now_ns += 2 * PERIOD_NS + 100_000_000  # the harness was held up until after tick 3 was due

    lab.tick(sampler, ticks=2)

    assert lab.column("late_ms") == ["0.0", "600.0", "0.0"]
    dues = [int(row["t_ns"]) - round(float(row["late_ms"]) * 1e6) for row in lab.rows()]
    assert [(due - START_NS) // PERIOD_NS for due in dues] == [0, 1, 4]


def test_a_slow_value_whose_tick_was_missed_is_read_on_the_next(lab: Lab) -> None:
    sampler = lab.begin()
    lab.tick(sampler, ticks=4)
    lab.time.now_ns += PERIOD_NS  # tick 4 comes so late that 5 is missed
    lab.tick(sampler, ticks=3)
    lab.time.now_ns += 2 * PERIOD_NS  # 8 is late, 9 and 10 are missed
    lab.tick(sampler, ticks=2)

    numbers = [round((int(row["t_ns"]) - float(row["late_ms"]) * 1e6 - START_NS) / PERIOD_NS) for row in lab.rows()]
    assert numbers == [0, 1, 2, 3, 4, 6, 7, 8, 11]
    assert [number for number, cell in zip(numbers, lab.column("load_average"), strict=True) if cell] == [0, 4, 8]
    assert [number for number, cell in zip(numbers, lab.column("gpu_processes"), strict=True) if cell] == [0, 11]


# Edges


def test_edges_are_the_ends_of_phases_that_train_or_evaluate_and_of_the_run(lab: Lab) -> None:
    sampler = lab.begin()
    events = [
        phase("import"), phase("preprocess"), phase("train_k", 1.0), phase("eval_k", 1.0), phase("final_eval"),
        protocol.Done("done"),
    ]  # fmt: skip
    for event in events:
        lab.time.now_ns += 1000
        sampler.event(event, lab.time.now_ns)
    sampler.ended()

    edges = [(edge["edge"], edge.get("epoch")) for edge in lab.of("harness_edge")]
    phases = [("preprocess", None), ("train_k", 1.0), ("eval_k", 1.0), ("final_eval", None)]
    assert edges == [("spawn", None), *phases, ("done", None), ("exit", None)]


def test_an_edge_has_the_counters_in_their_units(lab: Lab) -> None:
    lab.begin().ended()

    spawn, exit_ = lab.of("harness_edge")
    machine_alone = {
        "event": "harness_edge",
        "t_ns": START_NS,
        "energy_mj": 1000,
        "lost_ns": {"software_power_cap": 7},
        "temperature_celsius": 54,
        "system_busy_seconds": 16.0,
        "steal_seconds": 5.0,
        "swapped_bytes": 7 * os.sysconf("SC_PAGE_SIZE"),
        "throttled_seconds": 1.75,
        "pressure_seconds": {"cpu": 2.5, "memory": 0.0, "io": 0.125},
        "cost_us": 0.0,
    }
    assert spawn == {**machine_alone, "edge": "spawn"}
    assert exit_ == {**machine_alone, "edge": "exit", "trainer_cpu_seconds": 2.0, "read_bytes": 8192}


def test_events_heard_in_one_breath_share_one_reading(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.cpu_us = 100.0
    sampler.event(phase("train_k", 1.0), START_NS + 5)
    lab.card.energy_mj = 2000
    sampler.event(phase("eval_k", 1.0), START_NS + 5)
    sampler.event(phase("train_k", 2.0), START_NS + 6)

    edges = lab.of("harness_edge")[1:]
    assert [edge["energy_mj"] for edge in edges] == [1000, 1000, 2000]
    assert [edge["cost_us"] for edge in edges] == [100.0, 0.0, 100.0]


def test_an_event_heard_of_after_the_end_has_the_last_reading(lab: Lab) -> None:
    sampler = lab.begin()
    sampler.ended()
    lab.card.energy_mj = 9999
    sampler.event(protocol.Done("done"), START_NS + 5)

    last, late = lab.of("harness_edge")[1:]
    assert (last["edge"], late["edge"]) == ("exit", "done")
    assert late["energy_mj"] == last["energy_mj"] == 1000


def test_further_runs_of_one_process_have_no_edges(lab: Lab) -> None:
    sampler = lab.begin()
    sampler.event(protocol.Phase("train_k", 0, 1, 1.0, run=1), START_NS + 5)

    assert [edge["edge"] for edge in lab.of("harness_edge")] == ["spawn"]


# Numbers that cannot be


def test_what_was_left_empty_is_counted_once_at_the_end(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.energy_mj = 2**64 - 2
    lab.card.impossible = {"gpu_power_watts": 3}
    process(lab.root, TRAINER, (150, 50, 0, 0), disk_bytes=2**64 - 4096)
    lab.tick(sampler)
    sampler.ended()
    sampler.ended()

    (line,) = lab.of("harness_impossible")
    assert line["counts"] == {"energy_mj": 1, "gpu_power_watts": 3, "read_bytes": 1}
    last = lab.of("harness_edge")[-1]
    assert (last["edge"], "energy_mj" in last, "read_bytes" in last) == ("exit", False, False)


def test_a_run_without_such_numbers_has_no_line_on_them(lab: Lab) -> None:
    lab.begin().ended()

    assert lab.of("harness_impossible") == []


# What is said before the run


def test_the_first_line_says_what_is_sampled_and_how(lab: Lab) -> None:
    lab.begin()

    assert lab.lines[0] == {
        "event": "harness_sampler",
        "period_ms": 250.0,
        "off": False,
        "gpu": {
            "name": "Made-up 100",
            "uuid_hash": hashed("GPU-1234"),
            "role": "trains",
            "calls": {"utilisation": "yes", "energy": "yes", "power": "not supported"},
            "energy_step_ms": 20.0,
            "energy_step_mj": 5000.0,
            "processes": "pids",
            "before": {"utilisation_percent": 0, "memory_bytes": 1 << 30},
        },
        "why_no_gpu": "",
        "host_absent": [],
    }


def test_what_the_host_does_not_show_is_named_and_left_empty(lab: Lab) -> None:
    for name in ("proc/vmstat", f"proc/{os.getpid()}/io"):
        (lab.root / name).unlink()
    sampler = lab.begin()
    lab.tick(sampler)

    assert lab.lines[0]["host_absent"] == ["read_bytes", "swapped_bytes"]
    assert lab.column("swapped_bytes") == [""]
    assert "swapped_bytes" not in lab.of("harness_edge")[0]


def test_without_a_card_the_host_is_sampled_and_the_line_says_why(lab: Lab) -> None:
    sampler = lab.begin(lab.samplers(None, why_no_gpu="there is no NVIDIA driver library"))
    lab.tick(sampler)

    assert (lab.lines[0]["gpu"], lab.lines[0]["why_no_gpu"]) == (None, "there is no NVIDIA driver library")
    row = lab.rows()[0]
    assert {row[column.name] for column in COLUMNS if column.name.startswith(("gpu_", "sm_"))} == {""}
    assert row["trainer_cpu_seconds"] == "2.0"
    assert lab.of("harness_gpu_lost") == []


def test_telemetry_that_is_off_touches_nothing(lab: Lab) -> None:
    sampler = lab.begin(off=True)
    sampler.event(protocol.Done("done"), START_NS)

    assert sampler.tick(START_NS) is None
    sampler.ended()
    assert lab.lines == [{"event": "harness_sampler", "period_ms": 250.0, "off": True}]
    assert (lab.opened, list(lab.folder.iterdir())) == (0, [])


# The end


def test_a_second_end_does_nothing(lab: Lab) -> None:
    sampler = lab.begin()
    sampler.ended()
    sampler.ended()

    assert [edge["edge"] for edge in lab.of("harness_edge")] == ["spawn", "exit"]
    assert sampler.tick(START_NS) is None


def test_a_run_whose_trainer_never_started_is_closed(lab: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    sampler = lab.samplers().make()
    sampler.prepare(lab.folder, lab.write)
    sampler.ended()

    assert "trainer_cpu_seconds" not in lab.of("harness_edge")[-1]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_disk_that_takes_no_row_is_told_with_what_to_do(lab: Lab) -> None:
    sampler = lab.begin()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(EnvironmentProblem, match=r"telemetry\.csv \(File too large\)") as caught:
            lab.tick(sampler, ticks=20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "ulimit -f" in caught.value.advice


@pytest.mark.parametrize(
    "ticks", [2_400, pytest.param(144_000, marks=pytest.mark.deep)], ids=["10 minutes", "10 hours"]
)
def test_a_long_run_takes_no_more_memory_than_its_first_minute(lab: Lab, ticks: int) -> None:
    sampler = lab.begin()
    tracemalloc.start()
    try:
        lab.tick(sampler, ticks=240)
        after_a_minute, _ = tracemalloc.get_traced_memory()
        lab.tick(sampler, ticks=ticks - 240)
        at_the_end, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert at_the_end - after_a_minute < 2000
