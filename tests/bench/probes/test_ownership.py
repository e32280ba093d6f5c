from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.probes.ownership import Owner, Ownership
from bench.probes.process_tree import ProcessTree
from tests.support.made_up_kernel import process

OURS, ANOTHERS = "BENCH_EVENTS=/runs/1/events.fifo", "BENCH_EVENTS=/runs/11/events.fifo"
#: Starts a child from another thread than the main one, in a session of its own where told to, and says its number.
TRAINER = """
import subprocess, sys, threading
def work():
    argv = [sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=sys.argv[1] == "new session")
    child.stdout.readline()  # it has begun
    print(child.pid, flush=True)
    child.wait()
threading.Thread(target=work).start()
"""


@pytest.fixture
def trainer(tmp_path: Path) -> int:
    process(tmp_path, 10, (0, 0, 0, 0), session=10, environ=OURS)
    return 10


@pytest.fixture(params=["same session", "new session"])
def started(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A trainer and its child, both of which end with their standard input."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", TRAINER, request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True, env={"BENCH_EVENTS": "/runs/1/events.fifo"},
    ) as popen:  # fmt: skip
        assert popen.stdout is not None
        yield popen.pid, int(popen.stdout.readline())


def test_a_child_of_another_thread_is_the_trainers_though_it_is_not_followed(started: tuple[int, int]) -> None:
    trainer, child = started
    family = ProcessTree(trainer)
    family.refresh()

    assert child not in family.pids
    assert family.ownership.of([child]) == {child: Owner.TRAINER}
    family.close()


@pytest.mark.parametrize(
    ("session", "environ", "owner"),
    [
        (10, None, Owner.TRAINER),
        (10, ANOTHERS, Owner.TRAINER),
        (20, OURS, Owner.TRAINER),
        (20, ANOTHERS, Owner.SOMEBODY_ELSE),
        (20, "NONE=1", Owner.SOMEBODY_ELSE),
        (20, None, Owner.GONE),
    ],
)
def test_the_owner_is_told_by_session_and_by_variable(
    tmp_path: Path, trainer: int, session: int, environ: str | None, owner: Owner
) -> None:
    process(tmp_path, 77, (0, 0, 0, 0), session=session, environ=environ)

    assert Ownership(trainer, tmp_path).of([77]) == {77: owner}


def test_one_that_may_not_be_looked_into_is_hidden(tmp_path: Path, trainer: int) -> None:
    process(tmp_path, 77, (0, 0, 0, 0), session=20)
    (tmp_path / "proc/77/environ").mkdir()

    assert Ownership(trainer, tmp_path).of([77]) == {77: Owner.HIDDEN}


def test_one_whose_memory_is_gone_is_on_its_way_out(tmp_path: Path, trainer: int) -> None:
    process(tmp_path, 77, (0, 0, 0, 0), session=20)
    (tmp_path / "proc/77/environ").write_bytes(b"")

    assert Ownership(trainer, tmp_path).of([77]) == {77: Owner.GONE}


def test_where_the_trainers_variable_cannot_be_read_only_its_session_tells(tmp_path: Path) -> None:
    process(tmp_path, 10, (0, 0, 0, 0), session=10)
    process(tmp_path, 77, (0, 0, 0, 0), session=10, environ="NONE=1")
    process(tmp_path, 78, (0, 0, 0, 0), session=20, environ="NONE=1")

    assert Ownership(10, tmp_path).of([77, 78]) == {77: Owner.TRAINER, 78: Owner.HIDDEN}


def test_a_process_is_asked_once_for_as_long_as_it_is_asked_about(tmp_path: Path, trainer: int) -> None:
    process(tmp_path, 77, (0, 0, 0, 0), session=20, environ=OURS)
    ownership = Ownership(trainer, tmp_path)
    assert ownership.of([77]) == {77: Owner.TRAINER}
    process(tmp_path, 77, (0, 0, 0, 0), session=20, environ=ANOTHERS)

    assert ownership.of([77]) == {77: Owner.TRAINER}
    assert ownership.of([]) == {}
    assert ownership.of([77]) == {77: Owner.SOMEBODY_ELSE}


def test_one_that_was_not_there_yet_is_asked_again(tmp_path: Path, trainer: int) -> None:
    ownership = Ownership(trainer, tmp_path)
    assert ownership.of([77]) == {77: Owner.GONE}
    process(tmp_path, 77, (0, 0, 0, 0), session=10)

    assert ownership.of([77]) == {77: Owner.TRAINER}
