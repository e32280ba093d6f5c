"""Sources that are down, gone or slow."""

from __future__ import annotations

import errno
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest

from resnet9.data import fetch
from resnet9.errors import DataError
from tests.resnet9.sources import (
    ARCHIVE,
    CONTENT,
    PATIENCE,
    Source,
    get,
    gibberish,
    hang_up,
    part,
    refusal,
    serving,
    stall,
    status,
)


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("code", [403, 404, 500, 503])
def test_an_error_of_the_source_is_told_with_its_number(tmp_path, source, code):
    source.script = [status(code)]
    assert f"Cannot download {source.home}{ARCHIVE.name}: it answered {code} " in refusal(DataError, tmp_path, source)
    assert len(source.ranges) == 1


def test_an_answer_that_is_no_file_is_refused(tmp_path, source):
    source.script = [status(204)]
    assert "it answered 204" in refusal(DataError, tmp_path, source)


@pytest.mark.parametrize("play", [hang_up, gibberish])
def test_a_source_that_speaks_no_http_is_given_up(tmp_path, source, play):
    source.script = [play]
    assert f"type `make data DATA={source.home}{ARCHIVE.name}` to try again" in refusal(DataError, tmp_path, source)
    assert len(source.ranges) == PATIENCE.breaks


def test_a_source_that_is_down_is_told_in_a_sentence(tmp_path, source):
    source.shutdown()
    source.server_close()
    assert "refused" in refusal(DataError, tmp_path, source)


def test_a_name_nobody_knows_is_told_in_a_sentence(tmp_path, source):
    def opener(request: object, timeout: float) -> None:
        raise urllib.error.URLError(OSError(errno.ENOENT, "Name or service not known"))

    assert "Name or service not known" in refusal(DataError, tmp_path, source, opener=opener)


def test_a_source_that_falls_silent_is_given_up_and_what_came_is_kept(tmp_path, source):
    source.script = [stall]
    patience = replace(PATIENCE, silence_seconds=0.05, breaks=1, useful_bytes=10_000)
    assert "timed out" in refusal(DataError, tmp_path, source, patience=patience)
    assert part(tmp_path).read_bytes() == CONTENT[:5000]


class Drip:
    """An opener and a clock in one: each part of the archive takes the seconds it is said to take."""

    status = 200

    def __init__(self, *parts: tuple[int, float]) -> None:
        self.parts = iter(parts)
        self.seconds = self.place = 0.0
        self.headers: dict[str, str] = {}

    def __call__(self, request: object, timeout: float) -> Drip:
        return self

    def __enter__(self) -> Drip:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read1(self, most: int) -> bytes:
        count, seconds = next(self.parts, (0, 0.0))
        begin, self.place = int(self.place), self.place + count
        self.seconds += seconds
        return CONTENT[begin : begin + count]

    def clock(self) -> float:
        return self.seconds


#: At least 1 kB/s over every 30 s.
SLOW = replace(PATIENCE, window_seconds=30.0, least_bytes_per_second=1000.0)


def test_a_slow_source_is_given_up_with_its_rate_and_what_came_is_kept(tmp_path, source):
    drip = Drip((14_000, 15.0), (15_000, 15.0))
    sentence = refusal(DataError, tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW)
    assert "it is slow: 1.0 kB/s over 30 s" in sentence
    assert part(tmp_path).read_bytes() == CONTENT[:29_000]


def test_a_source_that_becomes_slow_is_given_up_although_it_was_fast(tmp_path, source):
    drip = Drip((200_000, 30.0), (10_000, 29.0), (10_000, 1.0))
    sentence = refusal(DataError, tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW)
    assert "it is slow: 0.7 kB/s over 30 s" in sentence


def test_a_source_just_fast_enough_is_not_given_up(tmp_path, source):
    drip = Drip(*[(30_000, 30.0)] * 10)
    assert get(tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW).read_bytes() == CONTENT


def deaf(request: object, timeout: float) -> None:
    raise urllib.error.URLError(OSError(errno.ECONNREFUSED, "Connection refused"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:hunter2@host/binary.tar.gz", "https://host/binary.tar.gz is given with a login"),
        ("https://hunter2@host:1/x", "https://host:1/x is given with a login"),
        ("ftp://user:hunter2@host/x", "ftp://host/x is given with a login"),
        ("https://user:hunter2@[bad/x", "https://[bad/x is no https:// address"),
        ("http://host/x?key=hunter2", "http://host/x?... is no https:// address"),
        ("https://host/x?key=hunter2", "Cannot download https://host/x?...: "),
        ("https://host/cifar-10-binary.tar.gz?key=hunter2", "DATA=https://host/cifar-10-binary.tar.gz?...`"),
    ],
)  # fmt: skip
def test_no_login_and_no_key_of_an_address_is_told(tmp_path, address, shown):
    with pytest.raises(DataError) as refused:
        fetch.mirror(address, tmp_path, opener=deaf, patience=PATIENCE)
    assert shown in str(refused.value)
    assert "hunter2" not in str(refused.value)
