"""A card, or a call of it, that fails: what is a missing value, and what is a lost card."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fake_nvml
from tests.support.fake_nvml import CALLS, EDGE, EMPTY, SLOW_TICK, TICK, UUID, ask

#: The calls of a tick and of an edge.
EVERY_CALL = (
    *("utilisation", "memory_total", "power", "energy", "sm_clock", "memory_clock", "temperature", "event_reasons"),
    *("processes", *(f"field_{field}" for field in range(74, 80))),
)


@pytest.mark.parametrize("code", ["lost", "reset-required", "not-loaded", "!1"])
def test_a_card_that_is_gone_half_way_is_told_and_not_taken_for_missing_values(driver: Path, code: str) -> None:
    before, (kind, message) = ask(driver, (f"gpu 0 power 250000 249000 {code}",), TICK, TICK)
    assert before["gpu_power_watts"] == 249.0
    assert kind == "GpuLost"
    assert message.startswith("The GPU stopped answering (")


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("power", "gpu_power_watts"),
        ("utilisation", "gpu_utilisation_percent"),
        ("memory_utilisation", "memory_utilisation_percent"),
        ("memory_used", "gpu_memory_bytes"),
        ("sm_clock", "sm_clock_mhz"),
        ("event_reasons", "event_reasons"),
        ("temperature", "gpu_temperature_celsius"),
    ],
)
def test_an_unknown_error_of_one_call_costs_its_cell_and_loses_no_card(driver: Path, key: str, cell: str) -> None:
    opening = "50 50" if key == "memory_used" else "50"  # which is asked for to describe the card, too
    line = f"gpu 0 {key} {opening} 50 unknown 50"
    before, once, after = ask(driver, ("gpu 0 utilisation 90", line), SLOW_TICK, SLOW_TICK, SLOW_TICK)
    same_call = {cell, *(("gpu_utilisation_percent", "memory_utilisation_percent") if "utilisation" in key else ())}
    assert once == {**before, **dict.fromkeys(same_call, None)}
    assert before == after
    assert before[cell] is not None


@pytest.mark.parametrize(("key", "name"), [("energy", "energy_mj"), ("temperature", "temperature_celsius")])
def test_an_unknown_error_at_an_edge_costs_its_counter(driver: Path, key: str, name: str) -> None:
    before, once, after = ask(driver, (f"gpu 0 {key} 50 50 unknown 50",), EDGE, EDGE, EDGE)
    assert once == {**before, name: None}
    assert before == after


def test_an_unknown_error_of_one_counter_of_lost_time_leaves_the_others(driver: Path) -> None:
    before, once, after = ask(driver, ("gpu 0 field_75 7 7 unknown 7",), EDGE, EDGE, EDGE)
    assert before["lost_ns"] == {**once["lost_ns"], "thermal": 7} == after["lost_ns"]
    assert "thermal" not in once["lost_ns"]


def test_a_card_of_which_no_call_answers_twice_is_lost(driver: Path) -> None:
    silent = [f"gpu 0 {key} 1 unknown" for key in EVERY_CALL]
    first, (kind, message), *_ = ask(driver, tuple(silent), SLOW_TICK, SLOW_TICK)
    assert first == EMPTY
    assert (kind, "code 999" in message) == ("GpuLost", True)
    edge, (kind, _) = ask(driver, tuple(silent), EDGE, TICK)
    assert edge == {"energy_mj": None, "lost_ns": {}, "temperature_celsius": None}
    assert kind == "GpuLost"


def test_a_card_that_answers_in_between_is_not_lost(driver: Path) -> None:
    only_power = (f"gpu 0 uuid {UUID}", "gpu 0 name Bare", "gpu 0 power 1000 unknown 2000 unknown 3000 unknown unknown")
    *ticks, (kind, _) = ask(driver, only_power, *[TICK] * 6, profile=None)
    assert [tick["gpu_power_watts"] for tick in ticks] == [None, 2.0, None, 3.0, None]
    assert kind == "GpuLost"


def test_an_unknown_error_that_passes_while_the_card_is_opened_costs_nothing(driver: Path) -> None:
    lines = ("gpu 0 power unknown 250000", "gpu 0 field_75 unknown 7", "gpu 0 energy unknown 9")
    calls, tick, edge = ask(driver, lines, CALLS, TICK, EDGE)
    assert {calls[name] for name in ("power", "energy", "lost_thermal")} == {"yes"}
    assert (tick["gpu_power_watts"], edge["lost_ns"]["thermal"], edge["energy_mj"]) == (250.0, 7, 9)


def test_a_card_of_which_no_call_answers_when_it_is_opened_is_a_problem(driver: Path) -> None:
    silent = tuple(f"gpu 0 {key} unknown" for key in EVERY_CALL)
    ((kind, message),) = ask(driver, silent, TICK)
    assert (kind, "code 999" in message) == ("GpuProblem", True)


def test_a_lost_card_is_lost_to_every_later_call(driver: Path) -> None:
    lost = ask(driver, ("gpu 0 power 250000 lost",), TICK, TICK, EDGE)
    assert [kind for kind, _ in lost] == ["GpuLost"] * 3


def test_a_card_can_be_lost_after_a_while(driver: Path) -> None:
    fine, lost = (ask(driver, (f"gpu 0 gone {after_ms}",), TICK)[0] for after_ms in (3_600_000, 0))
    assert fine["gpu_power_watts"] == 250.0
    assert lost[0] == "GpuLost"


def test_a_counter_that_is_gone_with_the_card_is_not_taken_for_a_missing_one(driver: Path) -> None:
    ((kind, _),) = ask(driver, ("gpu 0 field_75 0 reset-required",), EDGE)
    assert kind == "GpuLost"


def test_a_card_that_is_lost_when_it_is_opened_is_a_problem_with_advice(driver: Path) -> None:
    ((kind, message),) = ask(driver, ("gpu 0 power lost",), TICK)
    assert kind == "GpuLost"
    assert "restart the machine" in message


@pytest.mark.parametrize("line", ["handle lost", "handle unknown", "uuid unknown", "memory_total lost", "pci lost"])
def test_a_lost_neighbour_does_not_keep_a_card_from_being_read(driver: Path, line: str) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, f"gpu 1 {line}")
    tick, facts = ask(driver, lines, TICK, f"gpu.facts({UUID!r}).vbios")
    assert (tick["gpu_power_watts"], facts) == (250.0, "88.00.4F.00.09")


def test_a_card_that_may_be_the_lost_one_is_told_as_lost(driver: Path) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 handle lost")
    ((kind, message),) = ask(driver, lines, "gpu.open_card('GPU-bbbbbbbb-0000')")
    assert (kind, "GPU-bbbb" in message) == ("GpuLost", False)


def test_a_call_that_fails_once_leaves_one_empty_cell_and_one_that_fails_at_first_is_not_made_again(
    driver: Path,
) -> None:
    ticks = ask(driver, ("gpu 0 power 250000 !10 240000",), TICK, TICK)
    assert [tick["gpu_power_watts"] for tick in ticks] == [None, 240.0]
    calls, tick = ask(driver, ("gpu 0 power not-supported 250000",), CALLS, TICK)
    assert (calls["power"], tick["gpu_power_watts"]) == ("not supported", None)
