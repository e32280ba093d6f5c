from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resnet9.errors import DataError, EnvironmentProblem
from tests.resnet9.sources import ARCHIVE, CONTENT, Answer, Source, cut, get, part, refusal, serving, status, whole


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as server:
        yield server


# What works


def test_the_archive_is_downloaded_and_nothing_else_is_left_but_the_lock(tmp_path, source):
    path = get(tmp_path / "a" / "data", source)
    assert path == tmp_path / "a" / "data" / ARCHIVE.name
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in path.parent.iterdir()} == {ARCHIVE.name, f"{ARCHIVE.name}.lock"}


def test_an_archive_that_is_there_and_verified_is_not_asked_for(tmp_path, source):
    (tmp_path / ARCHIVE.name).write_bytes(CONTENT)
    get(tmp_path, source)
    assert source.ranges == []


@pytest.mark.parametrize("there", [CONTENT[:-1], CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])])
def test_a_damaged_archive_is_replaced(tmp_path, source, there):
    (tmp_path / ARCHIVE.name).write_bytes(there)
    assert get(tmp_path, source).read_bytes() == CONTENT


def test_a_damaged_archive_is_kept_until_there_is_a_better_one(tmp_path, source):
    (tmp_path / ARCHIVE.name).write_bytes(b"old")
    source.script = [status(404)]
    with pytest.raises(DataError):
        get(tmp_path, source)
    assert (tmp_path / ARCHIVE.name).read_bytes() == b"old"


def test_progress_counts_up_to_the_whole(tmp_path, source):
    source.script = [cut(100_000), whole]
    seen: list[tuple[int, int]] = []
    get(tmp_path, source, report=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert {total for _, total in seen} == {len(CONTENT)}
    assert seen[-1][0] == len(CONTENT)


# The folder


def test_the_folder_is_locked_while_a_download_is_under_way(tmp_path, source):
    locked: list[bool] = []

    def try_lock(answer: Answer) -> None:
        with open(tmp_path / f"{ARCHIVE.name}.lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                locked.append(True)
            else:
                locked.append(False)
        whole(answer)

    source.script = [try_lock]
    get(tmp_path, source)
    assert locked == [True]


def test_downloads_at_once_share_one_download(tmp_path, source):
    start = threading.Barrier(4)
    found: list[bytes] = []

    def one() -> None:
        start.wait()
        found.append(get(tmp_path, source).read_bytes())

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 4
    assert source.ranges == [None]


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk; run the tests on Linux"
)
def test_a_disk_that_fills_up_is_told_in_a_sentence(tmp_path, source):
    part(tmp_path).symlink_to("/dev/full")
    sentence = refusal(EnvironmentProblem, tmp_path, source)
    assert f"The disk of {tmp_path} has no room for the 300,000 bytes" in sentence


def test_a_disk_with_too_little_room_is_told_before_the_first_byte(tmp_path, source):
    huge = replace(ARCHIVE, size_bytes=1 << 60)
    source.script = [lambda answer: answer.send(200, CONTENT)]
    assert "has no room" in refusal(EnvironmentProblem, tmp_path, source, archive=huge)
    assert not part(tmp_path).exists()


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path, source):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        EnvironmentProblem, match=r"Cannot write small.tar.gz into .*Not a directory.*DATA=/path"
    ) as caught:
        get(tmp_path / "file" / "data", source)
    assert caught.value.exit_code == 4
