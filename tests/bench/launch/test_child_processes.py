from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.launch import child_processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own."""
    argv = [sys.executable, "-I", "-S", "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(argv, env={}, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        popen.stdout.readline()  # it has begun
        yield popen
        popen.kill()


def _found(pid: int) -> child_processes.Process:
    return next(each for each in child_processes.children() if each.pid == pid)


def test_a_child_is_found_whatever_session_it_moved_to(sleeper: subprocess.Popen[bytes]) -> None:
    found = _found(sleeper.pid)

    assert found.running
    assert found.name.startswith("python")
    assert os.getppid() not in [each.pid for each in child_processes.children()]


def test_one_that_has_ended_does_not_run_until_it_is_reaped(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie: ended, not reaped

    assert not _found(sleeper.pid).running


def test_a_name_may_hold_what_looks_like_the_rest_of_the_line(tmp_path: Path) -> None:
    for pid, name, parent in [(7, "a) Z 1 (b", os.getpid()), (8, "other", os.getpid() + 1)]:
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 8 8 0 -1\n")
    (tmp_path / "proc" / "9").mkdir()  # gone meanwhile

    assert child_processes.children(tmp_path) == (child_processes.Process(7, "a) Z 1 (b"),)


def test_a_machine_without_proc_shows_nobody(tmp_path: Path) -> None:
    assert child_processes.children(tmp_path) == ()
