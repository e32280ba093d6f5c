"""What the NVIDIA driver shows and which library is missing, with a compiled fake driver and real files."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resnet9 import driver
from tests import fake_nvml


def no_library(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


TWO_CARDS = ("gpu 0 uuid GPU-aaaa", "gpu 1 uuid GPU-bbbb")


@pytest.mark.parametrize(
    ("lines", "uuids"),
    [
        (TWO_CARDS, ("GPU-aaaa", "GPU-bbbb")),
        ((*TWO_CARDS, "gpu 0 handle no-permission"), ("GPU-bbbb",)),
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


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (0, None),
        (803, "its version is not that of the loaded driver, so restart the machine"),
        (5, "libcuda.so.1 loads and cuInit answers 5"),
    ],
)
def test_a_driver_that_loads_and_does_not_start_is_told_by_its_answer(answer: int, why: str | None) -> None:
    cuda = SimpleNamespace(cuInit=lambda flags: answer)
    told = driver.why_unusable(tensorflow(), lambda name: cuda)
    assert told is None if why is None else (told or "").endswith(why)
