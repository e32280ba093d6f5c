"""What is no CIFAR-10 is refused in one sentence that says what to do."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from resnet9.data.official import BATCHES, BINARY, CIFAR10, PYTHON
from tests.resnet9 import small_cifar10 as small


def test_nothing_there_says_what_to_type(tmp_path):
    expected = f"No CIFAR-10 at {tmp_path / 'no'}; type `make data` to download it, or give DATA=/path"
    assert small.refusal(tmp_path / "no", CIFAR10) == expected
    assert small.refusal(tmp_path, CIFAR10).startswith(f"No CIFAR-10 at {tmp_path};")


@pytest.mark.parametrize("word", ["$HOME", "${DATA_DIR}", "~nobody"])
def test_a_word_that_no_shell_has_replaced_is_named(tmp_path, word):
    assert small.refusal(tmp_path / word / "data", CIFAR10).endswith(
        f"; {word} was not replaced: write the path out, as DATA=/path"
    )
    assert "replaced" not in small.refusal(tmp_path / "a~b" / "1$", CIFAR10)


def test_an_interrupted_download_is_called_that(tmp_path):
    (tmp_path / f"{BINARY.name}.part").write_bytes(b"x")
    sentence = small.refusal(tmp_path, CIFAR10)
    assert "interrupted" in sentence
    assert "make data" in sentence


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"meow")
    assert "cat.jpg is no archive of CIFAR-10" in small.refusal(tmp_path / "cat.jpg", CIFAR10)


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = small.unpack(tmp_path, small.batches())
    (folder / name).unlink()
    assert f"lacks {name};" in small.refusal(folder, small.edition())


@pytest.mark.parametrize(("change", "size"), [(-1, "61,459"), (+1, "61,461"), (-61_460, "0")])
def test_a_file_of_the_wrong_size_is_named_with_both_sizes(tmp_path, change, size):
    folder = small.unpack(tmp_path, small.batches())
    os.truncate(folder / "data_batch_4.bin", 61_460 + change)
    sentence = small.refusal(folder, small.edition())
    assert f"data_batch_4.bin has {size} bytes instead of 61,460 (20 images)" in sentence


def test_a_label_that_is_no_class_is_named_with_its_image(tmp_path):
    content = small.batches()
    content[1][0][17] = 213
    sentence = small.refusal(small.unpack(tmp_path, content), small.edition())
    assert "Image 17 of data_batch_2" in sentence
    assert "has label 213, not one of 0 to 9" in sentence


def test_training_labels_with_the_wrong_class_counts_are_refused(tmp_path):
    content = small.batches()
    content[0][0][content[0][0].tolist().index(9)] = 8
    sentence = small.refusal(small.unpack(tmp_path, content), small.edition())
    assert "The training set in" in sentence
    assert "has 11 of class ship instead of 10;" in sentence


def test_test_labels_with_the_wrong_class_counts_are_refused(tmp_path):
    content = small.batches()
    content[5][0][content[5][0].tolist().index(0)] = 1
    sentence = small.refusal(small.unpack(tmp_path, content), small.edition())
    assert "The test set in" in sentence
    assert "has 1 of class airplane instead of 2;" in sentence


@pytest.mark.parametrize(("one", "other"), [(2, 5), (0, 1)])
def test_files_in_each_others_place_are_named(tmp_path, one, other):
    content = small.batches()
    content[one], content[other] = content[other], content[one]
    sentence = small.refusal(small.unpack(tmp_path, content), small.edition())
    assert f"{BATCHES[one]} in" in sentence
    assert f"holds the labels of {BATCHES[other]};" in sentence


def test_a_file_in_the_place_of_two_is_named(tmp_path):
    content = small.batches()
    content[3] = content[2]
    assert "holds the labels of data_batch_3;" in small.refusal(small.unpack(tmp_path, content), small.edition())


def test_an_archive_of_the_wrong_size_is_refused_with_both_sizes(tmp_path):
    path, edition = small.publish(tmp_path, small.binary_tar(small.batches()).bytes())
    size = path.stat().st_size
    os.truncate(path, size - 1)
    sentence = small.refusal(tmp_path, edition)
    assert f"has {size - 1:,} bytes, the official {BINARY.name} has {size:,};" in sentence
    assert "make data" in sentence


def test_an_archive_with_the_wrong_checksum_is_refused_with_both(tmp_path):
    path, edition = small.publish(tmp_path, small.binary_tar(small.batches()).bytes())
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    sentence = small.refusal(tmp_path, edition)
    assert edition.archives[0].sha256 in sentence
    assert "make data" in sentence


def test_a_python_archive_is_not_unpickled_before_its_checksum_is_verified(tmp_path):
    files = {**small.python_files(small.batches()), "data_batch_1": b"no pickle at all"}
    path, edition = small.publish(tmp_path, small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
    assert "unpickled" in small.refusal(path, edition)
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    assert "has sha256" in small.refusal(path, edition)


class Run:
    """Pickles to a call of ``os.system``."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_runs_nothing_even_in_a_verified_archive(tmp_path, protocol):
    files = small.python_files(small.batches())
    mark = tmp_path / "ran"
    files["data_batch_3"] = pickle.dumps({b"data": Run(f"touch {mark}")}, protocol)
    path, edition = small.publish(tmp_path, small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
    sentence = small.refusal(path, edition)
    assert "data_batch_3" in sentence
    assert "not allowed" in sentence
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"labels": [0] * 20}, "no uint8 array `data`"),
        ({"labels": [0] * 20, "data": np.zeros((20, 3072), np.int8)}, "no uint8 array `data`"),
        ({"labels": [0] * 20, "data": np.zeros((20, 3071), np.uint8)}, "no uint8 array `data`"),
        ({"labels": [0] * 19, "data": np.zeros((20, 3072), np.uint8)}, "no list `labels`"),
        ({"labels": [0] * 19 + ["x"], "data": np.zeros((20, 3072), np.uint8)}, "no classes"),
        ({"labels": [0] * 19 + [-1], "data": np.zeros((20, 3072), np.uint8)}, "no classes"),
        ([1, 2, 3], "no uint8 array `data`"),
    ],
)
def test_a_pickled_batch_of_the_wrong_shape_is_refused(tmp_path, content, why):
    files = {**small.python_files(small.batches()), "data_batch_2": small.pickled(content)}
    path, edition = small.publish(tmp_path, small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
    sentence = small.refusal(path, edition)
    assert "data_batch_2" in sentence
    assert why in sentence
