"""A run's request as it goes into a container: what is mounted, what is passed on, and what is recorded."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from bench.containers import catalog, launch_spec, spec
from bench.containers.launch_spec import ContainerTarget
from bench.containers.spec import Choice, Engine, Inspected
from bench.launch import trainer_command
from bench.system.paths import CHECKOUT

CPU = catalog.read().find("cpu")
PLACED = ContainerTarget(
    Engine("docker", "27.1"),
    Choice(CPU, "a test"),
    Inspected("sha256:1", (), {"b": "2", "a": "1"}, {"PATH": "/opt/trainer/bin", "TF_X": "image's"}),
    spec.BUILT,
    "owner",
)
REQUEST = trainer_command.Request("smoke", "synthetic", "host", "auto", "cpu", 3, 2)


def started(tmp_path: Path, request: trainer_command.Request = REQUEST, **env: str) -> launch_spec.Start:
    cache = tmp_path / "cuda"
    cache.mkdir(exist_ok=True)
    folder = tmp_path / "campaign" / "seed-003"
    return launch_spec.start(PLACED, request, folder, {"CUDA_CACHE_PATH": str(cache), **env}, "token")


def mounts(start: launch_spec.Start) -> dict[str, str]:
    words = [after for before, after in pairwise(start.command.argv) if before == "--mount"]
    fields = [dict(part.partition("=")[::2] for part in word.split(",")) for word in words]
    return {each["target"]: each["source"] + (" ro" if "readonly" in each else "") for each in fields}


def test_checkout_is_read_only_and_the_runs_folder_and_the_kernels_are_written(tmp_path: Path) -> None:
    assert mounts(started(tmp_path)) == {
        "/bench/checkout": f"{CHECKOUT} ro",
        "/bench/run-token": str(tmp_path / "campaign" / "seed-003"),
        "/bench/cache/cuda": str(tmp_path / "cuda"),
    }


def test_a_folder_of_data_and_an_archive_are_found_inside_by_the_trainer(tmp_path: Path) -> None:
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"")
    link = tmp_path / "link"
    link.symlink_to(archive)
    for data, target, source in (
        (tmp_path, "/bench/data", tmp_path),
        (archive, "/bench/data/cifar-10-binary.tar.gz", archive),
        (link, "/bench/data/cifar-10-binary.tar.gz", archive),
    ):
        start = started(tmp_path, trainer_command.Request("smoke", str(data), "host", "auto", "cpu", 3, 2))
        assert mounts(start)[target] == f"{source} ro"
        assert start.command.argv[start.command.argv.index("--data") + 1] == target


def test_a_recipe_of_ones_own_goes_in_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "my.json"
    file.write_text("{}")
    start = started(tmp_path, trainer_command.Request(f"{file}:mine", "synthetic", "host", "auto", "cpu", 3, 2))
    assert mounts(start)["/bench/recipes/my.json"] == f"{file} ro"
    assert start.command.argv[start.command.argv.index("--recipe") + 1] == "/bench/recipes/my.json:mine"


def test_the_command_is_the_images_python_and_is_shown_as_a_native_one(tmp_path: Path) -> None:
    start = started(tmp_path)
    argv = start.command.argv
    assert argv[argv.index(CPU.locator) + 1 :][:4] == ("python3", "-m", "resnet9", "train")
    assert start.command.shown[:4] == ("python", "-m", "resnet9", "train")
    assert not any(str(tmp_path) in word for word in start.command.shown)


def test_the_trainer_gets_its_variables_and_the_client_those_to_find_its_daemon_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    start = started(tmp_path, TF_X="1", CUDA_HOME="/usr/local/cuda", PATH="/usr/bin", LD_LIBRARY_PATH="/x")
    passed = [after for before, after in pairwise(start.command.argv) if before == "--env"]
    assert {"TF_X", "BENCH_EVENTS", "BENCH_SEED", "BENCH_TARGET_PERCENT", "BENCH_STARTED_NS"} <= {*passed}
    assert not {"CUDA_HOME", "PATH", "HOME", "DOCKER_CONTEXT"} & {*passed}
    assert {"HOME=/tmp", "CUDA_CACHE_PATH=/bench/cache/cuda"} <= {*passed}
    assert start.command.env["DOCKER_CONTEXT"] == "mine"
    assert start.command.env["PATH"] == os.environ["PATH"]
    # What the trainer will find: the image's, with what is passed on in its place.
    assert start.environ["TF_X"] == "1"
    assert start.environ["PATH"] == "/opt/trainer/bin"
    assert start.environ["CUDA_CACHE_PATH"] == str(tmp_path / "cuda")


def test_without_a_folder_for_kernels_they_are_kept_in_memory(tmp_path: Path) -> None:
    start = launch_spec.start(PLACED, REQUEST, tmp_path / "run", {"CUDA_CACHE_PATH": str(tmp_path / "none")}, "token")
    assert "/bench/cache/none" not in mounts(start)
    assert "CUDA_CACHE_PATH=/tmp/kernels" in start.command.argv


def test_the_facts_of_a_fingerprint_are_those_of_image_engine_and_fit() -> None:
    facts = launch_spec.facts(PLACED, ("--init",))
    assert facts["image.labels"] == ["a=1", "b=2"]
    assert facts["run.engine"] == "docker 27.1"
    assert facts["image.cuda_mode"] is None  # no GPU
    assert PLACED.identity == "resnet9-bench:cpu@sha256:1"
    assert PLACED.publishable
