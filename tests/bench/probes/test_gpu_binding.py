"""Which package reads the GPU, with the real one and with small ones put in its place."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from tests.support import fake_nvml

#: As the unofficial package has it: the same names, and not the function by which NVIDIA's is known.
UNOFFICIAL = """
NVML_ERROR_NO_PERMISSION = 4

class NVMLError(Exception):
    pass

def nvmlInit():
    pass

def nvmlShutdown():
    pass

def nvmlDeviceGetCount():
    return 1

def nvmlDeviceGetHandleByIndex(index):
    return index

def nvmlDeviceGetUUID(handle):
    return b"GPU-aaaaaaaa-0000"

def nvmlDeviceGetName(handle):
    return b"Tesla V100-SXM2-16GB"
"""


def packages(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str, module: str = "") -> None:
    """Put a package where Python looks first."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if module:
        (folder / "pynvml.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


def test_the_package_that_reads_the_gpu_is_told_with_its_version(driver: Path) -> None:
    (told,) = fake_nvml.answers(driver, None, "gpu.binding()")
    assert told == f"nvidia-ml-py {metadata.version('nvidia-ml-py')}"


def test_without_a_package_there_is_none_to_tell(driver: Path) -> None:
    hidden = "import sys; sys.modules['pynvml'] = None"
    told, (kind, message) = fake_nvml.answers(driver, None, "gpu.binding()", "card", setup=hidden)
    assert told is None
    assert (kind, message) == ("GpuProblem", "No GPU can be read: the Python package nvidia-ml-py is not installed.")


def test_the_unofficial_package_is_named_with_the_way_to_mend_it(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(tmp_path, monkeypatch, "pynvml", "11.5.3", UNOFFICIAL)
    for kind, message in fake_nvml.answers(driver, None, "gpu.binding()", "card"):
        assert kind == "WrongBinding"
        assert "The unofficial package pynvml 11.5.3 is installed in place of NVIDIA's nvidia-ml-py" in message
        assert "`pip uninstall pynvml`" in message


def test_a_package_that_cannot_read_a_card_still_shows_it_so_that_it_can_train(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(tmp_path, monkeypatch, "pynvml", "8.0.4", UNOFFICIAL)
    (sight,) = fake_nvml.answers(driver, None, "gpu.discover()")
    (card,) = sight["gpus"]
    assert (card["name"], card["uuid"]) == ("Tesla V100-SXM2-16GB", "GPU-aaaaaaaa-0000")
    assert (card["memory_bytes"], card["driver_version"]) == (None, None)


@pytest.mark.parametrize("version", ["11.495.46", "12.530.30", "14.0.1"])
def test_a_release_that_the_harness_was_not_made_for_is_named_with_those_it_was(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    packages(tmp_path, monkeypatch, "nvidia-ml-py", version)
    ((kind, message),) = fake_nvml.answers(driver, None, "gpu.binding()")
    assert kind == "WrongBinding"
    assert message.startswith(f"nvidia-ml-py {version} is installed and 12.535 or newer, below 14, is needed")


def test_a_card_is_read_by_whatever_release_of_nvidias_there_is(
    driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages(tmp_path, monkeypatch, "nvidia-ml-py", "14.0.1")
    told = fake_nvml.scenario(tmp_path / "scenario", profile="V100")
    assert fake_nvml.answers(driver, told, "card.sample().numbers['gpu_power_watts']") == [250.0]
