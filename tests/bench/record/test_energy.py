"""The energy of a run: of its card's counter, or of the power over time, or why it is not known.

``Run`` lives 86 s: 25.5 s of preparation, five epochs of 10 s training and 2 s evaluation, and 0.5 s of exit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bench.record import build_record
from bench.record.ticks import TelemetrySample
from bench.system import json_schema
from tests.bench.record.test_machine import run_with, telemetry
from tests.support.machines import Machine
from tests.support.records import NS, Run, changed


def test_energy_is_what_the_counter_grew_by() -> None:
    found = telemetry(Machine())
    # 50 s of training at 250 W and 36 s of the rest at 100 W; to the target 40 s and 31.5 s.
    energy = found.energy
    assert (energy.run_joules, energy.to_target_joules, energy.source) == (16_100.0, 13_150.0, "counter")
    assert (energy.begin_mj, energy.end_mj, energy.why_empty) == (1_000_000, 17_100_000, "")
    assert energy.uncertainty_joules == 10.0  # Two edges, each off by 20 ms at 250 W.
    assert [(each.train_joules, each.train_uncertainty_joules) for each in found.epochs] == [(2500.0, 10.0)] * 5


def test_a_miss_has_no_energy_to_the_target() -> None:
    energy = telemetry(Machine(), correct=(1, 2, 3, 4, 9399)).energy
    assert (energy.run_joules, energy.to_target_joules) == (16_100.0, None)


@pytest.mark.parametrize(("nth", "to_target_joules"), [(2, 13_150.0), (3, None)])
def test_an_edge_that_was_read_late_is_not_that_of_an_epoch_or_of_the_target(
    nth: int, to_target_joules: float | None
) -> None:
    run = Run(machine=Machine())
    lines = run.lines()
    index = [i for i, line in enumerate(lines) if line.get("edge") == "train_k"][nth]
    lines[index] = {**lines[index], "t_ns": lines[index]["t_ns"] + 1_100_000_000}
    found = build_record(lines, telemetry=run.ticks()).telemetry
    epochs = [(each.train_joules, each.train_uncertainty_joules) for each in found.epochs]
    assert epochs == [(None, None) if place == nth else (2500.0, 10.0) for place in range(5)]
    assert (found.energy.run_joules, found.energy.to_target_joules) == (16_100.0, to_target_joules)


@pytest.mark.parametrize("energy_mj", [2**64 - 2, 2**63, 2**53, 10**400])
def test_counter_that_cannot_be_is_missing_and_counted_and_no_line_that_the_trainer_wrote(energy_mj: int) -> None:
    run = Run(machine=Machine())
    lines = run.lines()
    index = max(i for i, line in enumerate(lines) if line.get("edge") == "exit")
    lines[index] = {**lines[index], "energy_mj": energy_mj}
    record = build_record([json.dumps(line).encode() for line in lines], telemetry=run.ticks())
    assert (record.malformed_lines, record.telemetry.impossible) == (0, {"energy_mj": 1})
    assert (record.telemetry.energy.run_joules, record.telemetry.energy.to_target_joules) == (None, 13_150.0)
    assert record.telemetry.energy.why_empty == "the energy counter was not read at the run's end"


@pytest.mark.parametrize("edge", [{"temperature_celsius": 2**32 - 6}, {"lost_ns": {"thermal": 2**64 - 2, "board": 5}},
                                  {"read_bytes": 2**64 - 4096}, {"pressure_seconds": {"cpu": 2.0**70}}])  # fmt: skip
def test_every_other_counter_that_cannot_be_is_missing_likewise(edge: dict[str, Any]) -> None:
    run = run_with(**edge)
    record = build_record([json.dumps(line).encode() for line in run.lines()], telemetry=run.ticks())
    assert (record.malformed_lines, record.telemetry.energy.run_joules) == (0, 16_100.0)
    assert record.telemetry.impossible == {next(iter(edge)): 21}  # of as many edges
    json.loads(json_schema.dump(record))


def test_counter_that_jumps_further_than_a_card_could_take_it_tells_no_energy() -> None:
    run = Run(machine=Machine())
    lines = run.lines()
    places = [i for i, line in enumerate(lines) if "edge" in line]
    for i in places[10:]:
        lines[i] = {**lines[i], "energy_mj": lines[i]["energy_mj"] + 10**12}
    found = build_record(lines, telemetry=run.ticks()).telemetry
    assert (found.energy.run_joules, found.energy.why_empty) == (
        None,
        "the energy counter made a jump that no card could",
    )
    assert [each.train_joules for each in found.epochs] == [None] * 5


@pytest.mark.parametrize(("gpu", "joules"), [
    ({"energy_step_mj": 10_000, "energy_step_ms": 100}, 50.0),  # 100 ms at no more than 250 W, twice
    ({"energy_step_ms": 100}, 50.0),
    ({"energy_step_mj": 40_000, "energy_step_ms": 100}, 80.0),  # The card was busy while the steps were looked at.
    ({"energy_step_mj": 10_000}, None),
    ({}, None),
])  # fmt: skip
def test_a_counter_that_moves_in_steps_is_uncertain_by_the_largest_of_them_at_each_end(
    gpu: Any, joules: float | None
) -> None:
    assert telemetry(Machine(sampler={"gpu": {"name": "card", **gpu}})).energy.uncertainty_joules == joules


def test_a_step_that_was_seen_on_an_idle_card_does_not_tell_how_uncertain_a_loaded_one_is() -> None:
    # 60 W idle, 500 W in training, a step every 100 ms: 6 J before the run and 50 J in it.
    step = {"energy_step_ms": 100.0, "energy_step_mj": 6000.0}
    machine = Machine(idle_watts=60.0, training_watts=500.0, sampler={"gpu": {"name": "card", **step}})
    energy = telemetry(machine).energy
    assert energy.uncertainty_joules is not None
    assert energy.uncertainty_joules >= 6 + 50


def test_steps_under_a_load_that_was_not_read_are_not_known() -> None:
    assert telemetry(Machine(every_tick={"gpu_power_watts": None})).energy.uncertainty_joules is None


def test_a_counter_that_went_back_was_reset() -> None:
    run = Run(machine=Machine())
    lines = changed(run.lines(), "harness_edge", 8, energy_mj=5)
    found = build_record(lines, telemetry=run.ticks()).telemetry
    assert (found.energy.run_joules, found.energy.to_target_joules) == (None, None)
    assert found.energy.why_empty == "the energy counter was reset during the run"
    assert [each.train_joules for each in found.epochs] == [None] * 5


def test_without_a_counter_power_is_summed_and_the_source_says_so() -> None:
    found = telemetry(Machine(training_watts=200.0, idle_watts=200.0, counter=False))
    assert found.energy.run_joules == pytest.approx(200 * 86.0)
    assert found.energy.to_target_joules == pytest.approx(200 * 71.5)
    assert (found.energy.source, found.energy.uncertainty_joules, found.energy.begin_mj) == ("power", None, None)
    assert [each.train_joules for each in found.epochs] == pytest.approx([2000.0] * 5)
    assert [each.train_uncertainty_joules for each in found.epochs] == [None] * 5


def test_power_between_two_ticks_is_a_straight_line() -> None:
    run = replace(Run(machine=Machine(counter=False)), correct=(9500,), epochs=1)
    watts = {1030: 100.0, 1032: 300.0}  # 86 s would be too long to draw: the run ends after 38 s.
    ticks: list[TelemetrySample] = [{"t_ns": second * NS, "gpu_power_watts": value} for second, value in watts.items()]
    energy = build_record(run.lines(), telemetry=ticks).telemetry.energy
    assert energy.run_joules == 30 * 100 + 2 * 200 + 6 * 300  # Held at 100 W before, rising for 2 s, held at 300 W.


@pytest.mark.parametrize(("machine", "why"), [
    (Machine(gpu=False), "no GPU"),
    (Machine(sampler={"off": True, "gpu": None}, gpu=False), "telemetry was off"),
    (Machine(counter=False, every_tick={"gpu_power_watts": None}), "the card gives neither energy nor power"),
])  # fmt: skip
def test_energy_that_is_not_known_says_why(machine: Machine, why: str) -> None:
    energy = telemetry(machine).energy
    assert (energy.run_joules, energy.why_empty) == (None, why)


def test_a_run_whose_end_was_not_read_has_no_energy() -> None:
    run = Run(machine=Machine())
    lines = [line for line in run.lines() if line.get("edge") != "exit"]
    energy = build_record(lines, telemetry=run.ticks()).telemetry.energy
    assert (energy.run_joules, energy.why_empty) == (None, "the energy counter was not read at the run's end")
    assert energy.to_target_joules == 13_150.0
