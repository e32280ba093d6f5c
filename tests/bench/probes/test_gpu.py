"""The NVML adapter against a compiled fake driver, read by the real bindings, each time in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import EnvironmentProblem
from bench.probes.gpu import Gpu, choose
from tests import fake_nvml

CHECKOUT = Path(__file__).parents[3]
LOOK = """
import dataclasses, json, sys
from bench.probes import gpu
from bench.errors import EnvironmentProblem
try:
    print(json.dumps(dataclasses.asdict(gpu.look())))
except EnvironmentProblem as problem:
    print(json.dumps({"raised": type(problem).__name__, "message": str(problem), "exit_code": problem.exit_code}))
"""


TWO_CARDS = (
    "driver version 550.54.15",
    "driver cuda 12040",
    "gpu 1 uuid GPU-bbbbbbbb-0000",
    "gpu 1 name Tesla V100-SXM2-16GB",
    "gpu 1 pci 00000000:5E:00.0",
)


def look(library: Path, *lines: str, code: str = LOOK) -> dict[str, Any]:
    """What ``look`` answers where two cards differ from healthy ones in ``lines``."""
    told = fake_nvml.scenario(library.with_name("scenario"), *TWO_CARDS, *lines, profile="V100")
    return asked(fake_nvml.environ(library, told), code)


def asked(environ: dict[str, str], code: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environ, capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pynvml")
    return fake_nvml.build(tmp_path_factory.mktemp("driver"))


def test_every_gpu_is_described_with_the_drivers_own_numbers(driver: Path) -> None:
    first, second = look(driver)["gpus"]
    assert first == {
        "index": 0,
        "uuid": "GPU-aaaaaaaa-0000",
        "name": "Tesla V100-SXM2-16GB",
        "memory_bytes": 17179869184,
        "driver_version": "550.54.15",
        "cuda_driver_version": "12.4",
        "compute_capability": [7, 0],
    }
    assert (second["index"], second["uuid"]) == (1, "GPU-bbbbbbbb-0000")


def test_a_value_the_driver_does_not_give_stays_missing_and_is_never_zero(driver: Path) -> None:
    gpu = look(driver, "gpu 0 memory_total not-supported", "driver version no-permission")["gpus"][0]
    assert (gpu["memory_bytes"], gpu["driver_version"]) == (None, None)
    assert gpu["name"] == "Tesla V100-SXM2-16GB"


def test_a_driver_older_than_a_function_leaves_its_value_missing(tmp_path: Path) -> None:
    pytest.importorskip("pynvml")
    gpu = look(fake_nvml.build(tmp_path, "DRIVER=384"))["gpus"][0]
    assert (gpu["cuda_driver_version"], gpu["compute_capability"]) == (None, None)
    assert gpu["memory_bytes"] == 17179869184


def test_a_driver_without_a_gpu_is_an_absence_with_its_reason(driver: Path) -> None:
    assert asked(fake_nvml.environ(driver), LOOK) == {"gpus": [], "why_none": "the NVIDIA driver shows no GPU"}
    unloaded = look(driver, "driver init not-loaded")
    assert unloaded == {"gpus": [], "why_none": "the NVIDIA driver is installed and not loaded"}


def test_missing_bindings_are_an_absence_that_names_the_package() -> None:
    sight = asked(dict(os.environ), f"import sys; sys.modules['pynvml'] = None\n{LOOK}")
    assert (sight["gpus"], sight["why_none"]) == ([], "the Python package nvidia-ml-py is not installed")


@pytest.mark.parametrize(
    ("lines", "kind", "advice"),
    [
        (["driver init mismatch"], "DriverMismatch", "restart the machine"),
        (["driver init no-permission"], "NoPermission", "/dev/nvidia"),
        (["gpu 0 handle no-permission", "gpu 1 handle no-permission"], "NoPermission", "--gpus all"),
        (["gpu 0 name lost"], "GpuLost", "restart the machine"),
        (["driver init unknown"], "GpuProblem", "start the container anew"),
    ],
)
def test_a_driver_that_does_not_work_is_an_environment_problem_of_its_kind(
    driver: Path, lines: list[str], kind: str, advice: str
) -> None:
    answer = look(driver, *lines)
    assert (answer["raised"], answer["exit_code"]) == (kind, 4)
    assert advice in answer["message"]
    assert "DEVICE=cpu" in answer["message"]


def test_a_gpu_that_a_container_was_not_given_is_passed_over(driver: Path) -> None:
    (given,) = look(driver, "gpu 0 handle no-permission")["gpus"]
    assert (given["index"], given["uuid"]) == (0, "GPU-bbbbbbbb-0000")  # CUDA does not count what it was not given


def test_gpus_are_counted_by_their_place_on_the_bus_as_cuda_does_when_asked_to(driver: Path) -> None:
    swapped = look(driver, "gpu 0 pci 00000000:86:00.0")["gpus"]
    assert [(gpu["index"], gpu["uuid"]) for gpu in swapped] == [(0, "GPU-bbbbbbbb-0000"), (1, "GPU-aaaaaaaa-0000")]


def gpu(index: int, uuid: str) -> Gpu:
    return Gpu(index, uuid, "V100", None, None, None, None)


TWO = (gpu(0, "GPU-aaaa"), gpu(1, "GPU-abbb"))


@pytest.mark.parametrize(
    ("device", "variable", "index"),
    [
        ("auto", None, 0),
        ("gpu", "1", 1),
        ("auto", "1,0", 1),
        ("auto", " GPU-ab ", 1),
        ("GPU-abbb", None, 1),
        ("GPU-abbb", "0", 1),  # our trainer sets the variable to what was asked for
        ("cpu", None, None),
        ("auto", "", None),
        ("gpu", "-1", None),
        ("auto", "NoDevFiles", None),
    ],
)
def test_the_gpu_of_a_run_is_the_one_that_cuda_will_take(device: str, variable: str | None, index: int | None) -> None:
    chosen = choose(TWO, device, variable)
    assert (chosen and chosen.index) == index


def test_a_slice_of_the_only_gpu_is_that_gpu() -> None:
    assert choose(TWO[:1], "auto", "MIG-1234") is TWO[0]


@pytest.mark.parametrize(
    ("device", "variable"), [("auto", "2"), ("auto", "GPU-a"), ("GPU-cccc", None), ("auto", "MIG-1234")]
)
def test_a_gpu_that_is_not_exactly_one_is_refused_with_those_there_are(device: str, variable: str | None) -> None:
    with pytest.raises(EnvironmentProblem, match=r"0 \(GPU-aaaa\), 1 \(GPU-abbb\)"):
        choose(TWO, device, variable)


def test_without_gpus_none_is_chosen() -> None:
    assert choose((), "GPU-aaaa") is None
