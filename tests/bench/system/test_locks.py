from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from bench.errors import EnvironmentProblem, Refused
from bench.system import locks

FORK = multiprocessing.get_context("fork")


def hold(path: Path, held: Connection) -> None:
    with locks.held(path, "it"):
        held.send(True)
        held.poll(60)  # Until the other end says so, or closes.


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[BaseProcess]:
    """Another process that holds ``tmp_path/lock``."""
    mine, its = FORK.Pipe()
    process = FORK.Process(target=hold, args=(tmp_path / "lock", its))
    process.start()
    assert mine.poll(60)
    yield process
    mine.send(True)
    process.join()


def test_a_lock_that_another_process_holds_is_refused_with_who_holds_it(tmp_path: Path, holder: BaseProcess) -> None:
    with (
        pytest.raises(Refused, match=rf"results/x .*\(process {holder.pid}\)"),
        locks.held(tmp_path / "lock", "results/x"),
    ):
        pass


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path, holder: BaseProcess) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()

    with locks.held(tmp_path / "lock", "it"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "lock").exists()


def test_a_lock_is_let_go_of_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path / "lock", "it"):
        _ = 1 / 0

    with locks.held(tmp_path / "lock", "it"):
        pass


def count(path: Path, counter: Path, times: int) -> None:
    done = 0
    while done < times:
        try:
            with locks.held(path, "it"):
                value = int(counter.read_text())
                counter.write_text(str(value + 1))
            done += 1
        except Refused:
            pass


def test_no_two_processes_hold_a_lock_at_once_though_its_file_comes_and_goes(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    workers = [FORK.Process(target=count, args=(tmp_path / "lock", counter, 20)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert counter.read_text() == "60"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(EnvironmentProblem, match=r"cannot make the lock .*No such file"),
        locks.held(tmp_path / "no" / "lock", "it"),
    ):
        pass


def test_each_device_has_a_lock_of_its_own_in_a_folder_of_this_user(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}

    cpu, gpu = locks.device_lock("cpu", environ), locks.device_lock("GPU-6f/..", environ)

    assert (cpu.name, gpu.name) == ("cpu.lock", "gpu-6f-.lock")
    assert cpu.parent == gpu.parent == tmp_path / f"resnet9-bench-{os.getuid()}"
    assert cpu.parent.stat().st_mode & 0o777 == 0o700


def test_a_runtime_folder_that_is_not_there_is_replaced_by_tmp() -> None:
    assert locks.device_lock("cpu", {"XDG_RUNTIME_DIR": "/no/such/folder"}).parent.parent == Path("/tmp")


def test_a_folder_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12_345)

    with pytest.raises(EnvironmentProblem, match=r"resnet9-bench-12345 is not yours"):
        locks.device_lock("cpu", {"XDG_RUNTIME_DIR": str(tmp_path)})


def test_a_link_where_the_lock_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"resnet9-bench-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EnvironmentProblem, match=r"is not yours. Remove it"):
        locks.device_lock("cpu", {"XDG_RUNTIME_DIR": str(tmp_path)})
