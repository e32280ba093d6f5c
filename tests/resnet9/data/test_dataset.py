from __future__ import annotations

import dataclasses
import hashlib
import os

import numpy as np
import pytest

from resnet9.data import dataset, sources
from resnet9.data.official import PYTHON
from resnet9.errors import DataError


def test_the_word_synthetic_gives_the_stand_in():
    data = sources.load("synthetic")
    assert (data.name, data.state) == ("synthetic", "synthetic")
    assert data.train_images.shape == (5000, 32, 32, 3)


def test_no_place_means_the_default_one(tmp_path):
    with pytest.raises(DataError, match=f"No CIFAR-10 at {tmp_path}; type `make data`"):
        sources.load(None, default=tmp_path)
    with pytest.raises(DataError, match=f"No CIFAR-10 at {tmp_path}; type `make data`"):
        sources.describe(None, default=tmp_path)


def test_a_place_is_a_path_or_its_name(tmp_path):
    for where in (tmp_path / "no", str(tmp_path / "no")):
        with pytest.raises(DataError, match=f"No CIFAR-10 at {tmp_path}/no;"):
            sources.load(where, default=tmp_path)


def archive_of_its_size(folder):
    """An empty file of the official archive's size, which by itself goes before an unpacked folder."""
    path = folder / PYTHON.name
    path.write_bytes(b"")
    os.truncate(path, PYTHON.size_bytes)
    return path


def test_a_description_says_what_is_there_without_reading_it(tmp_path):
    assert sources.describe("synthetic") == "the synthetic dataset"
    (tmp_path / "data_batch_1.bin").write_bytes(b"")
    assert "an unpacked folder, unverified once" in sources.describe(tmp_path)
    archive_of_its_size(tmp_path)
    assert "cifar-10-python.tar.gz (an official archive, canonical once" in sources.describe(tmp_path)


def test_the_files_of_a_dataset_are_known_with_the_state_they_will_have(tmp_path):
    assert sources.source("synthetic") == ("synthetic", ())
    with pytest.raises(DataError):
        sources.source(tmp_path)
    batches = [tmp_path / "data_batch_1.bin", tmp_path / "data_batch_2.bin"]
    for path in batches:
        path.write_bytes(b"")
    assert sources.source(None, default=tmp_path) == ("unverified", tuple(batches))
    archive = archive_of_its_size(tmp_path)
    assert sources.source(tmp_path) == ("canonical", (archive,))


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data_batch_1.bin").write_bytes(b"")
    assert sources.source("~") == ("unverified", (tmp_path / "data_batch_1.bin",))
    (tmp_path / "data_batch_1.bin").rename(tmp_path / "data_batch_1")
    assert sources.source("~") == ("canonical", (tmp_path / "data_batch_1",))
    assert "unpacked pickles, canonical once" in sources.describe("~")


def test_the_content_hash_is_over_labels_then_pixels():
    labels = np.array([7, 2], np.uint8)
    pixels = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3, 32, 32)
    expected = hashlib.sha256(bytes([7, 2]) + bytes(n % 256 for n in range(2 * 3072))).hexdigest()
    assert dataset.content_hash(labels, pixels) == expected
    assert dataset.content_hash(labels, pixels.reshape(2, 3072)) == expected


def test_a_dataset_prints_as_one_line_and_cannot_be_changed():
    data = sources.load("synthetic")
    assert str(data) == f"synthetic, synthetic, 5,000 + 2,000 images, sha256 {data.sha256}"
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.state = "canonical"  # type: ignore[misc]
