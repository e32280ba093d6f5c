from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnet9 import cifar10, unpacked
from resnet9.errors import DataError
from resnet9.official import BATCHES, BINARY, CIFAR10, PYTHON, Edition
from tests.resnet9 import small_cifar10 as small


def binary_tar(content: list[tuple[np.ndarray, np.ndarray]]) -> small.Tar:
    return small.tar_of(small.binary_files(content), BINARY.folder)


def python_tar(content: list[tuple[np.ndarray, np.ndarray]]) -> small.Tar:
    return small.tar_of(small.python_files(content), PYTHON.folder)


def refusal(where: Path, edition: Edition) -> str:
    """The sentence with which ``where`` is refused: one line, one exit code."""
    with pytest.raises(DataError) as caught:
        cifar10.load(where, edition)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    for name, tar, like in (("b", binary_tar(content), BINARY), ("p", python_tar(content), PYTHON)):
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
    path, edition = small.publish(tmp_path, binary_tar(content).bytes())
    assert cifar10.load(path, edition).state == "canonical"


def test_archive_and_folder_are_found_in_the_folder_around_them_and_the_archive_goes_first(tmp_path):
    content = small.batches()
    folder = small.unpack(tmp_path, content)
    assert cifar10.find(tmp_path, small.edition()) == cifar10.Source(folder, None)
    path, edition = small.publish(tmp_path, binary_tar(content).bytes())
    assert cifar10.find(tmp_path, edition) == cifar10.Source(path, edition.archives[0])
    assert cifar10.find(folder, edition) == cifar10.Source(folder, None)


def test_a_renamed_archive_is_known_by_its_size(tmp_path):
    path, edition = small.publish(tmp_path, binary_tar(small.batches()).bytes())
    renamed = path.rename(tmp_path / "mine")
    assert cifar10.load(renamed, edition).state == "canonical"


def test_the_official_counts_add_up():
    counts = np.array(CIFAR10.class_counts)
    assert counts[:5].sum(axis=0).tolist() == [5000] * 10
    assert counts[5].tolist() == [1000] * 10
    assert len({row.tobytes() for row in counts}) == len(BATCHES)
    assert (CIFAR10.batch_images, CIFAR10.train_images, CIFAR10.images) == (10_000, 50_000, 60_000)


# What is refused


def test_nothing_there_says_what_to_type(tmp_path):
    expected = f"No CIFAR-10 at {tmp_path / 'no'}; type `make data` to download it, or give DATA=/path"
    assert refusal(tmp_path / "no", CIFAR10) == expected
    assert refusal(tmp_path, CIFAR10).startswith(f"No CIFAR-10 at {tmp_path};")


def test_an_interrupted_download_is_called_that(tmp_path):
    (tmp_path / f"{BINARY.name}.part").write_bytes(b"x")
    sentence = refusal(tmp_path, CIFAR10)
    assert "interrupted" in sentence
    assert "make data" in sentence


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"meow")
    assert "cat.jpg is no archive of CIFAR-10" in refusal(tmp_path / "cat.jpg", CIFAR10)


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = small.unpack(tmp_path, small.batches())
    (folder / name).unlink()
    assert f"lacks {name};" in refusal(folder, small.edition())


@pytest.mark.parametrize(("change", "size"), [(-1, "61,459"), (+1, "61,461"), (-61_460, "0")])
def test_a_file_of_the_wrong_size_is_named_with_both_sizes(tmp_path, change, size):
    folder = small.unpack(tmp_path, small.batches())
    os.truncate(folder / "data_batch_4.bin", 61_460 + change)
    sentence = refusal(folder, small.edition())
    assert f"data_batch_4.bin has {size} bytes instead of 61,460 (20 images)" in sentence


def test_a_label_that_is_no_class_is_named_with_its_image(tmp_path):
    content = small.batches()
    content[1][0][17] = 213
    sentence = refusal(small.unpack(tmp_path, content), small.edition())
    assert "Image 17 of data_batch_2" in sentence
    assert "has label 213, not one of 0 to 9" in sentence


def test_training_labels_with_the_wrong_class_counts_are_refused(tmp_path):
    content = small.batches()
    content[0][0][content[0][0].tolist().index(9)] = 8
    sentence = refusal(small.unpack(tmp_path, content), small.edition())
    assert "The training set in" in sentence
    assert "has 11 of class ship instead of 10;" in sentence


def test_test_labels_with_the_wrong_class_counts_are_refused(tmp_path):
    content = small.batches()
    content[5][0][content[5][0].tolist().index(0)] = 1
    sentence = refusal(small.unpack(tmp_path, content), small.edition())
    assert "The test set in" in sentence
    assert "has 1 of class airplane instead of 2;" in sentence


