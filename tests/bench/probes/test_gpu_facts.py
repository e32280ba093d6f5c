"""The GPU's part of the fingerprint, read from a compiled driver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.record import fingerprint_keys
from bench.system import hashing
from tests.support import fake_nvml

FACTS = "gpu_facts('auto', {})"
SETUP = "from bench.probes.gpu_facts import gpu_facts"


def facts(library: Path, *lines: str, profile: str = "V100", asked: str = FACTS) -> dict[str, Any]:
    told = fake_nvml.scenario(library.with_name("scenario"), *lines, profile=profile)
    (found,) = fake_nvml.answers(library, told, asked, setup=SETUP)
    assert isinstance(found, dict)
    return found


def test_a_fact_that_the_driver_says_it_does_not_have_is_missing(driver: Path) -> None:
    none = 2**32 - 1
    keys = ("power_limit", "default_power_limit", "pcie_generation", "max_pcie_lanes", "max_sm_clock")
    found = facts(driver, *(f"gpu 0 {key} {none}" for key in (*keys, "application_memory_clock")))
    names = ("power_limit_watts", "default_power_limit_watts", "pcie_generation", "max_pcie_lanes", "max_sm_clock_mhz")
    assert [found[f"gpu.{name}"] for name in (*names, "application_memory_clock_mhz")] == [None] * 6


@pytest.mark.parametrize(
    ("key", "answer", "fact"),
    [
        ("power_limit", 2**32 - 6, "power_limit_watts"),
        ("max_sm_clock", 2**31, "max_sm_clock_mhz"),
        ("memory_total", 2**64 - 6, "memory_bytes"),
        ("memory_total", 2**50, "memory_bytes"),
    ],
)
def test_a_fact_that_cannot_be_is_missing_and_named(driver: Path, key: str, answer: int, fact: str) -> None:
    found = facts(driver, f"gpu 0 {key} {answer}")
    assert found[f"gpu.{fact}"] is None
    assert found["gpu.not_given"] == [f"{fact}: {answer} cannot be"]


#: The fact that each call of the driver gives, by the key of a scenario.
KEYS = {
    "vbios": "vbios",
    "ecc": "ecc",
    "power_limit": "power_limit_watts",
    "default_power_limit": "default_power_limit_watts",
    "persistence": "persistence",
    "mig": "mig",
    "virtualisation": "virtualisation",
    "compute_mode": "compute_mode",
    "pcie_generation": "pcie_generation",
    "max_pcie_generation": "max_pcie_generation",
    "pcie_lanes": "pcie_lanes",
    "max_pcie_lanes": "max_pcie_lanes",
    "max_sm_clock": "max_sm_clock_mhz",
    "max_memory_clock": "max_memory_clock_mhz",
    "application_sm_clock": "application_sm_clock_mhz",
    "application_memory_clock": "application_memory_clock_mhz",
    "default_application_sm_clock": "default_application_sm_clock_mhz",
    "memory_total": "memory_bytes",
    "name": "name",
    "major": "compute_capability",
}


@pytest.mark.parametrize(
    ("code", "word"), [("unknown", "code 999 (Unknown Error)"), ("no-permission", "no permission")]
)
@pytest.mark.parametrize("part", [0, 1])
def test_each_fact_that_the_driver_cannot_tell_is_named_and_costs_no_other(
    driver: Path, part: int, code: str, word: str
) -> None:
    failing = dict(list(KEYS.items())[part::2])
    whole = facts(driver, profile="A100")
    found = facts(driver, *(f"gpu 0 {key} {code}" for key in failing), profile="A100")
    lost = {f"gpu.{name}" for name in failing.values()}
    empty = lost | ({"gpu.pending_ecc"} if "ecc" in failing else set())
    assert set(found["gpu.not_given"]) == {f"{name}: {word}" for name in failing.values()}
    assert {each for each in found if found[each] != whole[each]} == {*empty, "gpu.not_given"}
    assert {found[each] for each in empty} - {"NVIDIA GPU"} == {None}


def test_what_a_card_does_not_have_is_no_failure(driver: Path) -> None:
    none = {"ecc": "not-supported", "power_limit": "not-found", "compute_mode": "!2", "max_sm_clock": "!26"}
    found = facts(driver, *(f"gpu 0 {key} {code}" for key, code in none.items()))
    assert (found["gpu.ecc"], found["gpu.power_limit_watts"], found["gpu.not_given"]) == (None, None, [])


def test_a_fact_that_fails_once_is_asked_for_again(driver: Path) -> None:
    found = facts(driver, "gpu 0 power_limit unknown 300000")
    assert (found["gpu.power_limit_watts"], found["gpu.not_given"]) == (300.0, [])


def test_a_lost_neighbour_is_counted_and_costs_no_fact(driver: Path) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 handle lost")
    alone, beside = facts(driver), facts(driver, *lines)
    assert beside == {**alone, "gpu.lost": 1}


def test_a_slice_of_which_nobody_knows_the_gpu_has_no_facts_and_says_so(driver: Path) -> None:
    asked = "gpu_facts('MIG-11111111-2222-3333-4444-555555555555', {})"
    found = facts(driver, *fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, asked=asked)
    assert (found["gpu.name"], found["gpu.vbios"], found["gpu.mig"]) == ("Tesla V100-SXM2-16GB", None, None)
    assert [each.partition(":")[0] for each in found["gpu.not_given"]] == ["every fact"]


def test_the_card_of_a_run_is_described_by_what_can_change_its_speed(driver: Path) -> None:
    found = facts(driver)
    assert found == {
        "gpu.count": 1,
        "gpu.why_none": None,
        "gpu.name": "Tesla V100-SXM2-16GB",
        "gpu.uuid_hash": hashing.hashed(fake_nvml.UUID),
        "gpu.memory_bytes": 16 << 30,
        "gpu.compute_capability": "7.0",
        "gpu.driver_version": "550.54.15",
        "gpu.cuda_driver_version": "12.4",
        "gpu.vbios": "88.00.4F.00.09",
        "gpu.ecc": True,
        "gpu.pending_ecc": True,
        "gpu.power_limit_watts": 300.0,
        "gpu.default_power_limit_watts": 300.0,
        "gpu.persistence": True,
        "gpu.mig": None,
        "gpu.virtualisation": "none",
        "gpu.compute_mode": "default",
        "gpu.pcie_generation": 3,
        "gpu.max_pcie_generation": 3,
        "gpu.pcie_lanes": 16,
        "gpu.max_pcie_lanes": 16,
        "gpu.max_sm_clock_mhz": 1530,
        "gpu.max_memory_clock_mhz": 877,
        "gpu.application_sm_clock_mhz": 1312,
        "gpu.application_memory_clock_mhz": 877,
        "gpu.default_application_sm_clock_mhz": 1312,
        "gpu.lost": 0,
        "gpu.not_given": [],
    }


def test_the_registry_has_each_of_these_facts_and_no_other(driver: Path) -> None:
    found = facts(driver, profile="H200")
    assert found.keys() == {key.name for key in fingerprint_keys.KEYS if key.name.startswith("gpu.")}
    assert [each for each in fingerprint_keys.check(found) if "is missing" not in each] == []
    assert fake_nvml.UUID not in json.dumps(found)


def test_a_setting_that_waits_for_a_restart_is_told_apart_from_the_one_in_force(driver: Path) -> None:
    found = facts(driver, "gpu 0 ecc 0", "gpu 0 pending_ecc 1")
    assert (found["gpu.ecc"], found["gpu.pending_ecc"]) == (False, True)


def test_a_lowered_power_limit_is_seen_beside_the_one_the_card_was_made_with(driver: Path) -> None:
    found = facts(driver, "gpu 0 power_limit 162500")
    assert (found["gpu.power_limit_watts"], found["gpu.default_power_limit_watts"]) == (162.5, 300.0)


def test_a_divided_card_and_a_virtual_one_are_told(driver: Path) -> None:
    found = facts(driver, *fake_nvml.DIVIDED, "gpu 0 virtualisation 2", "gpu 0 compute_mode 3", profile="A100")
    assert (found["gpu.mig"], found["gpu.virtualisation"]) == (True, "vgpu")
    assert found["gpu.compute_mode"] == "exclusive process"


def test_a_mode_that_came_after_us_is_told_by_its_number(driver: Path) -> None:
    assert facts(driver, "gpu 0 compute_mode 9")["gpu.compute_mode"] == "mode 9"


def test_a_fact_that_the_driver_keeps_to_itself_is_not_known(driver: Path) -> None:
    kept = ("gpu 0 vbios no-permission", "gpu 0 ecc not-supported", "gpu 0 power_limit not-supported")
    found = facts(driver, *kept, "gpu 0 max_pcie_lanes !2")
    names = ("gpu.vbios", "gpu.ecc", "gpu.pending_ecc", "gpu.power_limit_watts", "gpu.max_pcie_lanes")
    assert [found[name] for name in names] == [None] * 5
    assert found["gpu.max_pcie_generation"] == 3


def test_a_run_on_the_cpu_tells_no_card(driver: Path) -> None:
    found = facts(driver, asked="gpu_facts('cpu', {})")
    assert (found.pop("gpu.count"), found.pop("gpu.lost")) == (1, 0)
    assert set(found.values()) == {None}


def test_a_card_that_is_lost_between_two_questions_leaves_the_fingerprint_whole(driver: Path) -> None:
    found = facts(driver, "gpu 0 vbios lost")
    assert (found["gpu.name"], found["gpu.ecc"]) == ("Tesla V100-SXM2-16GB", None)
