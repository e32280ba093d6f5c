"""A small real driver library for tests of what reads one: compiled from fake_nvml.c, found where a loader looks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NAME = "libnvidia-ml.so.1"


def build(folder: Path, *definitions: str) -> Path:
    """Compile the library into ``folder`` and return its path; skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = Path(__file__).with_suffix(".c")
    flags = [f"-D{definition}" for definition in definitions]
    subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", str(folder / NAME), str(source)], check=True)
    return folder / NAME
