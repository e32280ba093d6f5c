"""A card read while a run lasts: the real binding, against a compiled driver that answers by a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import fake_nvml
from tests.support.fake_nvml import PROFILES, UUID

EMPTY = {
    "gpu_utilisation_percent": None,
    "memory_utilisation_percent": None,
    "gpu_memory_bytes": None,
    "gpu_power_watts": None,
    "sm_clock_mhz": None,
    "memory_clock_mhz": None,
    "event_reasons": None,
    "gpu_temperature_celsius": None,
    "processes": None,
}
FLAT = "def flat(sample): return {**sample.numbers, 'processes': sample.processes}"
TICK, SLOW_TICK = "flat(card.sample())", "flat(card.sample(slow=True))"
EDGE, CALLS = "card.counters()", "dict(card.calls)"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    return fake_nvml.build(tmp_path_factory.mktemp("driver"))


def ask(library: Path, lines: tuple[str, ...], *expressions: str, profile: str | None = "V100", setup: str = "") -> Any:
    told = fake_nvml.scenario(library.with_name("scenario"), *lines, profile=profile)
    return fake_nvml.answers(library, told, *expressions, setup=f"{FLAT}\n{setup}")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_kind_of_card_is_read_to_the_value(tmp_path: Path, profile: str) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    told = dict(line.split(None, 3)[2:] for line in PROFILES[profile].lines if line.startswith("gpu 0 "))
    library = fake_nvml.build(tmp_path, PROFILES[profile].definition)
    calls, tick, slow_tick = ask(library, ("gpu 0 utilisation 90",), CALLS, TICK, SLOW_TICK, profile=profile)
    everything = {
        "gpu_utilisation_percent": 90,
        "memory_utilisation_percent": 40,
        "gpu_memory_bytes": 1 << 30,
        "gpu_power_watts": int(told["power"]) / 1000,
        "sm_clock_mhz": int(told["sm_clock"]),
        "memory_clock_mhz": int(told["memory_clock"]),
        "event_reasons": 0,
        "gpu_temperature_celsius": 55,
        "processes": [],
    }
    assert tick == {**everything, "gpu_temperature_celsius": None, "processes": None}
    assert slow_tick == everything
    silent = {name for name, word in calls.items() if word != "yes"}
    newer = {"lost_software_thermal", "lost_hardware_thermal", "lost_power_brake"}
    assert silent == (set() if profile == "H200" else newer)


def test_every_tick_asks_anew_and_opening_the_card_asked_once(driver: Path) -> None:
    lines = ("gpu 0 utilisation 1 20 30", "gpu 0 power 1 250500 251000", "gpu 0 event_reasons 0 0x4 0x44")
    ticks = ask(driver, lines, TICK, TICK, TICK)
    assert [tick["gpu_utilisation_percent"] for tick in ticks] == [20, 30, 30]
    assert [tick["gpu_power_watts"] for tick in ticks] == [250.5, 251.0, 251.0]
    assert [tick["event_reasons"] for tick in ticks] == [4, 0x44, 0x44]


def test_what_a_card_does_not_give_stays_empty_and_is_never_zero(driver: Path) -> None:
    bare = (f"gpu 0 uuid {UUID}", "gpu 0 name Bare")
    calls, tick, edge = ask(driver, bare, CALLS, SLOW_TICK, EDGE, profile=None)
    assert tick == EMPTY
    assert edge == {"energy_mj": None, "lost_ns": {}, "temperature_celsius": None}
    assert {word for name, word in calls.items() if not name.startswith("lost_")} == {"not supported"}


def test_an_idle_card_gives_zeros_that_are_not_missing(driver: Path) -> None:
    idle = ("gpu 0 utilisation 0", "gpu 0 memory_utilisation 0", "gpu 0 memory_used 0", "gpu 0 processes -")
    (tick,) = ask(driver, idle, SLOW_TICK)
    assert (tick["gpu_utilisation_percent"], tick["memory_utilisation_percent"]) == (0, 0)
    assert (tick["gpu_memory_bytes"], tick["processes"]) == (0, [])


def test_a_number_that_says_not_available_is_missing_and_no_measurement(driver: Path) -> None:
    none, none_64, no_share = 2**32 - 1, 2**64 - 1, 255
    readings = ("power", "sm_clock", "memory_clock", "temperature")
    lines = [f"gpu 0 {key} {none}" for key in readings]
    lines += [f"gpu 0 {key} {none_64}" for key in ("memory_used", "event_reasons", "energy", "field_75")]
    lines += [f"gpu 0 {key} {no_share}" for key in ("utilisation", "memory_utilisation")]
    tick, edge = ask(driver, (*lines, "gpu 0 processes not-supported"), SLOW_TICK, EDGE)
    assert tick == EMPTY
    assert (edge["energy_mj"], edge["temperature_celsius"]) == (None, None)
    assert "thermal" not in edge["lost_ns"]
    assert edge["lost_ns"]["sync_boost"] == 0


IMPOSSIBLE, NEVER = "card.take_impossible()", 2**64 - 500_000_000


@pytest.mark.parametrize(
    ("key", "answer", "column"),
    [
        ("power", 752_000, "gpu_power_watts"),
        ("power", 3_700_000_000, "gpu_power_watts"),
        ("memory_used", NEVER, "gpu_memory_bytes"),
        ("memory_used", (16 << 30) + 1, "gpu_memory_bytes"),
        ("sm_clock", 4294967290, "sm_clock_mhz"),
        ("memory_clock", 4294967290, "memory_clock_mhz"),
        ("temperature", 4294967290, "gpu_temperature_celsius"),
        ("event_reasons", 2**64 - 2, "event_reasons"),
    ],
)
def test_a_number_that_no_card_has_is_missing_and_counted(driver: Path, key: str, answer: int, column: str) -> None:
    first, second, counts, none = ask(
        driver, (f"gpu 0 {key} {answer}", "gpu 0 processes -"), SLOW_TICK, SLOW_TICK, IMPOSSIBLE, IMPOSSIBLE
    )
    assert (first[column], second[column]) == (None, None)
    assert (counts, none) == ({column: 2}, {})
    assert [name for name, value in first.items() if value is None] == [column]


def test_a_power_is_held_against_the_limit_in_force(driver: Path) -> None:
    laptop = ("gpu 0 power_limit 60000", "gpu 0 default_power_limit 60000")
    (tick,) = ask(driver, (*laptop, "gpu 0 power 752000"), TICK)
    assert tick["gpu_power_watts"] is None
    (tick,) = ask(driver, (*laptop, "gpu 0 power 75200"), TICK)
    assert tick["gpu_power_watts"] == 75.2
    ticks = ask(driver, ("gpu 0 power_limit 60000 300000", "gpu 0 power 250000"), TICK, TICK)
    assert [tick["gpu_power_watts"] for tick in ticks] == [None, 250.0]  # Somebody raised it.


@pytest.mark.parametrize("limit", ["not-supported", "4294967290", "0"])
def test_without_a_limit_a_power_is_held_against_what_any_card_takes(driver: Path, limit: str) -> None:
    ticks = ask(driver, (f"gpu 0 power_limit {limit}", "gpu 0 power 1 752000 3700000000"), TICK, TICK)
    assert [tick["gpu_power_watts"] for tick in ticks] == [752.0, None]


def test_a_counter_that_cannot_be_is_missing_and_counted(driver: Path) -> None:
    lines = (f"gpu 0 energy {2**64 - 2}", f"gpu 0 field_75 {2**63}", "gpu 0 temperature 4294967290")
    edge, counts = ask(driver, lines, EDGE, IMPOSSIBLE)
    assert (edge["energy_mj"], edge["temperature_celsius"], "thermal" in edge["lost_ns"]) == (None, None, False)
    assert edge["lost_ns"]["sync_boost"] == 0
    assert counts == {"energy_mj": 1, "temperature_celsius": 1, "lost_ns": 1}


def test_process_numbers_that_no_process_has_are_no_list(driver: Path) -> None:
    tick, counts = ask(driver, ("gpu 0 processes 41,4294967290",), SLOW_TICK, IMPOSSIBLE)
    assert (tick["processes"], counts) == (None, {"gpu_processes": 1})


def test_a_call_that_did_not_answer_at_first_is_never_made_again(driver: Path) -> None:
    calls, tick = ask(driver, ("gpu 0 power not-supported 250000",), CALLS, TICK)
    assert (calls["power"], tick["gpu_power_watts"]) == ("not supported", None)


def test_why_a_call_gives_nothing_is_told_apart(driver: Path) -> None:
    lines = (*fake_nvml.LOCKED_COUNTERS, "gpu 0 power not-supported", "gpu 0 sm_clock unknown", "gpu 0 temperature !8")
    (calls,) = ask(driver, lines, CALLS)
    assert (calls["energy"], calls["processes"], calls["power"]) == ("no permission", "no permission", "not supported")
    assert calls["sm_clock"] == "code 999 (Unknown Error)"
    assert calls["temperature"] == "code 8 (Insufficient External Power)"


@pytest.mark.parametrize("answer", ["not-supported", "not-found", "!2", "!26"])
def test_what_a_card_or_a_slice_does_not_have_is_not_supported_and_no_error(driver: Path, answer: str) -> None:
    (calls,) = ask(driver, (f"gpu 0 power {answer}", f"gpu 0 field_75 {answer}"), CALLS)
    assert (calls["power"], calls["lost_thermal"]) == ("not supported", "not supported")
    assert calls["memory_clock"] == "yes"


def test_an_older_driver_is_asked_by_the_names_that_it_knows(tmp_path: Path) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    library = fake_nvml.build(tmp_path, "DRIVER=470")
    lines = ("gpu 0 event_reasons 0x4", "gpu 0 processes 41,42")
    calls, tick = ask(library, lines, CALLS, SLOW_TICK)
    assert (calls["event_reasons"], calls["processes"]) == ("yes", "yes")
    assert (tick["event_reasons"], tick["processes"]) == (4, [41, 42])


def test_a_function_that_the_driver_has_not_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    calls, tick, edge = ask(fake_nvml.build(tmp_path, "DRIVER=384"), (), CALLS, TICK, EDGE)
    assert {word for name, word in calls.items() if name.startswith("lost_")} == {"missing in the driver"}
    assert (tick["gpu_power_watts"], edge["lost_ns"]) == (250.0, {})


def test_time_lost_is_told_by_cause_and_only_by_the_counters_that_answer(driver: Path) -> None:
    lines = (*fake_nvml.OVERHEATED, "gpu 0 field_74 not-supported", "gpu 0 field_76 0 7 no-permission")
    calls, first, second = ask(driver, lines, CALLS, EDGE, EDGE)
    assert (calls["lost_software_power_cap"], calls["lost_thermal"]) == ("not supported", "yes")
    rest = {"board_limit": 0, "low_utilisation": 0, "reliability": 0}
    assert first["lost_ns"] == {"thermal": 100_000_000, "sync_boost": 7, **rest}
    assert second["lost_ns"] == {"thermal": 200_000_000, **rest}


@pytest.mark.parametrize(
    ("version", "lost_ns"),
    [("565.57.01", None), ("575.57.08", 7), ("580.65.06", 7), ("580.76.05", None), ("580.82.07", 9), ("595.1", 9)],
)
def test_counter_is_asked_for_by_the_number_that_it_has_in_the_driver(
    driver: Path, version: str, lost_ns: int | None
) -> None:
    lines = (f"driver version {version}", "gpu 0 field_251 7", "gpu 0 field_269 9")
    calls, edge = ask(driver, lines, CALLS, EDGE)
    assert calls["lost_software_thermal"] == ("missing in the driver" if lost_ns is None else "yes")
    assert edge["lost_ns"].get("software_thermal") == lost_ns


@pytest.mark.parametrize("code", ["lost", "reset-required", "not-loaded", "!1"])
def test_a_card_that_is_gone_half_way_is_told_and_not_taken_for_missing_values(driver: Path, code: str) -> None:
    before, (kind, message) = ask(driver, (f"gpu 0 power 250000 249000 {code}",), TICK, TICK)
    assert before["gpu_power_watts"] == 249.0
    assert kind == "GpuLost"
    assert message.startswith("The GPU stopped answering (")


#: The calls of a tick and of an edge.
EVERY_CALL = (
    *("utilisation", "memory_total", "power", "energy", "sm_clock", "memory_clock", "temperature", "event_reasons"),
    *("processes", *(f"field_{field}" for field in range(74, 80))),
)


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


def test_a_call_that_fails_once_leaves_one_empty_cell(driver: Path) -> None:
    ticks = ask(driver, ("gpu 0 power 250000 !10 240000",), TICK, TICK)
    assert [tick["gpu_power_watts"] for tick in ticks] == [None, 240.0]


def test_an_energy_counter_that_starts_again_is_told_as_it_stands(driver: Path) -> None:
    edges = ask(driver, ("gpu 0 energy 900000 950000 1000 +500",), EDGE, EDGE, EDGE)
    assert [edge["energy_mj"] for edge in edges] == [950000, 1000, 1500]


def test_an_energy_counter_that_follows_the_clock_stands_on_one_of_its_steps(driver: Path) -> None:
    (edge,) = ask(driver, ("gpu 0 energy rate 250 step 20 from 1000",), EDGE)
    assert edge["energy_mj"] > 1000
    assert (edge["energy_mj"] - 1000) % (250 * 20) == 0


def test_the_card_is_found_by_its_uuid_whatever_the_library_counts(driver: Path) -> None:
    second = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 power 111000", "gpu 0 power 222000")
    mine, other, index, told = ask(
        driver,
        second,
        "card.sample().numbers['gpu_power_watts']",
        "gpu.open_card('GPU-bbbbbbbb-0000').sample().numbers['gpu_power_watts']",
        "card.gpu.index",
        "[each.uuid for each in gpu.discover().gpus]",
    )
    assert (mine, other) == (222.0, 111.0)
    assert (index, told) == (1, ["GPU-bbbbbbbb-0000", UUID])


@pytest.mark.parametrize("line", ["handle lost", "handle unknown", "uuid unknown", "memory_total lost", "pci lost"])
def test_a_lost_neighbour_does_not_keep_a_card_from_being_read(driver: Path, line: str) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, f"gpu 1 {line}")
    tick, facts = ask(driver, lines, TICK, f"gpu.facts({UUID!r}).vbios")
    assert (tick["gpu_power_watts"], facts) == (250.0, "88.00.4F.00.09")


def test_a_card_that_may_be_the_lost_one_is_told_as_lost(driver: Path) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 handle lost")
    ((kind, message),) = ask(driver, lines, "gpu.open_card('GPU-bbbbbbbb-0000')")
    assert (kind, "GPU-bbbb" in message) == ("GpuLost", False)


def test_a_foreign_process_is_among_those_on_the_card(driver: Path) -> None:
    child = "import subprocess; child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)"
    found, pid = ask(driver, fake_nvml.FOREIGN_PROCESS, "card.sample(slow=True).processes", "child.pid", setup=child)
    assert found == sorted([4242, pid])


def test_processes_are_told_right_by_a_driver_with_another_structure_under_the_same_name(tmp_path: Path) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    library = fake_nvml.build(tmp_path, "DRIVER=535")
    by_binding = "[each.pid for each in pynvml.nvmlDeviceGetComputeRunningProcesses(card_0)]"
    setup = "import pynvml; pynvml.nvmlInit(); card_0 = pynvml.nvmlDeviceGetHandleByIndex(0)"
    lines = ("gpu 0 processes 41,42,43",)
    found, wrong = ask(library, lines, "card.sample(slow=True).processes", by_binding, setup=f"{FLAT}\n{setup}")
    assert found == [41, 42, 43]
    assert wrong != found  # or this test would say nothing


def test_a_process_with_two_contexts_is_one_process(driver: Path) -> None:
    (found,) = ask(driver, ("gpu 0 processes 7,5,7",), "card.sample(slow=True).processes")
    assert found == [5, 7]


def test_a_divided_card_has_no_utilisation_and_says_why(driver: Path) -> None:
    calls, tick = ask(driver, fake_nvml.DIVIDED, CALLS, TICK, profile="A100")
    assert calls["utilisation"] == "not supported while MIG is on"
    assert (tick["gpu_utilisation_percent"], tick["gpu_memory_bytes"]) == (None, 1 << 30)


def test_the_processes_of_other_slices_are_nobodys_intruders(driver: Path) -> None:
    lines = (*fake_nvml.DIVIDED, "gpu 0 processes 4242")
    calls, found = ask(driver, lines, CALLS, "card.sample(slow=True).processes", profile="A100")
    assert (calls["processes"], found) == ("not supported while MIG is on", None)


def test_a_card_that_is_not_there_is_a_problem_that_does_not_tell_its_number(driver: Path) -> None:
    ((kind, message),) = ask(driver, (), "gpu.open_card('GPU-cccccccc-0000')")
    assert (kind, "GPU-cccc" in message) == ("GpuProblem", False)
    assert "shows none with the UUID" in message


def test_a_machine_without_a_driver_has_no_card_to_open(driver: Path) -> None:
    ((kind, message),) = ask(driver, ("driver init not-loaded",), TICK)
    assert (kind, message) == ("GpuProblem", "No GPU can be read: the NVIDIA driver is installed and not loaded.")


def test_how_coarse_the_energy_counter_is_can_be_seen_by_watching_it(driver: Path) -> None:
    watched = "card.measure_energy_step(clock=itertools.count(0, 5_000_000).__next__, sleep=lambda seconds: None)"
    moving = ("gpu 0 energy 0 100 100 100 600 600 1100 1100 1600",)
    step, still, missing = (
        ask(driver, lines, watched, setup="import itertools")[0]
        for lines in (moving, ("gpu 0 energy 5",), ("gpu 0 energy not-supported",))
    )
    assert step["step_mj"] == 500
    assert step["period_ms"] > 0
    assert (still, missing) == (None, None)


def test_looking_for_gpus_leaves_an_opened_card_open_and_closing_it_twice_does_no_harm(driver: Path) -> None:
    lines = ("gpu 0 utilisation 90",)
    first, _, second, *_ = ask(driver, lines, TICK, "gpu.discover()", TICK, "card.close()", "card.close()")
    assert first == second


def test_a_closed_card_gives_nothing(driver: Path) -> None:
    _, _, tick, edge = ask(driver, (), TICK, "card.close()", TICK, EDGE)
    assert tick == EMPTY
    assert edge == {"energy_mj": None, "lost_ns": {}, "temperature_celsius": None}


def test_a_tick_costs_far_less_than_a_millisecond(driver: Path) -> None:
    cost = """
import statistics, time
def cost_us(card):
    costs = []
    for _ in range(300):
        begin = time.thread_time_ns()
        card.sample(slow=True)
        costs.append((time.thread_time_ns() - begin) / 1000)
    return statistics.median(costs)
"""
    (median_us,) = ask(driver, (), "cost_us(card)", setup=cost)
    assert median_us < 500
