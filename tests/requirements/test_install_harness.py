"""What the set-up installs where runs are made in a container: the harness alone, as they need no TensorFlow here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements.conftest import CUDA_BUILDS, Checkout

pytestmark = pytest.mark.skipif(
    not (3, 11) <= sys.version_info[:2] <= (3, 13),
    reason="the set-up hands over to another Python where this one is not 3.11 to 3.13; run the tests with one that is",
)


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """PATH with a container engine and NVIDIA's toolkit first on it; the engine leaves with FAKE_ENGINE."""

    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\nexit ${FAKE_ENGINE:-0}\n")
    (folder / "nvidia-ctk").write_text("#!/bin/sh\n")
    for each in folder.iterdir():
        each.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("given", "lock"),
    [
        ({}, "harness"),
        ({"WHERE": "container"}, "harness"),
        ({"WHERE": "native"}, "gpu"),
        ({"FAKE_ENGINE": "1"}, "gpu"),
        ({"FAKE_ENGINE": "1", "WHERE": "container"}, "harness"),
        ({"DEVICE": "cpu"}, "cpu"),
        ({"DEVICE": "cpu", "IMAGE": "cpu"}, "harness"),
        ({"TRAINER": "python train.py"}, "gpu"),
        ({"DOCKER": "no-such-engine"}, "gpu"),
    ],
)
@pytest.mark.skipif(not CUDA_BUILDS, reason="TensorFlow has CUDA builds for x86_64 Linux alone; run the tests on it")
def test_what_make_bench_needs_depends_on_where_it_will_run(
    checkout: Checkout, fake_driver: dict[str, str], programs: dict[str, str], given: dict[str, str], lock: str
) -> None:
    path = {"PYTHONPATH": str(checkout.folder / "requirements")}
    found = subprocess.run(
        [sys.executable, "-c", "from environment import *; print(main_lock('runtime', None))"],
        env=checkout.environment(**{"DEVICE": "", "FAKE_GPUS": "1", **fake_driver, **programs, **path, **given}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == lock


def test_without_the_toolkit_it_is_native(
    checkout: Checkout, fake_driver: dict[str, str], programs: dict[str, str]
) -> None:
    (Path(programs["PATH"].partition(os.pathsep)[0]) / "nvidia-ctk").unlink()
    question = "main_lock('runtime', None)"
    path = {"PYTHONPATH": str(checkout.folder / "requirements")}
    found = subprocess.run(
        [sys.executable, "-c", f"from environment import *; print({question})"],
        env=checkout.environment(**{"DEVICE": "", "FAKE_GPUS": "1", **fake_driver, **programs, **path}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == ("gpu" if CUDA_BUILDS else "cpu")


@pytest.mark.slow
def test_the_harness_alone_is_small_stays_where_tensorflow_is_and_gives_way_to_it(
    checkout: Checkout, copied: Checkout
) -> None:
    assert copied.install("harness").stdout == "", "an environment with TensorFlow serves the harness"
    result = checkout.install("harness")
    assert "the harness, whose trainer runs in a container" in result.stdout
    assert set(checkout.installed()) == {"harness"}
    assert checkout.install("runtime", WHERE="container").stdout == ""
    checkout.install("native")
    assert set(checkout.installed()) == {"cpu"}
    assert not checkout.has("tiny_harness")
