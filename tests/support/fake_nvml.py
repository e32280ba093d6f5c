"""A small real driver library for tests of what reads one: compiled from fake_nvml.c, found where a loader looks.

What it answers is in a scenario file; the lines it knows are described at the head of fake_nvml_scenario.h.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.record.metrics import GPU_NUMBERS

NAME = "libnvidia-ml.so.1"
VARIABLE = "FAKE_NVML_SCENARIO"
CHECKOUT = Path(__file__).parents[2]
#: The card of every profile.
UUID = "GPU-aaaaaaaa-0000"
#: Expressions for ``ask``, and a tick of a card that gives nothing.
TICK, SLOW_TICK = "flat(card.sample())", "flat(card.sample(slow=True))"
EDGE, CALLS = "card.counters()", "dict(card.calls)"
EMPTY: Mapping[str, None] = dict.fromkeys([*(each.name for each in GPU_NUMBERS), "processes"])


@dataclass(frozen=True)
class Profile:
    """A card and a driver that it is found with; ``driver`` says which functions the library has."""

    driver: int
    lines: tuple[str, ...]

    @property
    def definition(self) -> str:
        return f"DRIVER={self.driver}"


def _card(driver: str, cuda: int, **answers: object) -> Profile:
    """What every data-centre card since Volta is ASSUMED to answer, with ``answers`` for what differs.

    It is at rest when it is opened and looked at, and busy from then on.
    """
    common: dict[str, object] = {
        "uuid": UUID,
        "pci": "00000000:3B:00.0",
        "memory_used": 1 << 30,
        "utilisation": "0 0 90",
        "memory_utilisation": 40,
        "temperature": 55,
        "event_reasons": 0,
        "processes": "children",
        "ecc": 1,
        "pending_ecc": 1,
        "persistence": 1,
        "virtualisation": 0,
        "compute_mode": 0,
        "pcie_lanes": 16,
        "max_pcie_lanes": 16,
        **{f"field_{field}": 0 for field in range(74, 80)},
    }
    lines = [f"gpu 0 {key} {answer}" for key, answer in {**common, **answers}.items()]
    return Profile(int(driver.partition(".")[0]), (f"driver version {driver}", f"driver cuda {cuda}", *lines))


#: Names, memory, clocks and limits are NVIDIA's published ones. Which calls answer, the application clocks, the
#: firmware's version and the step of the energy counter are ASSUMED from the NVML documentation and from what others
#: report: none of these cards was read for it.
PROFILES: Mapping[str, Profile] = {
    "V100": _card(
        "550.54.15",
        12040,
        name="Tesla V100-SXM2-16GB",
        memory_total=16 << 30,
        major=7,
        minor=0,
        vbios="88.00.4F.00.09",
        power=250_000,
        power_limit=300_000,
        default_power_limit=300_000,
        energy="rate 250 step 20 from 1000",
        sm_clock=1530,
        memory_clock=877,
        max_sm_clock=1530,
        max_memory_clock=877,
        application_sm_clock=1312,
        default_application_sm_clock=1312,
        application_memory_clock=877,
        pcie_generation=3,
        max_pcie_generation=3,
    ),
    "A100": _card(
        "550.54.15",
        12040,
        name="NVIDIA A100-SXM4-80GB",
        memory_total=80 << 30,
        major=8,
        minor=0,
        vbios="92.00.45.00.03",
        power=320_000,
        power_limit=400_000,
        default_power_limit=400_000,
        energy="rate 320 step 100 from 1000",
        sm_clock=1410,
        memory_clock=1593,
        max_sm_clock=1410,
        max_memory_clock=1593,
        application_sm_clock=1275,
        default_application_sm_clock=1275,
        application_memory_clock=1593,
        pcie_generation=4,
        max_pcie_generation=4,
        mig=0,
        pending_mig=0,
    ),
    "H200": _card(
        "575.57.08",
        12090,
        name="NVIDIA H200",
        memory_total=143771 << 20,
        major=9,
        minor=0,
        vbios="96.00.BC.00.01",
        power=500_000,
        power_limit=700_000,
        default_power_limit=700_000,
        energy="rate 500 step 100 from 1000",
        sm_clock=1980,
        memory_clock=3201,
        max_sm_clock=1980,
        max_memory_clock=3201,
        application_sm_clock=1980,
        default_application_sm_clock=1980,
        application_memory_clock=3201,
        pcie_generation=5,
        max_pcie_generation=5,
        mig=0,
        pending_mig=0,
        field_251=0,
        field_252=0,
        field_253=0,
    ),
}

#: Circumstances, as lines to put over a profile's.
SECOND_CARD_FIRST_ON_THE_BUS = (
    "gpu 1 uuid GPU-bbbbbbbb-0000",
    "gpu 1 name Tesla V100-SXM2-16GB",
    "gpu 1 pci 00000000:1A:00.0",
)
FOREIGN_PROCESS = ("gpu 0 processes children,4242",)
POWER_CAPPED = ("gpu 0 event_reasons 0x4", "gpu 0 field_74 0 +200000000")
OVERHEATED = ("gpu 0 event_reasons 0x68", "gpu 0 temperature 88", "gpu 0 field_75 0 +100000000")
DIVIDED = ("gpu 0 mig 1", "gpu 0 pending_mig 1", "gpu 0 utilisation not-supported")
LOCKED_COUNTERS = ("gpu 0 energy no-permission", "gpu 0 processes no-permission")


def build(folder: Path, *definitions: str) -> Path:
    """Compile the library into ``folder`` and return its path; skips the test where there is no C compiler.

    ``definitions`` are ``DRIVER=470`` and the like: a library without the functions that came later.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = Path(__file__).with_suffix(".c")
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", *(f"-D{definition}" for definition in definitions)]
    (folder / NAME).write_bytes(_compiled(compiler, *flags, str(source)))
    return folder / NAME


