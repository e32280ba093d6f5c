"""The unpacked copy beside an archive."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from resnet9.data import cifar10, unpacked
from resnet9.data.official import BINARY, Edition
from tests.resnet9 import small_cifar10 as small


def archive_with_copy(folder: Path) -> tuple[Path, Edition, str]:
    path, edition = small.publish(folder, small.binary_tar(small.batches()).bytes())
    return path, edition, cifar10.load(path, edition).sha256


def test_the_copy_is_the_bytes_of_the_content_hash_and_says_where_it_came_from(tmp_path):
    _, edition, digest = archive_with_copy(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [BINARY.name, unpacked.NOTE_FILE, unpacked.DATA_FILE]
    copy = (tmp_path / unpacked.DATA_FILE).read_bytes()
    assert hashlib.sha256(copy).hexdigest() == digest == small.content_sha256(small.batches())
    note = json.loads((tmp_path / unpacked.NOTE_FILE).read_text())
    assert note == {
        "archive": BINARY.name,
        "archive_sha256": edition.archives[0].sha256,
        "content_sha256": digest,
    }


def test_the_copy_is_used_and_gives_the_same_dataset(tmp_path):
    path, edition, digest = archive_with_copy(tmp_path)
    first = cifar10.load(path, edition)
    # Same size, other bytes: whoever reads the archive now will notice.
    path.write_bytes(bytes(path.stat().st_size))
    second = cifar10.load(path, edition)
    assert (second.state, second.sha256) == ("canonical", digest)
    np.testing.assert_array_equal(second.train_images, first.train_images)
    np.testing.assert_array_equal(second.test_labels, first.test_labels)


def test_an_archive_of_the_wrong_size_is_refused_although_there_is_a_copy(tmp_path):
    path, edition, _ = archive_with_copy(tmp_path)
    os.truncate(path, 100)
    assert "has 100 bytes" in small.refusal(path, edition)


def damage_a_pixel(folder: Path) -> None:
    data = bytearray((folder / unpacked.DATA_FILE).read_bytes())
    data[-1] ^= 1
    (folder / unpacked.DATA_FILE).write_bytes(data)


def other_note(folder: Path, **changes: object) -> None:
    note = json.loads((folder / unpacked.NOTE_FILE).read_text())
    (folder / unpacked.NOTE_FILE).write_text(json.dumps({**note, **changes}))


@pytest.mark.parametrize(
    "damage",
    [
        damage_a_pixel,
        lambda folder: os.truncate(folder / unpacked.DATA_FILE, 1000),
        lambda folder: os.truncate(folder / unpacked.DATA_FILE, 1_000_000),
        lambda folder: (folder / unpacked.DATA_FILE).unlink(),
        lambda folder: (folder / unpacked.NOTE_FILE).unlink(),
        lambda folder: (folder / unpacked.NOTE_FILE).write_text("{"),
        lambda folder: (folder / unpacked.NOTE_FILE).write_text("[]"),
        lambda folder: (folder / unpacked.NOTE_FILE).write_bytes(b"\xff\xfe"),
        lambda folder: (folder / unpacked.NOTE_FILE).write_text("[" * 3000),
        lambda folder: (folder / unpacked.NOTE_FILE).write_text(" " * 5000),
        lambda folder: other_note(folder, archive_sha256="0" * 64),
        lambda folder: other_note(folder, content_sha256=None),
        lambda folder: other_note(folder, content_sha256="0" * 64),
    ],
)
def test_a_copy_that_does_not_check_out_is_made_again(tmp_path, damage):
    path, edition, digest = archive_with_copy(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in (unpacked.DATA_FILE, unpacked.NOTE_FILE)}
    damage(tmp_path)
    assert cifar10.load(path, edition).sha256 == digest
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_where_no_copy_can_be_written_the_archive_is_read_and_nothing_is_left(tmp_path):
    path, edition = small.publish(tmp_path, small.binary_tar(small.batches()).bytes())
    # A folder in the place of the copy: the same refusal as a read-only mount, also for root.
    (tmp_path / unpacked.DATA_FILE / "in the way").mkdir(parents=True)
    for _ in range(2):
        assert cifar10.load(path, edition).sha256 == small.content_sha256(small.batches())
    assert sorted(p.name for p in tmp_path.iterdir()) == [BINARY.name, unpacked.DATA_FILE]


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk; run the tests on Linux"
)
def test_a_disk_that_fills_up_leaves_no_half_copy(tmp_path):
    path, edition = small.publish(tmp_path, small.binary_tar(small.batches()).bytes())
    (tmp_path / f"{unpacked.DATA_FILE}.{os.getpid()}.part").symlink_to("/dev/full")
    assert cifar10.load(path, edition).state == "canonical"
    assert [p.name for p in tmp_path.iterdir()] == [BINARY.name]
