"""The card beside a run: opened once, lost at any moment, and shared with whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.probes.gpu import GpuLost, GpuProblem
from bench.telemetry.gpu_source import GpuSelection
from bench.telemetry.sampler import Sampler
from tests.support.made_up_kernel import process
from tests.support.sampler_lab import HOST_PIDS, START_NS, TRAINER, Lab, phase


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


# Opening it


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


@pytest.mark.parametrize("token", ["BENCH_EVENTS=/runs/1/events.fifo", None], ids=["by its variable", "by its session"])
def test_a_process_of_the_trainer_that_is_no_known_child_is_not_foreign(lab: Lab, token: str | None) -> None:
    process(lab.root, TRAINER, (0, 0, 0, 0), environ="BENCH_EVENTS=/runs/1/events.fifo")
    process(lab.root, 777, (0, 0, 0, 0), session=1 if token else TRAINER, environ=token)
    newcomer(lab, TRAINER, 777)

    assert lab.column("foreign_processes")[10] == "0"


def test_a_process_that_came_during_the_run_without_the_runs_variable_is_foreign(lab: Lab) -> None:
    process(lab.root, TRAINER, (0, 0, 0, 0), environ="BENCH_EVENTS=/runs/1/events.fifo")
    process(lab.root, 777, (0, 0, 0, 0), environ="BENCH_EVENTS=/runs/2/events.fifo")
    newcomer(lab, 777)

    assert lab.column("foreign_processes")[10] == "1"


def test_one_that_may_not_be_looked_into_is_unknown_unless_the_trainer_is_on_the_card_itself(lab: Lab) -> None:
    process(lab.root, 777, (0, 0, 0, 0))
    (lab.root / "proc/777/environ").mkdir()  # cannot be read, by nobody
    sampler = newcomer(lab, 777)
    lab.card.processes = (TRAINER, 777)
    lab.tick(sampler, ticks=10)

    assert [lab.column("foreign_processes")[tick] for tick in (10, 20)] == ["", "1"]


def test_one_that_is_gone_before_it_is_looked_at_is_unknown(lab: Lab) -> None:
    newcomer(lab, TRAINER, 777)

    assert lab.column("foreign_processes")[10] == ""


def newcomer(lab: Lab, *processes: int) -> Sampler:
    """A run whose card has nobody on it at first, and these processes on the second look at tick 10."""
    lab.card.processes = ()
    sampler = lab.begin()
    lab.tick(sampler)
    lab.card.processes = processes
    lab.tick(sampler, ticks=10)
    return sampler


@pytest.mark.parametrize("namespace", [HOST_PIDS, "pid:[4026532198]"])
def test_a_list_that_lacks_even_the_trainer_says_nothing_and_is_not_none(tmp_path: Path, namespace: str) -> None:
    lab = Lab(tmp_path, namespace=namespace)
    lab.card.processes = ()
    lab.tick(lab.begin(), ticks=21)

    assert [cell for cell in lab.column("gpu_processes") if cell] == ["0"] * 3
    assert set(lab.column("foreign_processes")) == {""}


@pytest.mark.parametrize("namespace", [HOST_PIDS, "pid:[4026532198]"])
def test_a_list_that_has_shown_the_trainer_is_believed_when_it_is_empty_again(tmp_path: Path, namespace: str) -> None:
    lab = Lab(tmp_path, namespace=namespace)
    lab.card.processes = ()
    sampler = lab.begin()
    lab.tick(sampler)
    for processes in ((TRAINER,), ()):
        lab.card.processes = processes
        lab.tick(sampler, ticks=10)

    assert [lab.column("foreign_processes")[tick] for tick in (0, 10, 20)] == ["", "0", "0"]


@pytest.mark.parametrize("namespace", [HOST_PIDS, "pid:[4026532198]"])
def test_somebody_elses_process_is_foreign_on_a_list_that_lacks_the_trainer(tmp_path: Path, namespace: str) -> None:
    lab = Lab(tmp_path, namespace=namespace)
    process(lab.root, 31337, (0, 0, 0, 0), environ="A=1")
    lab.card.processes = (31337,)
    lab.tick(lab.begin(), ticks=11)

    assert [lab.column("foreign_processes")[tick] for tick in (0, 10)] == ["1", "1"]


def test_an_empty_list_of_a_card_that_is_only_watched_is_none(lab: Lab) -> None:
    lab.card.processes = ()
    lab.tick(lab.begin(lab.samplers(GpuSelection("GPU-1234", role="watched"))))

    assert lab.column("foreign_processes") == ["0"]


def test_what_the_card_does_before_the_trainer_is_told(lab: Lab) -> None:
    lab.card.utilisation_before = 97
    lab.begin()

    assert lab.lines[0]["gpu"]["before"] == {"utilisation_percent": 97, "memory_bytes": 1 << 30}


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
    sampler = lab.begin(lab.samplers(GpuSelection("GPU-1234", role="watched")))
    lab.tick(sampler, ticks=11)

    assert lab.lines[0]["gpu"]["role"] == "watched"
    assert [cell for cell in lab.column("foreign_processes") if cell] == ["1", "1"]


def test_a_card_that_lists_no_processes_leaves_both_columns_empty(lab: Lab) -> None:
    lab.card.processes = None
    lab.tick(lab.begin())

    assert (lab.column("gpu_processes"), lab.column("foreign_processes")) == ([""], [""])
