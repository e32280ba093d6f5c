"""A driver that takes its time, or never answers, beside a run that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import protocol
from tests.support.sampler_lab import PERIOD_NS, Lab, phase


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.card.answers.set()


def come_back(lab: Lab) -> None:
    """Let the driver answer everything that it was asked."""
    lab.card.answers.set()
    assert lab.driver.submit(lambda: None).done(60.0)


def later(lab: Lab, milliseconds: float) -> int:
    lab.time.now_ns += round(milliseconds * 1e6)
    return lab.time.now_ns


def test_reading_that_comes_before_the_next_tick_is_in_the_row_of_its_own(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    lab.tick(sampler)
    assert lab.rows() == []
    come_back(lab)

    lab.tick(sampler)

    assert lab.column("sm_clock_mhz") == ["1530", "1530"]
    assert lab.column("late_ms") == ["0.0", "0.0"]


def test_reading_that_takes_longer_than_a_period_costs_cells_and_no_rows(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    lab.tick(sampler, ticks=3)
    come_back(lab)
    lab.tick(sampler, ticks=2)

    assert lab.column("sm_clock_mhz") == ["", "", "1530", "1530", "1530"]
    assert lab.column("trainer_cpu_seconds") == ["2.0"] * 5
    assert lab.of("harness_gpu_lost") == []


def test_card_that_does_not_answer_counts_as_lost_after_the_deadline(lab: Lab) -> None:
    sampler = lab.begin()
    lab.tick(sampler)
    lab.card.answers.clear()
    lab.tick(sampler, ticks=12)
    sampler.ended()

    (lost,) = lab.of("harness_gpu_lost")
    assert lost["why"] == "The NVIDIA driver did not answer within 2 s."
    assert lab.column("sm_clock_mhz") == ["1530"] + [""] * 12
    assert lab.column("late_ms") == ["0.0"] * 13  # Nobody waited for it.
    assert lab.driver.hangs


def test_tick_does_not_wait_for_a_driver_that_is_busy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.telemetry.sampler.PATIENCE_SECONDS", 3600.0)
    sampler = lab.begin()
    lab.card.answers.clear()
    lab.driver.submit(lab.card.counters)

    lab.tick(sampler)
    sampler.event(phase("train_k", 1.0), lab.time.now_ns)


def test_edge_whose_reading_comes_in_time_has_the_counters(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    sampler.event(phase("train_k", 1.0), later(lab, 1))
    assert [edge["edge"] for edge in lab.of("harness_edge")] == ["spawn"]
    later(lab, 49)
    come_back(lab)

    lab.tick(sampler)

    assert lab.of("harness_edge")[1]["energy_mj"] == 1000


def test_edge_whose_reading_comes_later_than_its_event_is_left_empty(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    heard_ns = later(lab, 1)
    sampler.event(phase("train_k", 1.0), heard_ns)
    sampler.event(phase("eval_k", 1.0), heard_ns)
    later(lab, 51)
    come_back(lab)
    lab.tick(sampler)
    sampler.event(phase("train_k", 2.0), later(lab, 1))

    edges = lab.of("harness_edge")[1:]
    assert [(edge["edge"], edge.get("energy_mj"), edge.get("lost_ns")) for edge in edges] == [
        ("train_k", None, None), ("eval_k", None, None), ("train_k", 1000, {"software_power_cap": 7}),
    ]  # fmt: skip
    assert [edge["trainer_cpu_seconds"] for edge in edges] == [2.0] * 3


def test_edges_are_written_in_their_order(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    sampler.event(phase("train_k", 1.0), later(lab, 1))
    later(lab, 60)
    sampler.event(phase("eval_k", 1.0), lab.time.now_ns)
    come_back(lab)
    sampler.event(protocol.Done("done"), later(lab, 1))
    sampler.ended()

    names = [(edge["edge"], "energy_mj" in edge) for edge in lab.of("harness_edge")]
    assert names == [("spawn", True), ("train_k", False), ("eval_k", True), ("done", True), ("exit", True)]


def test_end_of_a_run_does_not_wait_for_the_driver(lab: Lab) -> None:
    with lab.samplers() as samplers:
        sampler = lab.begin(samplers)
        lab.card.answers.clear()
        lab.tick(sampler)
        sampler.ended()

        last = lab.of("harness_edge")[-1]
        assert (last["edge"], "energy_mj" in last, last["trainer_cpu_seconds"]) == ("exit", False, 2.0)
        assert lab.column("sm_clock_mhz") == [""]
    assert not lab.card.closed  # nor is it left, which would wait, too


def test_next_run_is_not_watched_where_the_driver_has_not_come_back(lab: Lab, tmp_path: Path) -> None:
    samplers = lab.samplers()
    sampler = lab.begin(samplers)
    lab.card.answers.clear()
    lab.tick(sampler)
    sampler.ended()
    lab.folder = tmp_path / "second"
    lab.folder.mkdir()

    lab.begin(samplers).ended()

    second = lab.of("harness_sampler")[1]
    assert (second["gpu"], "has not come back" in second["why_no_gpu"]) == (None, True)
    come_back(lab)
    lab.folder = tmp_path / "third"
    lab.folder.mkdir()
    lab.tick(lab.begin(samplers))
    assert lab.column("sm_clock_mhz") == ["1530"]


def test_flood_of_events_leaves_nothing_to_do_for_a_driver_that_comes_back(lab: Lab) -> None:
    sampler = lab.begin()
    lab.card.answers.clear()
    lab.tick(sampler)
    for k in range(100):
        sampler.event(phase("train_k", float(k)), later(lab, 1))
    later(lab, PERIOD_NS / 1e6)
    lab.card.cpu_us = 100.0
    come_back(lab)
    sampler.ended()

    assert [edge["cost_us"] for edge in lab.of("harness_edge")[1:-1]] == [0.0] * 100
