"""The Hugging Face hub's Parquet files of CIFAR-10, converted to a folder that a trainer reads."""

from __future__ import annotations

import io
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.campaign import parquet
from bench.errors import DataError, EnvironmentProblem
from resnet9 import errors
from resnet9.data import cifar10, converted
from resnet9.errors import TrainerError
from tests.resnet9 import small_cifar10 as small

Rows = list[tuple[Any, Any]]
CONTENT = small.batches()
EDITION = small.edition()
#: The order of the files in the official archive, which is the hub's.
HUB_ORDER = (3, 2, 1, 4, 0)


def png(pixels: Any, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.reshape(3, 32, 32).transpose(1, 2, 0)).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def rows(*batches: int) -> Rows:
    """Label and PNG of each image of these batches."""
    return [
        (int(label), png(pixels))
        for batch in batches
        for label, pixels in zip(CONTENT[batch][0], CONTENT[batch][1], strict=True)
    ]


TRAIN, TEST = rows(*HUB_ORDER), rows(5)


def table(content: Rows, label: Any = None) -> pyarrow.Table:
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    images = [None if data is None else {"bytes": data, "path": None} for _, data in content]
    labels = pyarrow.array([each for each, _ in content], label or pyarrow.int64())
    return pyarrow.table({"img": pyarrow.array(images, image), "label": labels})


