"""What the NVIDIA driver shows and which library is missing, with a compiled fake driver and real files."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resnet9.device import driver
from tests.support import fake_nvml


def no_library(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


TWO_CARDS = ("gpu 0 uuid GPU-aaaa", "gpu 1 uuid GPU-bbbb")


@pytest.mark.parametrize(
    ("lines", "uuids"),
    [
        (TWO_CARDS, ("GPU-aaaa", "GPU-bbbb")),
        ((*TWO_CARDS, "gpu 0 handle no-permission"), ("GPU-bbbb",)),
        ((*TWO_CARDS, "gpu 0 handle lost"), ("", "GPU-bbbb")),
        ((*TWO_CARDS, "gpu 1 handle unknown"), ("GPU-aaaa", "")),
        ((), ()),
        ((*TWO_CARDS, "driver init mismatch"), ()),
    ],
)
def test_the_gpus_are_those_the_driver_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...], uuids: tuple[str, ...]
) -> None:
    library = fake_nvml.build(tmp_path)
    monkeypatch.setenv(fake_nvml.VARIABLE, str(fake_nvml.scenario(tmp_path / "scenario", *lines)))
    assert driver.gpu_uuids(lambda name: ctypes.CDLL(str(tmp_path / name)), root=tmp_path) == uuids
    assert library.name == "libnvidia-ml.so.1"


def plant(root: Path, node: bool, pages: dict[str, str]) -> Path:
    for name, text in pages.items():
        page = root / "proc/driver/nvidia/gpus" / name / "information"
        page.parent.mkdir(parents=True)
        page.write_text(text)
    (root / "dev").mkdir()
    for name in ["nvidiactl"] + ["nvidia0"] * node:
        (root / "dev" / name).touch()
    return root


PAGES = {
    "0000:0b:00.0": "Model: \t\t Tesla V100\nGPU UUID: \t GPU-1111\nBus Type: \t PCIe\n",
    "0000:0c:00.0": "Model: \t\t Tesla V100\nGPU UUID: \t GPU-????\n",
}


def test_without_its_library_the_kernel_names_the_gpus(tmp_path: Path) -> None:
    assert driver.gpu_uuids(no_library, plant(tmp_path, True, PAGES)) == ("GPU-1111", "")


def test_a_container_that_was_given_no_gpu_does_not_see_its_hosts(tmp_path: Path) -> None:
    assert driver.gpu_uuids(no_library, plant(tmp_path, False, PAGES)) == ()


def test_a_machine_without_a_driver_has_no_gpu(tmp_path: Path) -> None:
    assert driver.gpu_uuids(no_library, tmp_path) == ()


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (
            {"cuda_version": "12.5.1", "cudnn_version": "9"},
            "cuda.so.1 cudart.so.12 cublas.so.12 cublasLt.so.12 cufft.so.11 cusolver.so.11 cusparse.so.12 cudnn.so.9",
        ),
        (
            {"cuda_version": "11.8", "cudnn_version": "8"},
            "cuda.so.1 cudart.so.11.0 cublas.so.11 cublasLt.so.11 cufft.so.10 cusolver.so.11 cusparse.so.11 cudnn.so.8",
        ),
        ({"cuda_version": "64", "cudnn_version": "10.1"}, "cuda.so.1 cudnn.so.10"),
    ],
)
def test_the_libraries_needed_follow_the_build(build: dict[str, str], names: str) -> None:
    assert driver.libraries_needed(build) == tuple(f"lib{name}" for name in names.split())


def test_the_first_library_that_loads_from_nowhere_is_named_with_the_loaders_reason(tmp_path: Path) -> None:
    wheel = tmp_path / "cuda_runtime/lib"
    wheel.mkdir(parents=True)
    (wheel / "libcudart.so.12").touch()
    (wheel / "libcusolver.so.11").touch()

    def load(place: str) -> None:
        if place in ("libcuda.so.1", str(wheel / "libcudart.so.12")):
            return
        missing = "libnvJitLink.so.12" if place.startswith(str(wheel)) else place
        raise OSError(f"{missing}: cannot open")

    names = ["libcuda.so.1", "libcudart.so.12"]
    assert driver.first_missing_library(names, load, [wheel]) is None
    needs_another = ("libcusolver.so.11", "libnvJitLink.so.12: cannot open")
    assert driver.first_missing_library([*names, "libcusolver.so.11", "libx.so"], load, [wheel]) == needs_another
    assert driver.first_missing_library([*names, "libcudnn.so.9"], load, [wheel]) == ("libcudnn.so.9", "cannot open")


def tensorflow(with_cuda: bool = True) -> Any:
    return SimpleNamespace(
        test=SimpleNamespace(is_built_with_cuda=lambda: with_cuda),
        sysconfig=SimpleNamespace(get_build_info=lambda: {"cuda_version": "12.5.1", "cudnn_version": "9"}),
    )


def test_a_tensorflow_without_cuda_is_not_blamed_on_a_library() -> None:
    assert "built for the CPU alone" in (driver.why_unusable(tensorflow(with_cuda=False), no_library) or "")


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "wheel_folders", tuple)  # a machine may have it in another version
    why = driver.why_unusable(tensorflow(), lambda name: no_library(name) if "cudnn" in name else None)
    assert why == "libcudnn.so.9 failed to load (cannot open shared object file: No such file or directory)"


def answering(answer: int, name: str = "") -> Any:
    """A libcuda.so.1 whose cuInit answers so, and that has a name for it, or no function for names."""
    cuda = SimpleNamespace(cuInit=lambda flags: answer)

    def get_name(code: ctypes.c_int, text: Any) -> int:
        ctypes.cast(text, ctypes.POINTER(ctypes.c_char_p))[0] = name.encode()
        return 0 if code.value == answer else 1

    if name:
        cuda.cuGetErrorName = get_name
    return cuda


def told(answer: int, root: Path, name: str = "") -> str | None:
    return driver.why_unusable(tensorflow(), lambda library: answering(answer, name), root)


#: What has to be in the sentence on each answer: the cause, and what to type.
ANSWERS = {
    2: "nvidia-smi",
    3: "restart the machine",
    34: "stubs out of LD_LIBRARY_PATH",
    36: "install a newer one",
    46: "another process has the card for itself",
    100: "CUDA_VISIBLE_DEVICES",
    101: "DEVICE=UUID",
    102: "license",
    214: "nvidia-smi -q -d ECC",
    304: "nvidia-modprobe -u -c=0",
    800: "/dev/nvidia*",
    801: "nvidia-smi",
    802: "the NVSwitch fabric is not up: type `sudo systemctl start nvidia-fabricmanager`, of the driver's own version",
    803: "restart the machine",
    804: "cuda-compat out of LD_LIBRARY_PATH",
    805: "nvidia-cuda-mps-control -d",
    806: "nvidia-cuda-mps-control -d",
    807: "nvidia-cuda-mps-control -d",
    808: "MPS server has as many clients",
    809: "MPS server has no room",
    999: "sudo modprobe nvidia_uvm`, or restart the machine",
}


@pytest.mark.parametrize(("answer", "part"), ANSWERS.items())
def test_a_driver_that_does_not_start_is_told_by_its_answer_with_what_to_type(
    tmp_path: Path, answer: int, part: str
) -> None:
    said = told(answer, tmp_path)
    assert said is not None
    assert said.startswith(f"libcuda.so.1 loads and cuInit answers {answer}, ")
    assert part in said
    assert "container" not in said


@pytest.mark.parametrize("marker", [".dockerenv", "run/.containerenv", ".singularity.d", "proc/1/cgroup"])
def test_in_a_container_its_new_start_comes_first(tmp_path: Path, marker: str) -> None:
    (tmp_path / marker).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / marker).write_text("0::/kubepods/burstable/pod1\n")
    assert all("restart the container" in (told(answer, tmp_path) or "") for answer in (803, 999))
    assert "on the host" in (told(802, tmp_path) or "")


def test_an_answer_that_nobody_explains_is_told_by_its_number_and_the_drivers_name_for_it(tmp_path: Path) -> None:
    assert told(0, tmp_path) is None
    assert told(5, tmp_path) == "libcuda.so.1 loads and cuInit answers 5"
    name = "CUDA_ERROR_PROFILER_DISABLED"
    assert told(5, tmp_path, name) == f"libcuda.so.1 loads and cuInit answers 5 ({name})"
    assert (told(802, tmp_path, "CUDA_ERROR_SYSTEM_NOT_READY") or "").startswith(
        "libcuda.so.1 loads and cuInit answers 802 (CUDA_ERROR_SYSTEM_NOT_READY), the NVSwitch fabric"
    )
