from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resnet9.data import cifar10
from resnet9.data.official import BATCHES, BINARY, CIFAR10, PYTHON, UNPACKED
from tests.resnet9 import small_cifar10 as small

# What is read


def test_a_binary_folder_gives_its_images_as_rows_columns_channels_in_the_order_of_the_files(tmp_path):
    content = small.batches()
    data = cifar10.load(small.unpack(tmp_path, content), small.edition())
    pixels = np.concatenate([pixels for _, pixels in content]).reshape(120, 3, 32, 32)
    np.testing.assert_array_equal(data.train_images, pixels[:100].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(data.test_images, pixels[100:].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(data.train_labels, np.concatenate([labels for labels, _ in content[:5]]))
    np.testing.assert_array_equal(data.test_labels, content[5][0])
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
    assert data.name == "cifar10"
    assert data.class_names[3] == "cat"


def test_a_dataset_larger_than_one_piece_is_turned_whole():
    pixels = np.random.RandomState(0).randint(0, 256, (2 * cifar10.PIECE_IMAGES + 7, 3072), dtype=np.uint8)
    expected = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy()
    np.testing.assert_array_equal(cifar10._turn(pixels), expected)


def test_folders_and_archives_of_both_layouts_have_one_content_hash(tmp_path):
    content = small.batches()
    found = {cifar10.load(small.unpack(tmp_path, content), small.edition()).sha256}
    for name, tar, like in (("b", small.binary_tar(content), BINARY), ("p", small.python_tar(content), PYTHON)):
        (tmp_path / name).mkdir()
        path, edition = small.publish(tmp_path / name, tar.bytes(), like)
        found.add(cifar10.load(path, edition).sha256)
    assert found == {small.content_sha256(content)}


def test_another_pixel_gives_another_hash(tmp_path):
    content = small.batches()
    content[5][1][19, 3071] ^= 1
    assert cifar10.load(small.unpack(tmp_path, content), small.edition()).sha256 != small.content_sha256(
        small.batches()
    )


def test_a_folder_is_unverified_and_an_archive_with_the_right_checksum_canonical(tmp_path):
    content = small.batches()
    assert cifar10.load(small.unpack(tmp_path, content), small.edition()).state == "unverified"
    path, edition = small.publish(tmp_path, small.binary_tar(content).bytes())
    assert cifar10.load(path, edition).state == "canonical"


def test_archive_and_folder_are_found_in_the_folder_around_them_and_the_archive_goes_first(tmp_path):
    content = small.batches()
    folder = small.unpack(tmp_path, content)
    batches = tuple(folder / BINARY.file_name(name) for name in BATCHES)
    unpacked = cifar10.Source(folder, UNPACKED[0], "unverified", batches)
    assert cifar10.find(tmp_path, small.edition()) == unpacked
    path, edition = small.publish(tmp_path, small.binary_tar(content).bytes())
    assert cifar10.find(tmp_path, edition) == cifar10.Source(path, edition.archives[0], "canonical", (path,))
    assert cifar10.find(folder, edition) == unpacked


def test_a_renamed_archive_is_known_by_its_size(tmp_path):
    path, edition = small.publish(tmp_path, small.binary_tar(small.batches()).bytes())
    renamed = path.rename(tmp_path / "mine")
    assert cifar10.load(renamed, edition).state == "canonical"


def test_the_official_counts_add_up():
    counts = np.array(CIFAR10.class_counts)
    assert counts[:5].sum(axis=0).tolist() == [5000] * 10
    assert counts[5].tolist() == [1000] * 10
    assert len({row.tobytes() for row in counts}) == len(BATCHES)
    assert (CIFAR10.batch_images, CIFAR10.train_images, CIFAR10.images) == (10_000, 50_000, 60_000)


# Real data


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    if named := os.environ.get("CIFAR10_DIR"):
        return Path(named)
    script = Path(__file__).resolve().parents[3].parent / "shared" / "cifar10" / "unpack.py"
    if not script.exists():
        pytest.skip("no real CIFAR-10: CIFAR10_DIR is not set and there is no ../shared/cifar10")
    pytest.importorskip("PIL", reason="unpacking ../shared/cifar10 needs Pillow")
    folder = tmp_path_factory.mktemp("cifar10")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of bytes, by way of their histogram."""
    counts = sum(np.bincount(part.ravel(), minlength=256) for part in np.array_split(values, 10))
    mean = np.average(np.arange(256), weights=counts)
    return mean, np.average((np.arange(256) - mean) ** 2, weights=counts) ** 0.5


def test_real_cifar10_has_the_published_statistics(real):
    data = cifar10.load(real)
    assert data.train_images.shape == (50_000, 32, 32, 3)
    assert data.test_images.shape == (10_000, 32, 32, 3)
    assert data.state in ("canonical", "unverified")
    assert np.bincount(data.train_labels).tolist() == [5000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    # cifar10-fast, torch_backend.py: mean and standard deviation of each channel, to 4 digits.
    mean, std = zip(*(moments(data.train_images[..., channel]) for channel in range(3)), strict=True)
    assert mean == pytest.approx([125.31, 122.95, 113.87], abs=0.0051)
    assert std == pytest.approx([62.99, 62.09, 66.70], abs=0.0051)
    # The first images are a frog and two trucks.
    assert [data.class_names[label] for label in data.train_labels[:3]] == ["frog", "truck", "truck"]
