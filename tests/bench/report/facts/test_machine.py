"""The facts about the machine: only what is known, and a stall that cannot be is not 0 %."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.record import Record, build_record
from bench.report.text import dollars
from tests.support.facts import by_id
from tests.support.machines import Machine
from tests.support.records import Run

WATCHED = Run(machine=Machine())


def waited(sum_us: float, **changes: Any) -> Record:
    """A run whose second epoch of 10 s waited 97 times, with a floor of 200 us."""
    run = Run(**changes)
    counts = {"epoch": 2.0, "edges_us": [1e3], "counts": [90, 7], "floor_us": 200.0, "sum_us": sum_us}
    lines = run.lines()
    return build_record(
        [*lines[:-1], {"v": 1, "event": "waits", "run": 0, "t_ns": lines[-1]["received_ns"], **counts}, lines[-1]]
    )


def test_the_gpu_and_its_energy() -> None:
    facts = by_id(WATCHED, replace(WATCHED, seed=1, machine=Machine(training_watts=350.0)))
    assert facts["gpu"].value == "busy 90 %, 300 W, 1,530 MHz"
    assert facts["energy"].value == "18,600 ± 12 J a run"
    assert "15,150 J to 94 %" in facts["energy"].detail


def test_a_miss_takes_infinite_energy_and_money_to_the_target() -> None:
    facts = by_id(replace(WATCHED, correct=(1, 2, 3, 4, 9399)), cost_per_hour=3.06)
    assert facts["energy"].value == "16,100 ± 10 J a run" and "inf J to 94 %" in facts["energy"].detail
    assert facts["cost"].value == "inf"


def test_energy_by_readings_of_power_has_no_uncertainty() -> None:
    facts = by_id(Run(machine=Machine(training_watts=200.0, idle_watts=200.0, counter=False)))
    assert facts["energy"].value == "17,200 J a run" and "14,300 J to 94 %" in facts["energy"].detail


def test_a_gpu_that_did_not_train_has_no_energy_to_the_target() -> None:
    facts = by_id(Run(machine=Machine(role="watched")))
    assert facts["gpu"].value == "busy 90 %, 250 W, 1,530 MHz"
    assert facts["energy"].value == "16,100 ± 10 J a run" and "to 94 %" not in facts["energy"].detail
    for name in ("gpu", "energy"):
        assert "monitored" in facts[name].detail


def test_each_configuration_says_whether_its_gpu_trained() -> None:
    runs = (WATCHED, Run(machine=Machine(role="watched"), hello={"precision": "fp32"}, seed=1))
    assert ["monitored" in by_id(*runs, configuration=place)["energy"].detail for place in (0, 1)] == [False, True]


def test_without_a_gpu_there_is_no_fact_about_one() -> None:
    facts = by_id(Run(machine=Machine(gpu=False)))
    assert "gpu" not in facts and "energy" not in facts
    assert facts["cpu"].value == "1.50 cores" and "0.25" in facts["cpu"].detail


def test_the_cost_is_rounded_to_cents_and_unknown_without_a_price() -> None:
    assert by_id(WATCHED, cost_per_hour=3.06)["cost"].value == "$0.04"
    assert "cost" not in by_id(WATCHED)


@pytest.mark.parametrize(("value", "shown"), [
    (1.1829, "$1.18"), (0.2895, "$0.29"), (0.2582, "$0.26"), (6.8723, "$6.87"), (8.4396, "$8.44"), (0.0629, "$0.06"),
    (1234.5, "$1,234.50"), (0.0012, "$0.0012"), (float("inf"), "inf"),
])  # fmt: skip
def test_dollars_are_rounded_to_the_nearest_cent(value: float, shown: str) -> None:
    assert dollars(value) == shown


def test_stalls_are_the_share_of_training_beyond_the_floor() -> None:
    assert by_id(waited(1_019_400.0))["stalls"].value == "10.0 %"  # 1.0194 s of waits, 19.4 ms of them the floor.


def test_a_dataset_on_the_device_has_no_stalls_rather_than_none() -> None:
    for record in (Run(hello={"input": "device"}).record(), waited(1_019_400.0, hello={"input": "device"})):
        assert by_id(record)["stalls"].value == "not applicable"


def test_waits_that_were_not_measured_or_whose_input_is_unknown_are_no_fact() -> None:
    assert "stalls" not in by_id(Run())
    assert "stalls" not in by_id(replace(Run().record(), input=None), Run(seed=1))


def test_the_sampler_is_part_of_what_the_harness_costs() -> None:
    whole = WATCHED.record()
    assert by_id(Run())["harness"].value == "at most 0.06 % of one core in a run"
    assert "301 us" in by_id(whole)["harness"].detail and "1.0 ms late" in by_id(whole)["harness"].detail
    sampling = replace(whole.telemetry.sampling, missed=240)
    assert "240" in by_id(replace(whole, telemetry=replace(whole.telemetry, sampling=sampling)))["harness"].detail
    assert "sampler" not in by_id(Run())["harness"].detail
