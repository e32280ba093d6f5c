"""Unpacked folders of the Python layout, as torchvision and Keras keep them: read once their MD5s are verified."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnet9.data import cifar10
from resnet9.data.official import BATCHES, BINARY, CIFAR10, PYTHON, Edition
from tests.resnet9 import small_cifar10 as small

CONTENT = small.batches()
FILES = small.python_files(CONTENT)


class Run:
    """Pickles to a call of ``os.mkdir``."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.place),)


def canonical(where: Path, edition: Edition) -> bool:
    """Whether ``where`` gives the whole of CONTENT as canonical data, and was expected to."""
    data = cifar10.load(where, edition)
    assert data.sha256 == small.content_sha256(CONTENT)
    assert cifar10.find(where, edition).state == data.state
    return data.state == "canonical"


@pytest.mark.parametrize(
    "folder",
    [
        "cifar-10-batches-py",  # a torchvision root, Keras 2
        "cifar-10-batches-py-target/cifar-10-batches-py",  # Keras 3
        "cifar-10-batches-py/cifar-10-batches-py",  # an early Keras 3
        "",
    ],
)
def test_pickles_whose_md5s_match_are_canonical_wherever_they_are_unpacked(tmp_path, folder):
    root = tmp_path / "root"
    edition = small.unpack_pickles(root / folder, FILES)
    assert canonical(root, edition)
    assert canonical(root / folder, edition)


def test_pickles_give_the_images_of_the_binary_layout(tmp_path):
    binary = cifar10.load(small.unpack(tmp_path, CONTENT), small.edition())
    edition = small.unpack_pickles(tmp_path / "py", FILES)
    data = cifar10.load(tmp_path / "py", edition)
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(data, name), getattr(binary, name))


def test_what_is_read_are_the_six_batches(tmp_path):
    edition = small.unpack_pickles(tmp_path / PYTHON.folder, FILES)
    found = cifar10.find(tmp_path, edition)
    assert found.files == tuple(tmp_path / PYTHON.folder / name for name in BATCHES)


@pytest.mark.parametrize("name", BATCHES)
def test_one_batch_with_another_md5_is_named_and_never_unpickled(tmp_path, name):
    edition = small.unpack_pickles(tmp_path / PYTHON.folder, FILES)
    (tmp_path / PYTHON.folder / name).write_bytes(pickle.dumps(Run(tmp_path / "ran")))
    sentence = small.refusal(tmp_path, edition)
    assert f"{PYTHON.folder}/{name} has MD5 " in sentence
    assert edition.batch_md5[name] in sentence
    assert PYTHON.name in sentence and BINARY.folder in sentence
    assert not (tmp_path / "ran").exists()


def test_no_md5_is_known_no_pickle_is_read(tmp_path):
    small.unpack_pickles(tmp_path / PYTHON.folder, FILES)
    assert "data_batch_1 has MD5 " in small.refusal(tmp_path, small.edition())


def test_a_batch_that_is_too_large_is_not_read_to_its_end(tmp_path):
    edition = small.unpack_pickles(tmp_path / "py", FILES)
    os.truncate(tmp_path / "py" / "data_batch_2", 1 << 40)  # sparse
    assert "data_batch_2 has more than 68,096 bytes" in small.refusal(tmp_path / "py", edition)


def test_pickle_runs_nothing_even_with_the_right_md5(tmp_path):
    files = {**FILES, "data_batch_3": pickle.dumps({b"data": Run(tmp_path / "ran")})}
    edition = small.unpack_pickles(tmp_path / PYTHON.folder, files)
    sentence = small.refusal(tmp_path, edition)
    assert "data_batch_3" in sentence and "not allowed" in sentence
    assert not (tmp_path / "ran").exists()


def test_a_missing_batch_is_named(tmp_path):
    edition = small.unpack_pickles(tmp_path / PYTHON.folder, FILES)
    (tmp_path / PYTHON.folder / "test_batch").unlink()
    assert "lacks test_batch;" in small.refusal(tmp_path, edition)


def test_pickles_in_each_others_place_are_refused_by_their_md5(tmp_path):
    edition = small.unpack_pickles(tmp_path / "py", FILES)
    (tmp_path / "py" / "data_batch_1").write_bytes(FILES["data_batch_2"])
    assert "data_batch_1 has MD5 " in small.refusal(tmp_path / "py", edition)


# Keras's names (its archive is the official one, byte for byte)


@pytest.mark.parametrize(
    ("folder", "archive"),
    [
        ("cifar-10-batches-py", "cifar-10-batches-py.tar.gz"),
        ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py-target_archive"),
    ],
)
def test_kerass_archive_is_known_by_its_size_and_goes_before_the_folder_beside_it(tmp_path, folder, archive):
    path, edition = small.publish(tmp_path, small.python_tar(CONTENT).bytes(), PYTHON)
    kept = path.rename(tmp_path / archive)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "data_batch_1").touch()
    assert cifar10.find(tmp_path, edition).path == kept
    assert canonical(tmp_path, edition)
    # The unpacked folder cannot be read: the sentence names the archive that can.
    assert f"give DATA={kept}, or" in small.refusal(tmp_path / folder, edition)


def test_a_download_under_way_is_not_taken_for_an_archive(tmp_path):
    path, edition = small.publish(tmp_path, small.python_tar(CONTENT).bytes(), PYTHON)
    path.rename(tmp_path / f"{PYTHON.name}.part")
    assert "interrupted" in small.refusal(tmp_path, edition)


# The pinned content hash


def test_a_binary_folder_with_the_pinned_content_hash_is_canonical_and_any_other_unverified(tmp_path):
    folder = small.unpack(tmp_path, CONTENT)
    pinned = replace(small.edition(), canonical_sha256=small.content_sha256(CONTENT))
    assert canonical(folder, pinned)
    with open(folder / "test_batch.bin", "r+b") as file:
        file.seek(1)
        file.write(bytes([CONTENT[5][1][0, 0] ^ 1]))
    assert cifar10.load(folder, pinned).state == "unverified"


def test_without_a_pin_a_binary_folder_is_unverified(tmp_path):
    folder = small.unpack(tmp_path, CONTENT)
    assert cifar10.find(folder, small.edition()).state == "unverified"
    assert cifar10.load(folder, small.edition()).state == "unverified"


def test_the_published_md5s_are_of_the_six_batches():
    assert tuple(CIFAR10.batch_md5) == BATCHES
    assert {len(bytes.fromhex(md5)) for md5 in CIFAR10.batch_md5.values()} == {16}
