from __future__ import annotations

import csv
import os
import resource
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import protocol
from bench.errors import EnvironmentProblem
from bench.probes.environment import hashed
from bench.probes.gpu import Counters, Gpu, GpuLost, GpuProblem, Sample
from bench.probes.gpu.energy import EnergyStep
from bench.record.telemetry import COLUMNS
from bench.sampler import Clocks, Sampler, Samplers
from bench.watched_card import Chosen
from tests.bench.made_up_kernel import machine, process

START_NS = 5_000_000_000
PERIOD_NS = 250_000_000
TRAINER = 4321
HOST_PIDS = "pid:[4026531836]"
CPUINFO = {"proc/cpuinfo": "processor: 0\ncpu MHz\t\t: 2600.000\n"}
SYSTEM = ("16.0", "5.0", "2600.0", "1.25", "51200", "30720", str(7 * os.sysconf("SC_PAGE_SIZE")))


class Time:
    """Clocks that stand still unless something takes time."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.cpu_ns = 0

    def takes(self, wall_ms: float, cpu_us: float) -> None:
        self.now_ns += round(wall_ms * 1e6)
        self.cpu_ns += round(cpu_us * 1e3)

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_ns, lambda: self.cpu_ns)


class FakeCard:
    """A card that answers at once, or after ``wall_ms`` and ``cpu_us``, or with ``trouble``."""

    def __init__(self, time: Time, processes: tuple[int, ...] | None = ()) -> None:
        self._time = time
        self.gpu = Gpu(0, "GPU-1234", "Made-up 100", 1 << 34, "575.1", "12.9", (9, 0))
        self.calls: Mapping[str, str] = {"utilisation": "yes", "energy": "yes", "power": "not supported"}
        self.processes = processes
        self.energy_mj = 1000
        self.wall_ms = self.cpu_us = 0.0
        self.trouble: Exception | None = None
        self.steps_measured = 0
        self.closed = False

    def _ask(self) -> None:
        self._time.takes(self.wall_ms, self.cpu_us)
        if self.trouble is not None:
            raise self.trouble

    def sample(self, slow: bool = False) -> Sample:
        self._ask()
        return Sample(
            gpu_utilisation_percent=90,
            memory_utilisation_percent=40,
            gpu_memory_bytes=1 << 30,
            gpu_power_watts=None,
            sm_clock_mhz=1530,
            memory_clock_mhz=877,
            event_reasons=4,
            gpu_temperature_celsius=55 if slow else None,
            processes=self.processes if slow else None,
        )

    def counters(self) -> Counters:
        self._ask()
        return Counters(self.energy_mj, {"software_power_cap": 7}, 54)

    def measure_energy_step(self) -> EnergyStep | None:
        self.steps_measured += 1
        return EnergyStep(period_ms=20.0, step_mj=5000.0)

    def close(self) -> None:
        self.closed = True


class Lab:
    """A sampler on a made-up machine, the lines and rows it wrote, and the time that passes."""

    def __init__(self, folder: Path, namespace: str = HOST_PIDS) -> None:
        self.time = Time()
        self.card = FakeCard(self.time, processes=(TRAINER,))
        self.opened = 0
        self.lines: list[dict[str, Any]] = []
        self.writing = 0.0, 0.0
        self.folder = folder / "run"
        self.folder.mkdir()
        self.root = machine(folder / "root", without=("sys/devices",), **CPUINFO)
        process(self.root, os.getpid(), (0, 0, 0, 0), disk_bytes=0)
        process(self.root, TRAINER, (150, 50, 0, 0), disk_bytes=8192)
        (self.root / "proc/self/ns").mkdir()
        (self.root / "proc/self/ns/pid").symlink_to(namespace)

    def samplers(self, chosen: Chosen | None = Chosen("GPU-1234"), **how: Any) -> Samplers:  # noqa: B008 (frozen)
        return Samplers(chosen, open_card=self._open, root=self.root, clocks=self.time.clocks, **how)

    def _open(self, uuid: str) -> FakeCard:
        self.opened += 1
        self.time.takes(0, 0)
        if self.card.trouble is not None:
            raise self.card.trouble
        return self.card

    def begin(self, samplers: Samplers | None = None) -> Sampler:
        sampler = (samplers or self.samplers()).make()
        sampler.prepare(self.folder, self.write)
        sampler.began(TRAINER)
        return sampler

    def write(self, line: Mapping[str, Any]) -> None:
        self.lines.append(dict(line))
        self.time.takes(*self.writing)

    def tick(self, sampler: Sampler, ticks: int = 1) -> int:
        """So many ticks, each as soon as it is due; when the next one is."""
        for _ in range(ticks):
            due = sampler.tick(self.time.now_ns)
            assert due is not None
            self.time.now_ns = max(self.time.now_ns, due)
        return due

    def rows(self) -> list[dict[str, str]]:
        with open(self.folder / "telemetry.csv", newline="") as stream:
            return list(csv.DictReader(stream))

    def column(self, name: str) -> list[str]:
        return [row[name] for row in self.rows()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def phase(name: str, epoch: float | None = None) -> protocol.Phase:
    return protocol.Phase(name, 0, 1, epoch)


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


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (GpuProblem("No GPU can be read: the driver is not loaded."), "No GPU can be read: the driver is not loaded."),
        (AttributeError("nvmlInit"), "AttributeError: nvmlInit"),
    ],
)
def test_a_driver_that_does_not_open_costs_no_run(lab: Lab, trouble: Exception, told: str) -> None:
    lab.card.trouble = trouble
    lab.tick(lab.begin())

    assert (lab.lines[0]["gpu"], lab.lines[0]["why_no_gpu"]) == (None, told)
    assert lab.of("harness_gpu_lost") == []


def test_the_card_is_opened_and_its_counter_measured_once_for_all_runs(lab: Lab, tmp_path: Path) -> None:
    with lab.samplers() as samplers:
        lab.begin(samplers).ended()
        lab.folder = tmp_path / "second"
        lab.folder.mkdir()
        lab.begin(samplers).ended()

    assert (lab.opened, lab.card.steps_measured, lab.card.closed) == (1, 1, True)
    assert [line["gpu"]["energy_step_ms"] for line in lab.of("harness_sampler")] == [20.0, 20.0]


def test_telemetry_that_is_off_touches_nothing(lab: Lab) -> None:
    sampler = lab.begin(lab.samplers(off=True))
    sampler.event(protocol.Done("done"), START_NS)

    assert sampler.tick(START_NS) is None
    sampler.ended()
    assert lab.lines == [{"event": "harness_sampler", "period_ms": 250.0, "off": True}]
    assert (lab.opened, list(lab.folder.iterdir())) == (0, [])


# A card that is lost


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (GpuLost("The GPU stopped answering (code 15)."), "The GPU stopped answering (code 15)."),
        (ValueError("an answer of\nsome other form"), "ValueError: an answer of some other form"),
    ],
)
def test_a_lost_card_is_told_once_and_the_host_is_sampled_on(lab: Lab, trouble: Exception, why: str) -> None:
    sampler = lab.begin()
    lab.tick(sampler)
    lab.card.trouble = trouble
    lab.tick(sampler, ticks=3)
    sampler.ended()

    assert [line["why"] for line in lab.of("harness_gpu_lost")] == [why]
    assert lab.column("gpu_utilisation_percent") == ["90", "", "", ""]
    assert lab.column("trainer_cpu_seconds") == ["2.0"] * 4
    last = lab.of("harness_edge")[-1]
    assert (last["edge"], "energy_mj" in last, last["trainer_cpu_seconds"]) == ("exit", False, 2.0)
    assert lab.card.closed


def test_a_card_lost_at_an_edge_is_told_there(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.trouble = GpuLost("The GPU stopped answering.")
    sampler.event(phase("train_k", 1.0), START_NS + 5)

    assert [line["event"] for line in lab.lines[2:]] == ["harness_edge", "harness_gpu_lost"]
    assert "energy_mj" not in lab.lines[2]


def test_a_lost_card_is_opened_again_for_the_next_run(lab: Lab, tmp_path: Path) -> None:
    samplers = lab.samplers()
    sampler = lab.begin(samplers)
    lab.card.trouble = GpuLost("The GPU stopped answering.")
    lab.tick(sampler)
    sampler.ended()
    lab.card.trouble = None
    lab.folder = tmp_path / "second"
    lab.folder.mkdir()

    lab.tick(lab.begin(samplers))

    assert (lab.opened, lab.card.steps_measured) == (2, 1)
    assert lab.column("gpu_utilisation_percent") == ["90"]
    assert len(lab.of("harness_gpu_lost")) == 1


# Whose processes are on the card


def test_processes_that_are_not_the_trainers_are_foreign(lab: Lab) -> None:
    process(lab.root, TRAINER, (0, 0, 0, 0), children=(777,))
    process(lab.root, 777, (0, 0, 0, 0))
    lab.card.processes = (TRAINER, 777, 31337)
    lab.tick(lab.begin())

    assert (lab.column("gpu_processes"), lab.column("foreign_processes")) == (["3"], ["1"])


def test_a_child_born_since_the_last_look_is_not_foreign(lab: Lab) -> None:
    sampler = lab.begin()
    lab.tick(sampler, ticks=10)  # tick 10 looks at processes, tick 8 was the last to look for children
    process(lab.root, TRAINER, (0, 0, 0, 0), children=(777,))
    process(lab.root, 777, (0, 0, 0, 0))
    lab.card.processes = (TRAINER, 777)
    lab.tick(sampler)

    assert lab.column("foreign_processes")[10] == "0"


def test_where_numbers_mean_nothing_all_but_one_are_foreign_once_the_trainer_is_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path, namespace="pid:[4026532198]")
    lab.card.processes = (900,)
    sampler = lab.begin()
    lab.tick(sampler)  # nobody trains within a millisecond of its birth
    lab.card.processes = (900, 901)
    lab.tick(sampler, ticks=10)
    lab.card.processes = (901,)
    lab.tick(sampler, ticks=10)

    assert lab.lines[0]["gpu"]["processes"] == "counts"
    assert [cell for cell in lab.column("foreign_processes") if cell] == ["1", "1", "0"]


def test_a_card_that_is_only_watched_has_no_process_of_ours(tmp_path: Path) -> None:
    lab = Lab(tmp_path, namespace="pid:[4026532198]")
    lab.card.processes = (900,)
    sampler = lab.begin(lab.samplers(Chosen("GPU-1234", role="watched")))
    lab.tick(sampler, ticks=11)

    assert lab.lines[0]["gpu"]["role"] == "watched"
    assert [cell for cell in lab.column("foreign_processes") if cell] == ["1", "1"]


def test_a_card_that_lists_no_processes_leaves_both_columns_empty(lab: Lab) -> None:
    lab.card.processes = None
    lab.tick(lab.begin())

    assert (lab.column("gpu_processes"), lab.column("foreign_processes")) == ([""], [""])


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
        with pytest.raises(EnvironmentProblem, match=r"telemetry\.csv \(File too large\); raise the file size limit"):
            lab.tick(sampler, ticks=20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


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
