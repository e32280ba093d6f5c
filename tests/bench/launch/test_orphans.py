from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.launch.orphans import Orphans
from tests.support.scripted_runs import gone

_PR_GET_CHILD_SUBREAPER = 37
EVENTS = Path("/results/seed-000/.events")
#: Tells its process id, then lets go of its parent and sleeps.
DAEMON = "echo $$; exec >&- ; exec sleep 600"


def is_the_reaper() -> bool:
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
    return bool(value.value)


def left_by(script: str) -> list[int]:
    """Run a shell to its end: the process ids that it and what it left behind have told."""
    return [int(pid) for pid in subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE).stdout.split()]


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    with Orphans(EVENTS) as orphans:
        yield orphans
        orphans.end()


def test_a_daemon_of_a_child_that_is_gone_is_found_and_ended(orphans: Orphans) -> None:
    (pid,) = left_by(f"env -i setsid sh -c '{DAEMON}' &")

    assert [each.pid for each in orphans.running()] == [pid]
    assert [each.pid for each in orphans.end()] == [pid]
    assert gone(pid)
    assert orphans.end() == ()


def test_what_a_daemon_has_started_is_ended_with_it(orphans: Orphans) -> None:
    inner = f'sh -c "{DAEMON.replace("$$", chr(92) + "$$")}" &'
    pids = left_by(f"setsid sh -c '{inner} echo $$; exec >&-; exec sleep 600' &")

    assert len(pids) == 2
    assert len(orphans.running()) == 1  # the other still has a parent of its own
    assert sorted(each.pid for each in orphans.end()) == sorted(pids)


def test_an_orphan_that_has_ended_is_reaped_and_not_told(orphans: Orphans) -> None:
    (pid,) = left_by(f"setsid sh -c '{DAEMON}' &")
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert orphans.running() == ()
    assert orphans.end() == ()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_child_that_was_there_before_is_none_of_its_business() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as other:
        with Orphans(EVENTS) as orphans:
            assert orphans.running() == ()
            assert orphans.end() == ()
        other.communicate(b"\n")

    assert other.returncode == 0


def test_afterwards_orphans_are_again_whose_they_were() -> None:
    before = is_the_reaper()
    with Orphans(EVENTS) as outer:
        with Orphans(EVENTS):
            assert is_the_reaper()
        assert is_the_reaper()
        assert outer.adopted

    assert is_the_reaper() == before


def test_the_first_process_of_a_container_ends_what_its_trainer_left_and_not_what_others_did() -> None:
    with Orphans(EVENTS, is_init=True) as orphans:
        (others,) = left_by(f"env -i setsid sh -c '{DAEMON}' &")
        (of_another_run,) = left_by(f"BENCH_EVENTS={EVENTS}2 setsid sh -c '{DAEMON}' &")
        (left,) = left_by(f"BENCH_EVENTS={EVENTS} setsid sh -c '{DAEMON}' &")
        try:
            assert [each.pid for each in orphans.running()] == [left]
            assert [each.pid for each in orphans.end()] == [left]
            assert not gone(others) and not gone(of_another_run)
        finally:
            for pid in (others, of_another_run):
                os.kill(pid, 9)
                os.waitpid(pid, 0)
