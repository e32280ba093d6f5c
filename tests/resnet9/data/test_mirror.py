"""DATA=https://...: an archive from a mirror, which its checksum verifies."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resnet9.data.fetch import HttpsOnly, mirror
from resnet9.data.official import BINARY, PYTHON
from resnet9.errors import DataError
from tests.resnet9.sources import ARCHIVE, CONTENT, OPEN, PATIENCE, Source, cut, serving, status, whole

SMALL = replace(ARCHIVE, name=BINARY.name)
OTHER = replace(PYTHON, size_bytes=7)


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as server:
        yield server


def through(source: Source) -> Callable[..., Any]:
    """An opener that finds https://mirror.example/ at a source of this test."""

    def opener(request: urllib.request.Request, timeout: float) -> Any:
        place = request.full_url.replace("https://mirror.example/", source.home)
        return OPEN(urllib.request.Request(place, headers=dict(request.header_items())), timeout=timeout)

    return opener


def get(folder: Path, source: Source, file: str) -> Path:
    address = f"https://mirror.example/{file}"
    return mirror(address, folder, through(source), patience=PATIENCE, archives=(OTHER, SMALL))


def refusal(folder: Path, source: Source, address: str) -> str:
    with pytest.raises(DataError) as caught:
        mirror(address, folder, through(source), patience=PATIENCE, archives=(OTHER, SMALL))
    assert caught.value.exit_code == 3
    assert [path.name for path in folder.iterdir() if path.suffix not in (".part", ".lock")] == []
    return str(caught.value)


@pytest.mark.parametrize("address", ["http://plain.example/x", "ftp://plain.example/x"])
def test_a_redirect_away_from_https_is_not_followed(address):
    asked = urllib.request.Request("https://mirror.example/x")
    with pytest.raises(urllib.error.URLError, match="not https://"):
        HttpsOnly().redirect_request(asked, None, 302, "Found", {}, address)
    followed = HttpsOnly().redirect_request(asked, None, 302, "Found", {}, "https://other.example/x")
    assert followed is not None and followed.full_url == "https://other.example/x"


@pytest.mark.parametrize("file", ["cifar/CIFAR-10-Binary.tar.gz", "the%20binary.tgz?token=python"])
def test_the_files_name_says_which_archive_it_is(tmp_path, source, file):
    assert get(tmp_path, source, file) == tmp_path / BINARY.name
    assert (tmp_path / BINARY.name).read_bytes() == CONTENT
    assert len(source.ranges) == 1


def test_a_file_of_another_name_is_told_by_its_length(tmp_path, source):
    assert get(tmp_path, source, "download?id=3").read_bytes() == CONTENT
    assert len(source.ranges) == 2


def test_what_is_there_and_verified_is_not_downloaded_again(tmp_path, source):
    get(tmp_path, source, "binary")
    get(tmp_path, source, "binary")
    assert len(source.ranges) == 1


def test_a_download_that_broke_off_is_resumed_from_a_mirror(tmp_path, source):
    source.script = [cut(100_000), whole]
    assert get(tmp_path, source, "binary").read_bytes() == CONTENT
    assert source.ranges == [None, "bytes=100000-"]


def test_the_checksum_decides(tmp_path, source):
    source.script = [lambda answer: answer.send(200, bytes(len(CONTENT)), Content_Length=len(CONTENT))]
    assert "wrong sha256" in refusal(tmp_path, source, "https://mirror.example/binary")


def test_a_mirror_that_fails_is_told_with_the_command_and_the_other_sources(tmp_path, source):
    source.script = [status(503)]
    sentence = refusal(tmp_path, source, "https://mirror.example/binary")
    assert "it answered 503 " in sentence
    for word in ("`make data DATA=https://mirror.example/binary`", "~/.keras/datasets", "torchvision", "Parquet"):
        assert word in sentence


@pytest.mark.parametrize(
    "play", [status(200, b"<html>"), status(404), lambda answer: answer.send(200, b""), lambda answer: None]
)
def test_what_is_no_archive_by_name_or_length_is_refused(tmp_path, source, play):
    source.script = [play]
    sentence = refusal(tmp_path, source, "https://mirror.example/page")
    assert "https://mirror.example/page" in sentence


@pytest.mark.parametrize(
    "address",
    [
        "http://mirror.example/cifar-10-binary.tar.gz",
        "ftp://mirror.example/cifar-10-binary.tar.gz",
        "file:///etc/binary",
        "https:///cifar-10-binary.tar.gz",
        "https://[::1/cifar-10-binary.tar.gz",
        "https://mirror.example:99999/cifar-10-binary.tar.gz",
        "https://mirror.example:x/cifar-10-binary.tar.gz",
    ],
)
def test_an_address_that_is_not_https_is_refused_without_a_request(tmp_path, source, address):
    assert "no https:// address" in refusal(tmp_path, source, address)
    assert source.ranges == []


def test_a_host_that_cannot_be_is_one_sentence(tmp_path):
    for address in (f"https://{'a' * 70}.example/binary", f"https://{'a' * 70}.example/x", "https://a b/binary"):
        with pytest.raises(DataError, match="Cannot download"):
            mirror(address, tmp_path, patience=PATIENCE)