@pytest.mark.parametrize(("one", "other"), [(2, 5), (0, 1)])
def test_files_in_each_others_place_are_named(tmp_path, one, other):
    content = small.batches()
    content[one], content[other] = content[other], content[one]
    sentence = refusal(small.unpack(tmp_path, content), small.edition())
    assert f"{BATCHES[one]} in" in sentence
    assert f"holds the labels of {BATCHES[other]};" in sentence


def test_a_file_in_the_place_of_two_is_named(tmp_path):
    content = small.batches()
    content[3] = content[2]
    assert "holds the labels of data_batch_3;" in refusal(small.unpack(tmp_path, content), small.edition())


@pytest.mark.parametrize("around", [True, False])
def test_an_unpacked_python_layout_is_refused_with_the_way_out(tmp_path, around):
    folder = tmp_path / PYTHON.folder
    folder.mkdir()
    for name, data in small.python_files(small.batches()).items():
        (folder / name).write_bytes(data)
    sentence = refusal(tmp_path if around else folder, small.edition())
    assert "pickle" in sentence
    assert PYTHON.name in sentence
    assert BINARY.folder in sentence


def test_an_archive_of_the_wrong_size_is_refused_with_both_sizes(tmp_path):
    path, edition = small.publish(tmp_path, binary_tar(small.batches()).bytes())
    size = path.stat().st_size
    os.truncate(path, size - 1)
    sentence = refusal(tmp_path, edition)
    assert f"has {size - 1:,} bytes, the official {BINARY.name} has {size:,};" in sentence
    assert "make data" in sentence


def test_an_archive_with_the_wrong_checksum_is_refused_with_both(tmp_path):
    path, edition = small.publish(tmp_path, binary_tar(small.batches()).bytes())
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    sentence = refusal(tmp_path, edition)
    assert edition.archives[0].sha256 in sentence
    assert "make data" in sentence


def test_a_python_archive_is_not_unpickled_before_its_checksum_is_verified(tmp_path):
    files = {**small.python_files(small.batches()), "data_batch_1": b"no pickle at all"}
    path, edition = small.publish(tmp_path, small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
    assert "unpickled" in refusal(path, edition)
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    assert "has sha256" in refusal(path, edition)


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
    sentence = refusal(path, edition)
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
    sentence = refusal(path, edition)
    assert "data_batch_2" in sentence
    assert why in sentence


# The unpacked copy beside an archive


def archive_with_copy(folder: Path) -> tuple[Path, Edition, str]:
    path, edition = small.publish(folder, binary_tar(small.batches()).bytes())
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
    assert "has 100 bytes" in refusal(path, edition)


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
    path, edition = small.publish(tmp_path, binary_tar(small.batches()).bytes())
    # A folder in the place of the copy: the same refusal as a read-only mount, also for root.
    (tmp_path / unpacked.DATA_FILE / "in the way").mkdir(parents=True)
    for _ in range(2):
        assert cifar10.load(path, edition).sha256 == small.content_sha256(small.batches())
    assert sorted(p.name for p in tmp_path.iterdir()) == [BINARY.name, unpacked.DATA_FILE]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_up_leaves_no_half_copy(tmp_path):
    path, edition = small.publish(tmp_path, binary_tar(small.batches()).bytes())
    (tmp_path / f"{unpacked.DATA_FILE}.{os.getpid()}.part").symlink_to("/dev/full")
    assert cifar10.load(path, edition).state == "canonical"
    assert [p.name for p in tmp_path.iterdir()] == [BINARY.name]


# The members of an archive


def members(tmp_path: Path, change: object) -> str:
    """The refusal of an archive whose members are changed by ``change(files, tar)``."""
    files = small.binary_files(small.batches())
    tar = small.Tar()
    change(files, tar)  # type: ignore[operator]
    for name, data in files.items():
        tar.add(f"{BINARY.folder}/{name}", data)
    path, edition = small.publish(tmp_path, tar.bytes())
    return refusal(path, edition)


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
    assert "has 68,097 bytes instead of at most 68,096;" in refusal(path, edition)


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
    tar = binary_tar(small.batches()).bytes()
    path, edition = packed(tmp_path, b"".join(gzip.compress(part) for part in (tar[:1], tar[1:100_000], tar[100_000:])))
    assert cifar10.load(path, edition).sha256 == small.content_sha256(small.batches())


@pytest.mark.parametrize("keep", [0, 5, 1000, 100_000])
def test_a_packed_stream_that_ends_early_is_damaged(tmp_path, keep):
    path, edition = packed(tmp_path, gzip.compress(binary_tar(small.batches()).bytes())[:keep])
    assert "is damaged (" in refusal(path, edition)


def test_a_packed_stream_that_is_none_is_damaged(tmp_path):
    path, edition = packed(tmp_path, b"<html>Not found</html>")
    assert "is damaged (" in refusal(path, edition)


# Real data


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    if named := os.environ.get("CIFAR10_DIR"):
        return Path(named)
    script = Path(__file__).resolve().parents[2].parent / "shared" / "cifar10" / "unpack.py"
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
