from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.probes import leftovers


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own that was told of run 7."""
    argv = [sys.executable, "-I", "-S", "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(argv, env={"RUN": "7"}, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        popen.stdout.readline()  # it has begun
        yield popen
        popen.kill()


def test_a_process_is_found_by_the_variable_it_was_started_with(sleeper: subprocess.Popen[bytes]) -> None:
    found = leftovers.carrying("RUN", "7")

    assert [each.pid for each in found] == [sleeper.pid]
    assert found[0].name.startswith("python")
    assert leftovers.carrying("RUN", "") == ()
    assert leftovers.carrying("RUN", "77") == ()


def test_one_that_has_ended_is_not_left_over(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie: ended, not collected

    assert leftovers.carrying("RUN", "7") == ()


def test_a_machine_without_proc_shows_nobody(tmp_path: Path) -> None:
    assert leftovers.carrying("RUN", "7", tmp_path) == ()
