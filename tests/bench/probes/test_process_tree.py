from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from bench.probes.process_tree import HELD_OPEN, MOST_DESCENDANTS, ProcessTree
from tests.support.made_up_kernel import end, process


def test_time_is_that_of_the_process_and_of_children_waited_for(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 20, 300, 4))

    family = ProcessTree(10, tmp_path)

    assert family.cpu_seconds() == 4.24
    assert family.resident_bytes() == 25 * os.sysconf("SC_PAGE_SIZE")


def test_live_descendants_count_from_the_next_look_on(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11, 12))
    process(tmp_path, 11, (50, 0, 0, 0), children=(13,))
    process(tmp_path, 12, (5, 0, 0, 0))
    process(tmp_path, 13, (1, 0, 0, 0))
    family = ProcessTree(10, tmp_path)

    assert family.cpu_seconds() == 1.0
    family.refresh()
    assert family.cpu_seconds() == 1.56
    assert family.pids == {10, 11, 12, 13}


def test_a_child_that_was_waited_for_is_never_counted_twice(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11,))
    process(tmp_path, 11, (50, 0, 0, 0))
    family = ProcessTree(10, tmp_path)
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
    family = ProcessTree(10, tmp_path)
    family.refresh()

    end(tmp_path, 11)
    process(tmp_path, 10, (0, 0, 0, 0))
    family.refresh()

    assert family.cpu_seconds() == 0.7
    assert family.pids == {10, 12}


def test_nothing_is_known_of_a_process_that_is_gone(tmp_path: Path) -> None:
    process(tmp_path, 10, (100, 0, 0, 0), children=(11,))
    process(tmp_path, 11, (50, 0, 0, 0))
    family = ProcessTree(10, tmp_path)
    family.refresh()
    end(tmp_path, 10)
    (tmp_path / "proc/10/statm").write_text("0 0 0 0 0 0 0\n")

    assert (family.cpu_seconds(), family.resident_bytes(), family.disk_bytes()) == (None, None, None)


def test_bytes_from_a_disk_are_those_of_the_family(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0), children=(11, 12), disk_bytes=4096)
    process(tmp_path, 11, (0, 0, 0, 0), disk_bytes=512)
    process(tmp_path, 12, (0, 0, 0, 0))
    family = ProcessTree(10, tmp_path)
    family.refresh()

    assert family.disk_bytes() == 4608


def test_bytes_are_unknown_where_the_process_may_not_be_asked(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0))

    assert ProcessTree(10, tmp_path).disk_bytes() is None


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def with_children(root: Path, count: int) -> ProcessTree:
    """A process that has spent a second with so many children that have spent a hundredth each."""
    children = tuple(range(11, 11 + count))
    process(root, 10, (100, 0, 0, 0), children=children)
    for pid in children:
        process(root, pid, (1, 0, 0, 0))
    family = ProcessTree(10, root)
    family.refresh()
    return family


def test_hundreds_of_children_take_a_dozen_descriptors_and_are_read_up_to_a_limit(tmp_path: Path) -> None:
    before = descriptors()
    family = with_children(tmp_path, MOST_DESCENDANTS + 300)

    assert len(family.pids) == 1 + MOST_DESCENDANTS
    assert family.cpu_seconds() == (100 + MOST_DESCENDANTS) / 100
    assert descriptors() - before <= 12
    family.close()
    assert descriptors() == before


def test_a_child_past_the_limit_is_read_once_there_is_room(tmp_path: Path) -> None:
    family = with_children(tmp_path, MOST_DESCENDANTS + 1)
    process(tmp_path, 10, (100, 0, 0, 0), children=tuple(range(13, 12 + MOST_DESCENDANTS)))
    for pid in (11, 12):
        end(tmp_path, pid)

    assert family.cpu_seconds() == (100 + MOST_DESCENDANTS - 2) / 100
    family.refresh()
    assert 11 + MOST_DESCENDANTS in family.pids


def test_a_number_that_somebody_else_has_by_now_is_not_counted(tmp_path: Path) -> None:
    family = with_children(tmp_path, HELD_OPEN + 2)
    last = 10 + HELD_OPEN + 2
    assert family.cpu_seconds() == (100 + HELD_OPEN + 2) / 100

    process(tmp_path, last, (5000, 0, 0, 0), start=12345)

    assert family.cpu_seconds() == (100 + HELD_OPEN + 1) / 100
    assert last not in family.pids


