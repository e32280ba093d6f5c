"""Where runs are made: what is settled on for a machine with a GPU, an engine and a toolkit, and with less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.containers import engine, selection
from bench.errors import EnvironmentProblem, UsageError
from bench.probes.device import CPU, Device
from tests.support import fake_engine, fake_nvml

CHECKOUT = Path(__file__).parents[3]
#: Settles in a process of its own, which has the driver that its environment says.
ASK = """
import dataclasses, json, sys
from bench.campaign import plan
from bench.probes.device import device as find_device
from bench.containers import selection
from bench.errors import BenchError
asked = selection.ContainerOptions(**json.loads(sys.argv[1]))
try:
    device = find_device(None)
    found = selection.resolve(asked, device)
    wanted = plan.complete(plan.RunOptions(), device, plan.recipe_name(plan.RunOptions(), device), "cifar10")
    print(json.dumps({"said": found.said, "image": found.choice and found.choice.image.name, "toolkit": found.toolkit,
                      "recipe": wanted.recipe, "seeds": wanted.seeds}))
except BenchError as problem:
    print(json.dumps({"problem": str(problem), "code": problem.exit_code}))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("driver"))


def settled(
    folder: Path,
    library: Path,
    profile: str,
    *lines: str,
    toolkit: str | None = "1.17.8",
    has_engine: bool = True,
    **asked: str,
) -> dict[str, Any]:
    """What is settled on beside a card of ``profile``, with an engine and a toolkit or without."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    if has_engine:
        fake_engine.install(bin_folder)
    if toolkit is not None:
        (bin_folder / "nvidia-ctk").write_text(f"#!/bin/sh\necho 'NVIDIA Container Toolkit CLI version {toolkit}'\n")
        (bin_folder / "nvidia-ctk").chmod(0o755)
    scenario = fake_nvml.scenario(folder / "scenario", *lines, profile=profile)
    environ = {**fake_nvml.environ(library, scenario), "PATH": f"{bin_folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    argv = [sys.executable, "-c", ASK, json.dumps(asked)]
    done = subprocess.run(argv, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("profile", "lines", "image", "words"),
    [
        ("V100", (), "23.09", "Tesla V100-SXM2-16GB (7.0)"),
        ("A100", (), "25.02", "NVIDIA A100-SXM4-80GB (8.0); driver 550.54.15 is older than its CUDA"),
        ("H200", (), "25.02", "driver 575.57.08 runs it natively"),
        ("V100", ("driver version 470.57.02",), "23.09", "forward compatibility"),
    ],
)
def test_with_gpu_engine_and_toolkit_it_is_the_container_of_the_image_that_fits(
    tmp_path: Path, library: Path, profile: str, lines: tuple[str, ...], image: str, words: str
) -> None:
    found = settled(tmp_path, library, profile, *lines)
    assert found["image"] == image
    assert found["toolkit"] == "1.17.8"
    assert (found["recipe"], found["seeds"]) == ("resnet9", [0, 1, 2, 3, 4])
    assert found["said"].startswith(f"In the image {image} (tensorflow:{image}-tf2-py3@sha256:")
    assert words in found["said"]


def test_without_an_engine_it_is_native_and_says_why(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "A100", has_engine=False, docker="no-such-engine")
    assert found["image"] is None
    assert found["said"] == "Natively, in no container: there is no `no-such-engine` on PATH."
    assert "WHERE=native" not in found["said"]


def test_without_the_toolkit_it_is_native_and_says_how_to_have_it(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "A100", toolkit=None)
    assert found["image"] is None
    assert "sudo nvidia-ctk runtime configure --runtime=docker" in found["said"]


def test_what_is_asked_for_and_not_to_be_had_is_an_environment_problem(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "A100", toolkit=None, where="container")
    assert found["code"] == 4


def test_a_driver_that_dropped_the_card_stops_before_anything_is_pulled(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "V100", "driver version 595.45.04")
    assert found["code"] == 4
    assert "R580 is the last branch that does" in found["problem"]
    asked = [words[0] for words in fake_engine.calls(tmp_path / "bin" / "docker-state")]
    assert asked == ["info", "context"]


def test_an_image_without_code_for_the_card_stops_before_anything_is_pulled(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "V100", image="25.02")
    assert found["code"] == 4
    assert "IMAGE=23.09" in found["problem"]


def test_native_as_asked_for_is_said_on_a_gpu_and_no_engine_is_asked(tmp_path: Path, library: Path) -> None:
    found = settled(tmp_path, library, "A100", where="native")
    assert found["said"] == "Natively, as WHERE=native says."
    assert fake_engine.calls(tmp_path / "bin" / "docker-state") == []


def test_a_cpu_is_native_unless_told_and_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert selection.resolve(selection.ContainerOptions(), CPU) == selection.ContainerChoice()
    assert selection.resolve(selection.ContainerOptions("auto"), CPU, custom=True) == selection.ContainerChoice()
    with pytest.raises(EnvironmentProblem, match="no `docker` on PATH"):
        selection.resolve(selection.ContainerOptions("container"), CPU)


def test_a_gpu_that_nvml_does_not_show_cannot_be_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Device("gpu", "gpu", "gpu", "gpu", unwatched="there is no NVIDIA driver library")
    assert "has no UUID to hand it on by" in selection.resolve(selection.ContainerOptions(), hidden).said
    with pytest.raises(EnvironmentProblem, match="has no UUID"):
        selection.resolve(selection.ContainerOptions("container"), hidden)


def test_in_the_image_that_holds_harness_and_trainer_it_has_been_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_IMAGE", "nvcr.io/nvidia/tensorflow:25.02-tf2-py3@sha256:0")
    assert (
        selection.resolve(selection.ContainerOptions(), Device("gpu", "GPU-1", "k", "NVIDIA H200"))
        == selection.ContainerChoice()
    )


def test_an_image_that_is_none_is_told_before_any_trouble_with_the_engine() -> None:
    with pytest.raises(UsageError, match=r"there is no image '25\.2'"):
        selection.resolve(selection.ContainerOptions("container", "25.2", docker="no-such-engine"), CPU)


def test_what_contradicts_itself_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="IMAGE=cpu"):
        selection.resolve(selection.ContainerOptions("native", "cpu"), CPU)
    with pytest.raises(UsageError, match="TRAINER"):
        selection.resolve(selection.ContainerOptions(None, "cpu"), CPU, custom=True)
    with pytest.raises(UsageError):
        selection.explicitly(selection.ContainerOptions("native"))


@pytest.mark.skipif(engine.has_cdi(), reason="this machine describes GPUs by CDI; run the tests where none does")
def test_podman_needs_a_description_of_the_gpus(tmp_path: Path, library: Path) -> None:
    (tmp_path / "bin2").mkdir()
    info = {"host": {"security": {"rootless": False}}, "store": {}, "version": {"Version": "4.9"}}
    for name in ("podman", "docker"):  # podman also goes by the name of docker
        fake_engine.install(tmp_path / "bin2", name, info=info)
        folder = tmp_path / name
        folder.mkdir()
        found = settled(folder, library, "A100", docker=str(tmp_path / "bin2" / name), where="container")
        assert "sudo nvidia-ctk cdi generate" in found["problem"]
