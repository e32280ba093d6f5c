from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.probes.family import Family
from tests.bench.made_up_kernel import end, process


def test_time_is_that_of_the_process_and_of_children_waited_for(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 20, 300, 4))

    family = Family(10, tmp_path)

    assert family.cpu_seconds() == 4.24
    assert family.resident_bytes() == 25 * os.sysconf("SC_PAGE_SIZE")


def test_live_descendants_count_from_the_next_look_on(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11, 12))
    process(tmp_path, 11, (50, 0, 0, 0), children=(13,))
    process(tmp_path, 12, (5, 0, 0, 0))
    process(tmp_path, 13, (1, 0, 0, 0))
    family = Family(10, tmp_path)

    assert family.cpu_seconds() == 1.0
    family.refresh()
    assert family.cpu_seconds() == 1.56
    assert family.pids == {10, 11, 12, 13}


def test_a_child_that_was_waited_for_is_never_counted_twice(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11,))
    process(tmp_path, 11, (50, 0, 0, 0))
    family = Family(10, tmp_path)
    family.refresh()
    assert family.cpu_seconds() == 1.5

    end(tmp_path, 11)
    process(tmp_path, 10, (100, 0, 50, 0))

    assert family.cpu_seconds() == 1.5
    assert family.pids == {10}


def test_a_child_whose_parent_ended_is_still_the_trainers(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0), children=(11,))
    process(tmp_path, 11, (0, 0, 0, 0), children=(12,))
    process(tmp_path, 12, (70, 0, 0, 0))
    family = Family(10, tmp_path)
    family.refresh()

    end(tmp_path, 11)
    process(tmp_path, 10, (0, 0, 0, 0))
    family.refresh()

    assert family.cpu_seconds() == 0.7
    assert family.pids == {10, 12}


def test_nothing_is_known_of_a_process_that_is_gone(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11,))
    process(tmp_path, 11, (50, 0, 0, 0))
    family = Family(10, tmp_path)
    family.refresh()
    end(tmp_path, 10)
    (tmp_path / "proc/10/statm").write_text("0 0 0 0 0 0 0\n")

    assert (family.cpu_seconds(), family.resident_bytes(), family.disk_bytes()) == (None, None, None)


def test_bytes_from_a_disk_are_those_of_the_family(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0), children=(11, 12), disk_bytes=4096)
    process(tmp_path, 11, (0, 0, 0, 0), disk_bytes=512)
    process(tmp_path, 12, (0, 0, 0, 0))
    family = Family(10, tmp_path)
    family.refresh()

    assert family.disk_bytes() == 4608


def test_bytes_are_unknown_where_the_process_may_not_be_asked(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0))

    assert Family(10, tmp_path).disk_bytes() is None


def test_a_real_child_is_found_and_read_until_it_is_reaped() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    family = Family(os.getpid())
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        family.refresh()
        assert child.pid in family.pids
    assert family.cpu_seconds() is not None
    assert child.pid not in family.pids
    family.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_account_of_a_zombie_can_still_be_read() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "sum(range(3_000_000))"])
    family = Family(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    seconds, memory, disk = family.cpu_seconds(), family.resident_bytes(), family.disk_bytes()

    child.wait()
    assert seconds is not None and seconds > 0
    assert memory is None
    assert disk is not None
    assert family.cpu_seconds() is None
    family.close()
