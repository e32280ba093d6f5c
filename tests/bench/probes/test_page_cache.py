"""The page cache as the kernel tells of files that were written, dropped, or are not there."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from bench.probes.page_cache import cached_bytes


def test_a_file_just_written_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"x" * 100_001)
    assert cached_bytes(tmp_path / "new") == 100_001


def test_a_file_the_kernel_was_told_to_drop_is_not(tmp_path: Path) -> None:
    path = tmp_path / "dropped"
    path.write_bytes(b"x" * (16 * mmap.PAGESIZE))
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    left = cached_bytes(path)
    if left == path.stat().st_size:
        pytest.skip("this file system lives in memory")
    assert left == 0


def test_an_empty_file_has_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert cached_bytes(tmp_path / "empty") == 0


def test_what_is_not_there_or_no_file_is_not_known(tmp_path: Path) -> None:
    assert cached_bytes(tmp_path / "nothing") is None
    assert cached_bytes(tmp_path) is None


@pytest.mark.skipif(
    os.geteuid() == 0, reason="every file is writable for root; run the tests as a user to see this one"
)
def test_the_kernel_is_not_asked_about_a_file_it_would_lie_about() -> None:
    assert cached_bytes(Path("/etc/passwd")) is None
