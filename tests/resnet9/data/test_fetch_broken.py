"""Downloads that are interrupted, and bytes that are not the archive's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resnet9.errors import DataError
from tests.resnet9.sources import (
    ARCHIVE,
    CONTENT,
    PATIENCE,
    Source,
    cut,
    get,
    knows_no_ranges,
    other_bytes,
    part,
    range_answer,
    refusal,
    serving,
    status,
    whole,
)


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as server:
        yield server


# Interruptions


def test_an_interrupted_download_goes_on_where_it_ended(tmp_path, source):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, source, report=interrupt)
    there = part(tmp_path).stat().st_size
    assert 0 < there < len(CONTENT)
    assert not (tmp_path / ARCHIVE.name).exists()
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None, f"bytes={there}-"]


def test_broken_connections_are_taken_up_again_while_each_brings_something(tmp_path, source):
    source.script = [cut(50_000), cut(70_000), cut(60_000), cut(50_000), cut(2000), whole]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None, *(f"bytes={n}-" for n in (50_000, 120_000, 180_000, 230_000, 232_000))]


def test_a_source_that_breaks_again_and_again_is_given_up_and_what_came_is_kept(tmp_path, source):
    source.script = [cut(150_000), cut(10)]
    sentence = refusal(DataError, tmp_path, source)
    assert "the connection ended after" in sentence
    assert "go on from 50 %" in sentence
    assert part(tmp_path).read_bytes() == CONTENT[:150_030]
    assert len(source.ranges) == 1 + PATIENCE.breaks


@pytest.mark.parametrize("script", [[knows_no_ranges], [status(416), whole]])
@pytest.mark.parametrize("there", [CONTENT[:1000], bytes(299_999)])
def test_a_source_that_cannot_resume_is_asked_for_everything(tmp_path, source, script, there):
    part(tmp_path).write_bytes(there)
    source.script = script
    assert get(tmp_path, source).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "place",
    ["", "bytes", "bytes 0-299999/300000", "bytes 1000-299998/300000", "bytes 1000-299999/300001", "bytes */300000"],
)
def test_a_wrong_range_is_not_believed_and_everything_is_asked_for(tmp_path, source, place):
    part(tmp_path).write_bytes(CONTENT[:1000])
    source.script = [range_answer(place), whole]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == ["bytes=1000-", None]


def test_a_range_of_unknown_length_will_do(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT[:1000])
    source.script = [range_answer("bytes 1000-299999/*")]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("answer", [range_answer("bytes 0-299999/300000"), status(416)])
def test_a_source_that_gives_ranges_nobody_asked_for_is_given_up(tmp_path, source, answer):
    source.script = [answer]
    refusal(DataError, tmp_path, source)
    assert len(source.ranges) == 2


def test_a_part_longer_than_the_archive_is_thrown_away(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT + b"x")
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None]


def test_a_part_that_is_whole_needs_no_source(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT)
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == []


# Wrong bytes


@pytest.mark.parametrize("there", [bytes(1000), bytes(300_000)])
def test_a_corrupt_part_costs_one_clean_retry(tmp_path, source, there):
    part(tmp_path).write_bytes(there)
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges[-1] is None


def test_wrong_bytes_twice_end_the_download_and_are_not_kept(tmp_path, source):
    source.script = [other_bytes]
    assert "wrong sha256" in refusal(DataError, tmp_path, source)
    assert source.ranges == [None, None]
    assert not part(tmp_path).exists()


@pytest.mark.parametrize("count", [0, 299_999, 300_001])
def test_a_file_of_another_length_is_refused_before_it_is_read(tmp_path, source, count):
    source.script = [status(200, bytes(count))]
    assert f"it offers {count} bytes, the official archive has 300,000" in refusal(DataError, tmp_path, source)
    assert not part(tmp_path).exists()


def test_more_bytes_than_the_archive_has_are_not_written(tmp_path, source):
    source.script = [lambda answer: answer.send(200, CONTENT + b"x")]
    assert "more than the 300,000 bytes" in refusal(DataError, tmp_path, source)
    assert part(tmp_path).stat().st_size == 0
