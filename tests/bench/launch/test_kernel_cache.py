"""The kernel cache that a trainer is given: one of the checkout's, the person's own, or an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import EnvironmentProblem, UsageError
from bench.launch import kernel_cache, trainer_command
from bench.system.paths import CHECKOUT


def test_every_trainer_shares_the_checkouts_folder_unless_the_person_named_one() -> None:
    ours, theirs = trainer_command.environment({}), trainer_command.environment({"CUDA_CACHE_PATH": "/mine"})

    assert Path(ours["CUDA_CACHE_PATH"]).relative_to(CHECKOUT) == Path(".cache/kernels/cuda")
    assert theirs["CUDA_CACHE_PATH"] == "/mine"


def test_a_kept_cache_is_made_once_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kernels" / "cuda"
    for _ in range(2):
        with kernel_cache.prepared("kept", {"A": "b", "CUDA_CACHE_PATH": str(folder)}, folder) as env:
            assert env == {"A": "b", "CUDA_CACHE_PATH": str(folder)}
            (folder / "kernel").touch()

    assert (folder / "kernel").is_file()


def test_a_folder_of_the_persons_own_is_theirs_to_make(tmp_path: Path) -> None:
    with kernel_cache.prepared("kept", {"CUDA_CACHE_PATH": str(tmp_path / "mine")}, tmp_path / "ours") as env:
        assert env == {"CUDA_CACHE_PATH": str(tmp_path / "mine")}

    assert list(tmp_path.iterdir()) == []


def test_a_cold_cache_is_empty_at_each_run_gone_after_it_and_called_alike(tmp_path: Path) -> None:
    folder = tmp_path / "kernels" / "cuda"
    names = []
    for _ in range(2):
        with kernel_cache.prepared("cold", {"CUDA_CACHE_PATH": str(folder)}, folder) as env:
            given = Path(env["CUDA_CACHE_PATH"])
            assert list(given.iterdir()) == []
            (given / "kernel").touch()
            names.append(given)

    assert names[0] != names[1]
    assert {each.name for each in names} == {"cold"}
    assert list(folder.parent.iterdir()) == []


def test_a_checkout_that_cannot_be_written_keeps_no_cache_and_refuses_a_cold_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "kernels" / "cuda"

    with kernel_cache.prepared("kept", {"CUDA_CACHE_PATH": str(folder)}, folder) as env:
        assert env["CUDA_CACHE_PATH"] == str(folder)
    with (
        pytest.raises(EnvironmentProblem, match="CACHE=cold"),
        kernel_cache.prepared("cold", {}, folder),
    ):
        pass


def test_a_cold_cache_and_a_folder_of_ones_own_contradict_each_other() -> None:
    kernel_cache.check("cold", {})
    kernel_cache.check("kept", {"CUDA_CACHE_PATH": "/mine"})

    with pytest.raises(UsageError, match="CACHE=cold and CUDA_CACHE_PATH contradict each other"):
        kernel_cache.check("cold", {"CUDA_CACHE_PATH": "/mine"})
