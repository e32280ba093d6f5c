"""The members of an archive, and the stream that it is packed in."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from resnet9.data import cifar10
from resnet9.data.official import BINARY, PYTHON, Edition
from tests.resnet9 import small_cifar10 as small


def members(tmp_path: Path, change: object) -> str:
    """The refusal of an archive whose members are changed by ``change(files, tar)``."""
    files = small.binary_files(small.batches())
    tar = small.Tar()
    change(files, tar)  # type: ignore[operator]
    for name, data in files.items():
        tar.add(f"{BINARY.folder}/{name}", data)
    path, edition = small.publish(tmp_path, tar.bytes())
    return small.refusal(path, edition)


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, f"{BINARY.folder}/data_batch_1.bin"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_a_batch_that_is_no_plain_file_is_refused(tmp_path, kind, link):
    def change(files, tar):
        del files["test_batch.bin"]
        tar.add(f"{BINARY.folder}/test_batch.bin", bytes(61_460), kind=kind, link=link)

    assert f"test_batch.bin in {tmp_path}/{BINARY.name} is no plain file;" in members(tmp_path, change)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/x",
        "../../x",
        f"{BINARY.folder}/../x",
        f"./{BINARY.folder}/x",
        "data_batch_1.bin",
        f"{BINARY.folder}/new\nline",
        "x" * 5000,
        f"{BINARY.folder}/data_batch_1.bin",
    ],
)
def test_a_member_the_official_archive_lacks_is_refused(tmp_path, name):
    sentence = members(tmp_path, lambda files, tar: tar.add(name, bytes(61_460)))
    assert "which the official" in sentence
    assert len(sentence) < 1000


def test_extras_must_be_plain_files(tmp_path):
    def change(files, tar):
        tar.add(f"{BINARY.folder}/readme.html", kind=tarfile.SYMTYPE, link="/etc/passwd")

    assert "readme.html" in members(tmp_path, change)


@pytest.mark.parametrize("size", [0, 61_459, 61_461])
def test_a_member_of_the_wrong_size_is_named(tmp_path, size):
    sentence = members(tmp_path, lambda files, tar: files.update({"data_batch_2.bin": bytes(size)}))
    assert f"data_batch_2.bin in {tmp_path}/{BINARY.name} has {size:,} bytes instead of 61,460;" in sentence


def test_a_pickled_member_larger_than_it_can_be_is_not_unpickled(tmp_path):
    files = {**small.python_files(small.batches()), "data_batch_2": bytes(68_097)}
    path, edition = small.publish(tmp_path, small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
    assert "has 68,097 bytes instead of at most 68,096;" in small.refusal(path, edition)


def test_a_missing_member_is_named(tmp_path):
    sentence = members(tmp_path, lambda files, tar: files.pop("data_batch_5.bin"))
    assert f"lacks {BINARY.folder}/data_batch_5.bin;" in sentence


def test_an_archive_that_inflates_without_end_is_given_up(tmp_path):
    sentence = members(tmp_path, lambda files, tar: tar.add(f"{BINARY.folder}/readme.html", bytes(30 << 20)))
    assert "inflates to more than the dataset" in sentence


def packed(folder: Path, data: bytes) -> tuple[Path, Edition]:
    """An archive of these very bytes, and the edition in which it is the official one."""
    path = folder / BINARY.name
    path.write_bytes(data)
    return path, small.edition(replace(BINARY, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))


def test_an_archive_packed_in_parts_is_read_whole(tmp_path):
    tar = small.binary_tar(small.batches()).bytes()
    path, edition = packed(tmp_path, b"".join(gzip.compress(part) for part in (tar[:1], tar[1:100_000], tar[100_000:])))
    assert cifar10.load(path, edition).sha256 == small.content_sha256(small.batches())


@pytest.mark.parametrize("keep", [0, 5, 1000, 100_000])
def test_a_packed_stream_that_ends_early_is_damaged(tmp_path, keep):
    path, edition = packed(tmp_path, gzip.compress(small.binary_tar(small.batches()).bytes())[:keep])
    assert "is damaged (" in small.refusal(path, edition)


def test_a_packed_stream_that_is_none_is_damaged(tmp_path):
    path, edition = packed(tmp_path, b"<html>Not found</html>")
    assert "is damaged (" in small.refusal(path, edition)
