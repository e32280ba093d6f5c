from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bench.system import tempdirs

#: Holds a folder until it is killed.
HOLDER = """
import sys, time
from bench.system import tempdirs as scratch
with scratch.folder() as made:
    (made / "data").write_text("much")
    print(made, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def held() -> tuple[subprocess.Popen[str], Path]:
    """Another process and the folder it holds, which looks an hour old."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    made = Path(process.stdout.readline().strip())
    os.utime(made, (time.time() - 3600,) * 2)
    return process, made


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_folder_is_gone_with_its_with() -> None:
    with tempdirs.folder() as made:
        assert made.is_dir()

    assert not made.exists()


def test_what_a_killed_process_left_is_gone_at_the_next_start() -> None:
    process, made = held()
    kill(process)
    assert (made / "data").is_file()

    with tempdirs.folder():
        assert not made.exists()


def test_what_a_living_process_uses_stays() -> None:
    process, made = held()
    try:
        with tempdirs.folder():
            assert (made / "data").is_file()
    finally:
        kill(process)


def test_a_folder_that_is_not_locked_yet_is_left_alone(tmp_path: Path) -> None:
    with tempdirs.folder() as made:
        before_start = tmp_path / f"{made.name}x"
        before_start.mkdir()

    with tempdirs.folder():
        assert before_start.is_dir()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    with tempdirs.folder() as made:
        (tmp_path / f"{made.name}x").symlink_to(mine)
    os.utime(mine, (0, 0))

    with tempdirs.folder():
        assert mine.is_dir()


def test_on_a_disk_without_locks_there_is_a_folder_and_nobody_elses_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempdirs.folder() as made:
        old = tmp_path / f"{made.name}x"
    old.mkdir()
    os.utime(old, (0, 0))

    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with tempdirs.folder() as made:
        assert made.is_dir()
        assert old.is_dir()
