"""A small real driver library for tests of what reads one: compiled from fake_nvml.c, found where a loader looks.

What it answers is in a scenario file; the lines it knows are described at the head of fake_nvml.c.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

NAME = "libnvidia-ml.so.1"
VARIABLE = "FAKE_NVML_SCENARIO"

#: What a card of each kind answers. Names, memory, clocks, limits and driver versions are NVIDIA's published ones.
#: Which calls answer is ASSUMED from the NVML documentation: no such card was read for it.
PROFILES: Mapping[str, tuple[str, ...]] = {
    "V100": (
        "gpu 0 uuid GPU-aaaaaaaa-0000",
        "gpu 0 name Tesla V100-SXM2-16GB",
        "gpu 0 pci 00000000:3B:00.0",
        "gpu 0 memory_total 17179869184",
        "gpu 0 memory_used 1073741824",
        "gpu 0 major 7",
        "gpu 0 minor 0",
        "gpu 0 utilisation 90",
        "gpu 0 memory_utilisation 40",
        "gpu 0 power 250000",
        "gpu 0 energy rate 250 step 20 from 1000",
        "gpu 0 sm_clock 1530",
        "gpu 0 memory_clock 877",
        "gpu 0 temperature 55",
        "gpu 0 event_reasons 0",
        "gpu 0 processes children",
    ),
}


def build(folder: Path, *definitions: str) -> Path:
    """Compile the library into ``folder`` and return its path; skips the test where there is no C compiler.

    ``definitions`` are ``DRIVER=470`` and the like: a library without the functions that came later.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = Path(__file__).with_suffix(".c")
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *(f"-D{definition}" for definition in definitions)]
    subprocess.run([compiler, *flags, "-o", str(folder / NAME), str(source)], check=True)
    return folder / NAME


def scenario(path: Path, *lines: str, profile: str | None = None) -> Path:
    """Write a scenario: the lines of a profile, in which ``lines`` replace those of the same words, and the rest of
    ``lines``."""
    written = {_key(line): line for line in (*(PROFILES[profile] if profile else ()), *lines)}
    path.write_text("".join(f"{line}\n" for line in written.values()), encoding="utf-8")
    return path


def environ(library: Path, scenario_file: Path | None = None) -> dict[str, str]:
    """This process's environment, in which a loader finds the library and the library its scenario."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        VARIABLE: "" if scenario_file is None else str(scenario_file),
    }


def _key(line: str) -> tuple[str, ...]:
    words = line.split()
    return tuple(words[:3] if words[0] == "gpu" else words[:2])