def test_without_descriptors_time_is_unknown_and_nobody_is_taken_for_gone(tmp_path: Path) -> None:
    family = with_children(tmp_path, HELD_OPEN + 2)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))  # those that are open stay so
    try:
        family.refresh()
        lacking = family.cpu_seconds(), family.disk_bytes(), ProcessTree(10, tmp_path).cpu_seconds()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert lacking == (None, None, None)
    assert family.cpu_seconds() == (100 + HELD_OPEN + 2) / 100


def test_a_real_child_is_found_and_read_until_it_is_reaped() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    family = ProcessTree(os.getpid())
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        family.refresh()
        assert child.pid in family.pids
    assert family.cpu_seconds() is not None
    assert child.pid not in family.pids
    family.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_account_of_a_zombie_can_still_be_read() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "sum(range(3_000_000))"])
    family = ProcessTree(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    seconds, memory, disk = family.cpu_seconds(), family.resident_bytes(), family.disk_bytes()

    child.wait()
    assert seconds is not None and seconds > 0
    assert memory is None
    assert disk is not None
    assert family.cpu_seconds() is None
    family.close()


# A trainer in a container: no descendant of the client that has started it

EVENTS = "BENCH_EVENTS=/bench/run-0123/events.fifo"


def contained(root: Path) -> ProcessTree:
    """The family of a client, 10, whose trainer is in a container: its first process, 50, and its own child, 51."""
    process(root, 10, (7, 0, 0, 0), environ=EVENTS, session=10)
    process(root, 50, (1, 0, 0, 0), children=(51,), environ=EVENTS, session=50)
    process(root, 51, (400, 50, 0, 0), environ=EVENTS, session=50)
    process(root, 60, (900, 0, 0, 0), environ=EVENTS.replace("0123", "4567"), session=60)
    return ProcessTree(10, root, is_client=True)


def test_of_a_client_nothing_is_told_until_the_container_is_found(tmp_path: Path) -> None:
    family = contained(tmp_path)
    assert (family.cpu_seconds(), family.resident_bytes(), family.peak_bytes(), family.disk_bytes()) == (None,) * 4


def test_a_container_is_found_by_the_events_it_was_given_and_no_other_run_is(tmp_path: Path) -> None:
    family = contained(tmp_path)
    family.refresh()
    assert family.pids == {10, 50, 51}
    assert family.cpu_seconds() == 4.58
    assert family.resident_bytes() == 25 * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_was_only_being_put_in_place_is_asked_again(tmp_path: Path) -> None:
    environ = tmp_path / "proc/10/environ"
    contained(tmp_path)
    shown = environ.read_bytes()
    environ.write_bytes(b"")
    family = ProcessTree(10, tmp_path, is_client=True)
    environ.write_bytes(shown)
    family.refresh()
    assert family.pids == {10, 50, 51}


def test_when_a_container_is_gone_nothing_is_told_of_its_client(tmp_path: Path) -> None:
    family = contained(tmp_path)
    family.refresh()
    assert family.cpu_seconds() == 4.58
    for pid in (50, 51):
        end(tmp_path, pid)
    assert family.cpu_seconds() is None
    assert (family.resident_bytes(), family.peak_bytes()) == (None, None)


def test_the_peak_of_a_container_is_that_of_its_largest_process(tmp_path: Path) -> None:
    family = contained(tmp_path)
    for pid, kib in ((50, 700), (51, 900_000)):
        (tmp_path / "proc" / str(pid) / "status").write_text(f"Name:\tpython3\nVmHWM:\t  {kib} kB\nVmRSS:\t 1 kB\n")
    family.refresh()
    assert family.peak_bytes() == 900_000 * 1024


def test_a_process_of_this_machine_is_found_as_one_of_a_container_would_be() -> None:
    mark = {"BENCH_EVENTS": f"/bench/run-{os.getpid()}/events.fifo"}
    script = "import time; a = bytearray(30_000_000); print(flush=True); time.sleep(60)"

    def start() -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-S", "-c", script]
        started = subprocess.Popen(argv, env=mark, stdout=subprocess.PIPE, start_new_session=True)
        assert started.stdout is not None
        started.stdout.readline()
        return started

    client, trainer = start(), start()
    try:
        family = ProcessTree(client.pid, is_client=True)
        family.refresh()
        assert trainer.pid in family.pids
        assert (family.peak_bytes() or 0) > 30_000_000
        assert family.cpu_seconds() is not None
        family.close()
    finally:
        for each in (client, trainer):
            each.kill()
            each.communicate()
