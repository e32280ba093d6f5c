"""The NVML adapter against a compiled fake driver, read by the real bindings, each time in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import fake_nvml

CHECKOUT = Path(__file__).parents[3]
LOOK = """
import dataclasses, json, sys
from bench.probes import gpu
from bench.errors import EnvironmentProblem
try:
    print(json.dumps(dataclasses.asdict(gpu.discover())))
except EnvironmentProblem as problem:
    print(json.dumps({"raised": type(problem).__name__, "message": str(problem), "exit_code": problem.exit_code}))
"""


CONTAINED, BARE_METAL = (
    f"from bench.probes import container\ncontainer.kind = lambda: {kind!r}\n" for kind in ("docker", "none")
)
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
        "not_given": {},
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
    none = {"gpus": [], "lost": []}
    assert asked(fake_nvml.environ(driver), LOOK) == {**none, "why_none": "the NVIDIA driver shows no GPU"}
    unloaded = look(driver, "driver init not-loaded")
    assert unloaded == {**none, "why_none": "the NVIDIA driver is installed and not loaded"}


def test_missing_bindings_are_an_absence_that_names_the_package() -> None:
    sight = asked(dict(os.environ), f"import sys; sys.modules['pynvml'] = None\n{LOOK}")
    assert (sight["gpus"], sight["why_none"]) == ([], "the Python package nvidia-ml-py is not installed")


@pytest.mark.parametrize(
    ("lines", "kind", "advice"),
    [
        (["driver init mismatch"], "DriverMismatch", "restart the machine"),
        (["driver init no-permission"], "NoPermission", "/dev/nvidia"),
        (["gpu 0 handle no-permission", "gpu 1 handle no-permission"], "NoPermission", "--gpus all"),
        (["gpu 0 name lost", "gpu 1 handle unknown"], "GpuLost", "restart the machine"),
        (["gpu 0 handle unknown", "gpu 1 handle no-permission"], "GpuProblem", "restart the container"),
        (["driver init unknown"], "GpuProblem", "restart the container"),
    ],
)
def test_a_driver_that_does_not_work_is_an_environment_problem_of_its_kind(
    driver: Path, lines: list[str], kind: str, advice: str
) -> None:
    answer = look(driver, *lines, code=CONTAINED + LOOK)
    assert (answer["raised"], answer["exit_code"]) == (kind, 4)
    assert advice in answer["message"]
    assert "DEVICE=cpu" in answer["message"]


@pytest.mark.parametrize("line", ["driver init unknown", "driver init no-permission", "driver init !20"])
def test_outside_a_container_no_advice_is_about_containers(driver: Path, line: str) -> None:
    answer = look(driver, line, code=BARE_METAL + LOOK)
    assert answer["exit_code"] == 4
    assert "container" not in answer["message"]


# Beside a GPU that does not answer


@pytest.mark.parametrize("code", ["lost", "unknown", "reset-required", "not-loaded", "!1", "!12"])
@pytest.mark.parametrize("call", ["handle", "uuid"])
def test_a_gpu_that_cannot_be_opened_is_lost_and_takes_no_other_with_it(driver: Path, call: str, code: str) -> None:
    sight = look(driver, f"gpu 1 {call} {code}")
    assert [(gpu["index"], gpu["uuid"]) for gpu in sight["gpus"]] == [(0, "GPU-aaaaaaaa-0000")]
    assert [(lost["index"], lost["uuid"]) for lost in sight["lost"]] == [(1, None)]
    assert sight["why_none"] is None


@pytest.mark.parametrize("call", ["memory_total", "name", "major"])
def test_a_gpu_that_is_lost_while_it_is_described_keeps_its_uuid(driver: Path, call: str) -> None:
    sight = look(driver, f"gpu 1 {call} lost")
    assert [gpu["uuid"] for gpu in sight["gpus"]] == ["GPU-aaaaaaaa-0000"]
    assert [lost["uuid"] for lost in sight["lost"]] == ["GPU-bbbbbbbb-0000"]


def test_a_lost_gpu_keeps_its_place_in_the_order(driver: Path) -> None:
    sight = look(driver, "gpu 0 handle lost")
    assert [gpu["index"] for gpu in sight["gpus"]] == [1]
    assert [lost["index"] for lost in sight["lost"]] == [0]
    # One that tells its bus address is put where that says.
    sight = look(driver, "gpu 0 uuid unknown", "gpu 0 pci 00000000:86:00.0")
    assert [gpu["index"] for gpu in sight["gpus"]] == [0]
    assert [lost["index"] for lost in sight["lost"]] == [1]


def test_an_error_that_passes_with_the_second_call_loses_no_gpu(driver: Path) -> None:
    sight = look(driver, "gpu 0 handle unknown 0", "gpu 1 uuid unknown GPU-bbbbbbbb-0000")
    assert (len(sight["gpus"]), sight["lost"]) == (2, [])


def test_a_fact_that_the_driver_cannot_tell_is_named_and_the_rest_is_described(driver: Path) -> None:
    unknown = ("gpu 0 memory_total unknown", "gpu 0 name !10", "gpu 0 major unknown", "driver cuda unknown")
    first, second = look(driver, *unknown)["gpus"]
    assert (first["uuid"], first["memory_bytes"], first["compute_capability"]) == ("GPU-aaaaaaaa-0000", None, None)
    assert first["not_given"] == {
        "cuda_driver_version": "code 999 (Unknown Error)",
        "name": "code 10 (Timeout)",
        "memory_bytes": "code 999 (Unknown Error)",
        "compute_capability": "code 999 (Unknown Error)",
    }
    assert (second["name"], list(second["not_given"])) == ("Tesla V100-SXM2-16GB", ["cuda_driver_version"])


def test_a_gpu_that_a_container_was_not_given_is_passed_over(driver: Path) -> None:
    (given,) = look(driver, "gpu 0 handle no-permission")["gpus"]
    assert (given["index"], given["uuid"]) == (0, "GPU-bbbbbbbb-0000")  # CUDA does not count what it was not given


def test_gpus_are_counted_by_their_place_on_the_bus_as_cuda_does_when_asked_to(driver: Path) -> None:
    swapped = look(driver, "gpu 0 pci 00000000:86:00.0")["gpus"]
    assert [(gpu["index"], gpu["uuid"]) for gpu in swapped] == [(0, "GPU-bbbbbbbb-0000"), (1, "GPU-aaaaaaaa-0000")]
