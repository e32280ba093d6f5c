"""What is told of the compiler: its autotuning, and whether its caches were cold or warm."""

from __future__ import annotations

import os
from dataclasses import astuple
from pathlib import Path

import pytest

from resnet9.device.compiler import inspect


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("", "default"),
        ("--xla_gpu_autotune_level=4", "4"),
        ("--x=1 --xla_gpu_autotune_level=4  --xla_gpu_autotune_level=0", "0"),
        ("--not_xla_gpu_autotune_level=3", "default"),
        ("--xla_gpu_autotune_level=/home/alice", "default"),
        ("--xla_gpu_autotune_level='2'", "2"),
    ],
)
def test_the_autotune_level_is_the_last_one_given(tmp_path: Path, flags: str, level: str) -> None:
    assert inspect({"XLA_FLAGS": flags, "HOME": str(tmp_path)}).autotune_level == level


def test_flags_may_be_in_a_file_as_for_xla_itself(tmp_path: Path) -> None:
    (tmp_path / "flags").write_text("--x=1\n--xla_gpu_autotune_level=3\n")
    assert inspect({"XLA_FLAGS": str(tmp_path / "flags")}).autotune_level == "3"
    assert inspect({"XLA_FLAGS": str(tmp_path / "no such file")}).autotune_level == "default"


@pytest.mark.parametrize(("files", "state"), [(None, "cold"), ([], "cold"), (["program"], "warm")])
def test_a_cache_is_warm_where_its_folder_holds_something(tmp_path: Path, files: list[str] | None, state: str) -> None:
    folder = tmp_path / "cache"
    if files is not None:
        folder.mkdir()
        for name in files:
            (folder / name).touch()
    persistent = {"TF_XLA_FLAGS": f"--y --tf_xla_persistent_cache_directory={folder}", "HOME": str(tmp_path)}
    assert inspect(persistent).persistent_cache == state
    assert inspect({"CUDA_CACHE_PATH": str(folder)}).kernel_cache == state


def test_without_a_flag_there_is_no_persistent_cache_and_kernels_are_kept_at_home(tmp_path: Path) -> None:
    assert inspect({"HOME": str(tmp_path)}).persistent_cache == "none"
    (tmp_path / ".nv" / "ComputeCache" / "1").mkdir(parents=True)
    assert inspect({"HOME": str(tmp_path)}).kernel_cache == "warm"
    assert inspect({"HOME": str(tmp_path), "CUDA_CACHE_DISABLE": "1"}).kernel_cache == "off"
    assert inspect({"HOME": str(tmp_path), "CUDA_CACHE_DISABLE": "0"}).kernel_cache == "warm"


def test_no_path_is_told(tmp_path: Path) -> None:
    flags = {"XLA_FLAGS": f"--xla_gpu_autotune_level={tmp_path}", "CUDA_CACHE_PATH": str(tmp_path)}
    words = astuple(inspect({**flags, "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path}"}))
    assert not any(os.sep in word for word in words)
