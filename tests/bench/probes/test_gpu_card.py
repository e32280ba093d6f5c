"""A card read while a run lasts: the real binding, against a compiled driver that answers by a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fake_nvml
from tests.support.fake_nvml import CALLS, EDGE, EMPTY, PROFILES, SLOW_TICK, TICK, UUID, ask


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


LAPTOP = ("gpu 0 power_limit 60000", "gpu 0 default_power_limit 60000")
JUMP = "gpu 0 power 1 752000 3700000000"


@pytest.mark.parametrize(
    ("lines", "column", "values"),
    [
        # Opening the card reads each once.
        (("gpu 0 utilisation 1 20 30",), "gpu_utilisation_percent", [20, 30, 30]),
        (("gpu 0 power 1 250500 251000",), "gpu_power_watts", [250.5, 251.0, 251.0]),
        (("gpu 0 event_reasons 0 0x4 0x44",), "event_reasons", [4, 0x44, 0x44]),
        (("gpu 0 processes 7,5,7",), "processes", [[5, 7]]),  # One has two contexts.
        # A power is compared with the limit in force, without one with what any card takes.
        ((*LAPTOP, "gpu 0 power 752000"), "gpu_power_watts", [None]),
        ((*LAPTOP, "gpu 0 power 75200"), "gpu_power_watts", [75.2]),
        (("gpu 0 power_limit 60000 300000", "gpu 0 power 250000"), "gpu_power_watts", [None, 250.0]),
        (("gpu 0 power_limit not-supported", JUMP), "gpu_power_watts", [752.0, None]),
        (("gpu 0 power_limit 4294967290", JUMP), "gpu_power_watts", [752.0, None]),
        (("gpu 0 power_limit 0", JUMP), "gpu_power_watts", [752.0, None]),
    ],
)
def test_each_tick_reads_the_value(driver: Path, lines: tuple[str, ...], column: str, values: list[object]) -> None:
    assert [tick[column] for tick in ask(driver, lines, *[SLOW_TICK] * len(values))] == values


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


def test_a_counter_that_cannot_be_is_missing_and_counted(driver: Path) -> None:
    lines = (f"gpu 0 energy {2**64 - 2}", f"gpu 0 field_75 {2**63}", "gpu 0 temperature 4294967290")
    edge, counts = ask(driver, lines, EDGE, IMPOSSIBLE)
    assert (edge["energy_mj"], edge["temperature_celsius"], "thermal" in edge["lost_ns"]) == (None, None, False)
    assert edge["lost_ns"]["sync_boost"] == 0
    assert counts == {"energy_mj": 1, "temperature_celsius": 1, "lost_ns": 1}


def test_process_numbers_that_no_process_has_are_no_list(driver: Path) -> None:
    tick, counts = ask(driver, ("gpu 0 processes 41,4294967290",), SLOW_TICK, IMPOSSIBLE)
    assert (tick["processes"], counts) == (None, {"gpu_processes": 1})


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
    found, wrong = ask(library, lines, "card.sample(slow=True).processes", by_binding, setup=setup)
    assert found == [41, 42, 43]
    assert wrong != found  # or this test would say nothing


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