@cache
def _compiled(*command: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "-o", f"{folder}/{NAME}"], check=True)
        return Path(folder, NAME).read_bytes()


def scenario(path: Path, *lines: str, profile: str | None = None) -> Path:
    """Write a scenario: the lines of a profile, if any, with those of ``lines`` in the place of its own of that key."""
    written = {_key(line): line for line in (*(PROFILES[profile].lines if profile else ()), *lines)}
    path.write_text("".join(f"{line}\n" for line in written.values()), encoding="utf-8")
    return path


def environ(library: Path, scenario_file: Path | None = None) -> dict[str, str]:
    """This process's environment, in which a loader finds the library and the library its scenario."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        VARIABLE: "" if scenario_file is None else str(scenario_file),
    }


def ask(library: Path, lines: tuple[str, ...], *expressions: str, profile: str | None = "V100", setup: str = "") -> Any:
    """Return the ``answers`` of a driver with this profile, changed by ``lines``."""
    return answers(library, scenario(library.with_name("scenario"), *lines, profile=profile), *expressions, setup=setup)


def answers(library: Path, scenario_file: Path | None, *expressions: str, setup: str = "") -> list[Any]:
    """What the expressions give, by JSON, in a new process that finds this library: one process has but one driver.

    ``gpu`` is ``bench.probes.gpu``, ``card`` the first profile's card, opened when it is first named, and ``setup`` is
    run before. A problem raised is its type's name and message.
    """
    command = [sys.executable, "-c", _ASKING, setup, *expressions]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environ(library, scenario_file), stdout=subprocess.PIPE, check=True, timeout=60
    )
    found: list[Any] = json.loads(done.stdout)
    return found


_ASKING = f"""
import dataclasses, json, sys
from bench.errors import BenchError
from bench.probes import gpu

class Names(dict):
    def __missing__(self, name):
        if name != "card":
            raise KeyError(name)
        self["card"] = gpu.open_card({UUID!r})
        return self["card"]

def ask(expression):
    try:
        answer = eval(expression, names)
    except BenchError as problem:
        return [type(problem).__name__, str(problem)]
    return dataclasses.asdict(answer) if dataclasses.is_dataclass(answer) else answer

def flat(sample):
    return {{**sample.numbers, "processes": sample.processes}}

names = Names(gpu=gpu, flat=flat)
exec(sys.argv[1], names)
print(json.dumps([ask(expression) for expression in sys.argv[2:]]))
"""


def _key(line: str) -> tuple[str, ...]:
    words = line.split()
    return tuple(words[:3] if words[0] == "gpu" else words[:2])