def write(folder: Path, train: Rows = TRAIN, test: Rows = TEST, **how: Any) -> tuple[Path, ...]:
    """The hub's folder ``plain_text`` with these rows; its files."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in (("train", train), ("test", test)):
        pyarrow.parquet.write_table(table(content, **how), folder / f"{split}-00000-of-00001.parquet")
    return files(folder)


def files(folder: Path) -> tuple[Path, ...]:
    return cifar10.find(folder, EDITION).files


def convert(place: Path, kept: Path) -> Path:
    return parquet.folder_of(place, files(place), kept, EDITION)


def refusal(place: Path) -> str:
    """The sentence with which the files in ``place`` are refused; nothing is written."""
    kept = place / "kept"
    with pytest.raises((DataError, TrainerError)) as caught:
        convert(place, kept)
    assert caught.value.exit_code == 3
    assert not kept.exists() and "\n" not in str(caught.value) and len(str(caught.value)) < 1000
    return str(caught.value)


# What is converted


def test_batches_in_the_hubs_order_come_out_in_the_official_one(tmp_path: Path) -> None:
    write(tmp_path / "hub" / "plain_text")
    folder = parquet.folder_of(tmp_path, files(tmp_path / "hub"), tmp_path / "data", EDITION)
    data = cifar10.load(folder, EDITION)
    assert (data.state, data.sha256) == ("unverified", small.content_sha256(CONTENT))
    for name, content in small.binary_files(CONTENT).items():
        assert (folder / name).read_bytes() == content
    assert folder.parent == tmp_path / "data"


def test_it_is_canonical_where_its_content_hash_is_pinned(tmp_path: Path) -> None:
    write(tmp_path)
    pinned = small.edition(canonical_sha256=small.content_sha256(CONTENT))
    folder = parquet.folder_of(tmp_path, files(tmp_path), tmp_path / "data", pinned)
    assert cifar10.load(folder, pinned).state == "canonical"


def test_links_of_the_hubs_cache_and_files_in_pieces_are_read(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "cache" / "snapshots" / "1a2b" / "plain_text", tmp_path / "cache" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for split, content in (("train", TRAIN), ("test", TEST)):
        for piece, begin in enumerate(range(0, len(content), 30)):
            blob = blobs / f"{split}{piece}"
            pyarrow.parquet.write_table(table(content[begin : begin + 30]), blob)
            (snapshot / f"{split}-{piece:05}-of-00004.parquet").symlink_to(Path("../../../blobs") / blob.name)
    folder = convert(tmp_path / "cache", tmp_path / "data")
    assert cifar10.load(folder, EDITION).sha256 == small.content_sha256(CONTENT)


def test_the_folders_of_the_hubs_own_conversion_are_the_splits(tmp_path: Path) -> None:
    for name, content in (("train", TRAIN), ("test", TEST)):
        (tmp_path / name).mkdir()
        pyarrow.parquet.write_table(table(content), tmp_path / name / "0000.parquet")
    folder = convert(tmp_path, tmp_path / "data")
    assert cifar10.load(folder, EDITION).sha256 == small.content_sha256(CONTENT)


def test_it_is_converted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    write(tmp_path)
    folder = convert(tmp_path, tmp_path / "data")
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # a second time needs nothing
    assert convert(tmp_path, tmp_path / "data") == folder
    assert capsys.readouterr().err == ""


def other_pixel(folder: Path) -> None:
    path = folder / "data_batch_3.bin"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / converted.NOTE_FILE).unlink(),
        lambda folder: (folder / converted.NOTE_FILE).write_bytes(b"\xff"),
        lambda folder: (folder / "data_batch_3.bin").unlink(),
        other_pixel,
    ],
)
def test_a_copy_that_is_not_whole_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write(tmp_path)
    folder = convert(tmp_path, tmp_path / "data")
    damage(folder)
    assert not converted.is_whole(folder, EDITION)
    assert convert(tmp_path, tmp_path / "data") == folder
    assert converted.is_whole(folder, EDITION)
    assert sorted(path.name for path in folder.iterdir()) == sorted([converted.NOTE_FILE, *small.binary_files(CONTENT)])


def test_other_files_have_a_folder_of_their_own(tmp_path: Path) -> None:
    write(tmp_path)
    folder = convert(tmp_path, tmp_path / "data")
    write(tmp_path, rows(0, 1, 2, 3, 4))
    assert convert(tmp_path, tmp_path / "data") != folder


def test_without_the_extra_the_sentence_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    for missing in ("pyarrow", "PIL"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(EnvironmentProblem, match=r"`make parquet`") as caught:
                convert(tmp_path, tmp_path / "data")
        assert caught.value.exit_code == 4


def test_a_folder_that_cannot_be_written_is_the_environments_fault(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "data").write_bytes(b"in the way")
    with pytest.raises(TrainerError, match=r"Cannot write .*data") as caught:
        convert(tmp_path, tmp_path / "data")
    assert caught.value.exit_code == 4


# What is refused


@pytest.mark.parametrize(
    "train, test, why",
    [
        (TRAIN[:-1], TEST, "has 99 train rows instead of 100"),
        ([*TRAIN, TRAIN[0]], TEST, "has 101 rows"),
        (TRAIN, TEST[1:], "has 19 test rows instead of 20"),
        (TRAIN[1:] + TRAIN[:1], TEST, "not those of the official batches"),
        (rows(0, 0, 1, 2, 3), TEST, "not those of the official batches"),
        (rows(0, 1, 2, 3, 5), rows(4), "not those of the official batches"),
        ([(10, TRAIN[0][1]), *TRAIN[1:]], TEST, "the label 10 in row 0"),
        ([(-1, TRAIN[0][1]), *TRAIN[1:]], TEST, "the label -1 in row 0"),
        ([(2**63 - 1, TRAIN[0][1]), *TRAIN[1:]], TEST, "the label 9223372036854775807 in row 0"),
        ([*TRAIN[:7], (None, TRAIN[7][1]), *TRAIN[8:]], TEST, "the label None in row 7"),
        ([*TRAIN[:7], (0, None), *TRAIN[8:]], TEST, "in row 7 no PNG of 32 x 32 pixels"),
        ([*TRAIN[:7], (0, b""), *TRAIN[8:]], TEST, "in row 7 no PNG of 32 x 32 pixels"),
    ],
)
def test_rows_that_are_not_the_datasets_are_refused(tmp_path: Path, train: Rows, test: Rows, why: str) -> None:
    write(tmp_path, train, test)
    assert why in refusal(tmp_path)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 60,000 x 60,000 pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 16))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "image",
    [
        bomb(),
        png(CONTENT[0][1][0], "L"),
        png(CONTENT[0][1][0], "RGBA"),
        png(CONTENT[0][1][0], "P"),
        TRAIN[0][1] + bytes(parquet.MOST_PNG_BYTES),
        b"GIF89a",
    ],
)
def test_an_image_of_another_kind_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: bytes
) -> None:
    write(tmp_path, [(0, image), *TRAIN[1:]])
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded"))
    said = refusal(tmp_path)
    assert "in row 0 no PNG of 32 x 32 pixels, RGB" in said or "an image of more than 8,192 bytes" in said


@given(at=st.integers(0, 3000), junk=st.binary(min_size=1, max_size=40))
def test_a_png_with_other_bytes_gives_pixels_or_a_sentence(at: int, junk: bytes) -> None:
    image = TRAIN[0][1]
    changed = image[:at] + junk + image[at + len(junk) :]
    with suppress(DataError), parquet._read_errors(Path("x")):
        found = parquet._pixels(changed, Path("x"), 3)
        assert (found.shape, found.dtype) == ((3072,), np.uint8)


@pytest.mark.parametrize(
    "columns",
    [
        {"image": [1], "label": [1]},
        {"img": [b"png"], "label": [1]},
        {"img": [{"path": "x"}], "label": [1]},
        {"img": [{"bytes": b"png"}], "label": ["cat"]},
        {"img": [{"bytes": b"png"}], "label": [1.0]},
        {"img": [{"bytes": b"png"}], "label": [True]},
        {"img": [{"bytes": b"png"}]},
    ],
)
def test_a_file_with_other_columns_is_refused(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    write(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "train-00000-of-00001.parquet")
    assert "has no columns `img`" in refusal(tmp_path)


def test_bytes_that_are_text_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    columns = {"img": [{"bytes": "png"}] * 100, "label": [0] * 100}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "train-00000-of-00001.parquet")
    assert "in row 0 no PNG" in refusal(tmp_path)


@given(data=st.data())
def test_a_file_with_other_bytes_gives_a_dataset_or_a_sentence(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        path = write(place)[0]
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        else:
            # The footer, which steers the reader, is at the end.
            begin = data.draw(st.sampled_from([0, len(content) - 1500]))
            for at in data.draw(st.lists(st.integers(begin, len(content) - 1), min_size=1, max_size=4)):
                content[at] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        with suppress(DataError, errors.DataError):
            assert converted.is_whole(convert(place, place / "data"), EDITION)


def test_a_pointer_of_git_lfs_is_named_with_what_to_type(tmp_path: Path) -> None:
    path = write(tmp_path)[0]
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert f"`git lfs pull` in {tmp_path}" in refusal(tmp_path)


def test_a_value_that_many_rows_share_is_refused_before_each_row_has_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a kilobyte whose one value, copied to every row, would fill the memory."""
    shared = (0, b"x" * 300_000)
    place = tmp_path / "plain_text"
    write(place, train=[shared] * len(TRAIN))
    assert sum(path.stat().st_size for path in files(place)) < 100_000
    copied: list[object] = []
    monkeypatch.setattr(parquet, "_pixels", lambda png, path, row: copied.append(png))
    assert "more than 8,192 bytes" in refusal(place)
    assert copied == []


def test_files_too_large_are_not_even_read(tmp_path: Path) -> None:
    path = write(tmp_path)[0]
    with open(path, "r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert "has Parquet files of more than 983,040 bytes" in refusal(tmp_path)


def test_one_split_alone_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "test-00000-of-00001.parquet").unlink()
    assert "has 0 test rows instead of 20" in refusal(tmp_path)
