"""The CPUs as Intel's and AMD's drivers, clouds and old kernels show them."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest

from bench.probes import cpu
from tests.bench.probes.test_host import plant

INTEL = {
    "proc/cpuinfo": "".join(
        f"processor\t: {n}\nphysical id\t: {n % 2}\ncpu family\t: 6\nmodel\t\t: 85\nstepping\t: 7\n"
        "flags\t\t: fpu avx2 hypervisor\n\n"
        for n in range(4)
    ),
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3700000\n",
    "sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq": "3900000\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    "sys/devices/system/cpu/smt/active": "1\n",
    **{
        f"sys/devices/system/cpu/cpu0/cache/index{place}/{name}": value
        for place, cache in enumerate((("1", "Data", "32K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K")))
        for name, value in zip(("level", "type", "size"), cache, strict=True)
    },
    "sys/devices/system/node/node0/cpulist": "0-1",
    "sys/devices/system/node/node1/cpulist": "2-3",
    "sys/devices/system/node/nodes_online": "none of them",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
}


def test_a_server_is_read_whole(tmp_path: Path) -> None:
    assert cpu.read(plant(tmp_path, INTEL)) == cpu.Cpu(
        online=4,
        governor="performance,powersave",
        driver="intel_pstate",
        turbo=True,
        smt=True,
        sockets=2,
        numa_nodes=2,
        max_mhz=3900.0,
        hypervisor=True,
        clocksource="tsc",
        family=6,
        model_number=85,
        stepping=7,
        caches=("L1d 32K", "L1i 32K", "L2 1024K"),
    )


def test_what_is_not_shown_is_missing_and_never_zero(tmp_path: Path) -> None:
    assert astuple(cpu.read(tmp_path)) == (None,) * 14


@pytest.mark.parametrize(
    ("name", "content", "turbo"),
    [
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
        ("cpufreq/boost", "", None),
    ],
)
def test_turbo_is_understood_from_either_switch(tmp_path: Path, name: str, content: str, turbo: bool | None) -> None:
    assert cpu.read(plant(tmp_path, {f"sys/devices/system/cpu/{name}": content})).turbo is turbo


def test_this_machine_has_a_cpu_that_is_switched_on() -> None:
    assert (cpu.read().online or 0) >= 1
