"""Whatever bytes an archive holds, even with the right checksum: a dataset or one sentence comes out, and nothing else
happens."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from resnet9.data import cifar10, unpacked
from resnet9.data.official import BATCHES, BINARY, PYTHON, Archive
from resnet9.errors import DataError
from tests.resnet9 import small_cifar10 as small

hypothesis = pytest.importorskip(
    "hypothesis", reason="the locks of older TensorFlows have no hypothesis; make test has it"
)
st = hypothesis.strategies

CONTENT = small.batches()
TARS = {
    BINARY: small.tar_of(small.binary_files(CONTENT), BINARY.folder).bytes(),
    PYTHON: small.tar_of(small.python_files(CONTENT), PYTHON.folder).bytes(),
}
LAYOUTS = st.sampled_from([BINARY, PYTHON])


def outcome(tar: bytes, like: Archive) -> str:
    """The content hash or the sentence for an archive of these tar bytes; beside it there may be its copy, and nothing
    else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, edition = small.publish(folder, tar, like)
        try:
            result = cifar10.load(path, edition).sha256
        except DataError as error:
            result = str(error)
        assert len(result) < 2000
        allowed = {like.name, unpacked.DATA_FILE, unpacked.NOTE_FILE}
        assert {entry.name for entry in folder.iterdir()} <= allowed
        return result


def headers(tar: bytes) -> list[int]:
    """Where the member headers begin."""
    return [at for at in range(0, len(tar), 512) if tar[at + 257 : at + 262] == b"ustar"]


def with_checksum(header: bytes) -> bytes:
    """A header whose checksum is right again."""
    blank = header[:148] + b" " * 8 + header[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


@hypothesis.given(like=LAYOUTS, data=st.data())
def test_an_archive_that_ends_anywhere_gives_a_sentence(like, data):
    tar = TARS[like]
    end = data.draw(st.integers(0, len(tar)))
    result = outcome(tar[:end], like)
    last_member = headers(tar)[-3]
    if end <= last_member:
        assert ";" in result
    if end == len(tar):
        assert result == small.content_sha256(CONTENT)


@hypothesis.given(like=LAYOUTS, data=st.data())
def test_bytes_changed_anywhere_give_a_dataset_or_a_sentence(like, data):
    tar = bytearray(TARS[like])
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(tar) - 1), st.integers(0, 255)), max_size=8)):
        tar[at] = value
    outcome(bytes(tar), like)


@hypothesis.given(
    like=LAYOUTS, member=st.integers(0, 8), at=st.integers(0, 511), new=st.binary(min_size=1, max_size=24)
)
def test_headers_changed_with_the_checksum_put_right_give_a_dataset_or_a_sentence(like, member, at, new):
    tar = TARS[like]
    begin = headers(tar)[member]
    header = bytearray(tar[begin : begin + 512])
    header[at : at + len(new)] = new
    outcome(tar[:begin] + with_checksum(bytes(header[:512])) + tar[begin + 512 :], like)


SIZES = [b"77777777777\0", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7, b"\xff" * 12, b"-0000000001\0", b"\0" * 12]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", list(b"0125LKSxgNV\0"))
@pytest.mark.parametrize("member", [0, 1, 4])
def test_absurd_sizes_in_headers_of_every_kind_end_at_once(size, kind, member):
    tar = TARS[BINARY]
    begin = headers(tar)[member]
    header = tar[begin : begin + 512]
    header = header[:124] + size + header[136:156] + bytes([kind]) + header[157:]
    result = outcome(tar[:begin] + with_checksum(header) + tar[begin + 512 :], BINARY)
    assert ";" in result or result == small.content_sha256(CONTENT)


@hypothesis.given(
    name=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=200),
    kind=st.sampled_from(b"01234567x"),
)
def test_one_more_member_of_any_name_and_kind_gives_a_sentence(name, kind):
    hypothesis.assume(name.rstrip("/") not in (BINARY.folder, f"{BINARY.folder}/readme.html"))
    tar = small.Tar().add(name, kind=bytes([kind]), link="/etc/passwd").bytes()
    result = outcome(tar[:-1024].rstrip(b"\0").ljust(512, b"\0") + TARS[BINARY], BINARY)
    assert ";" in result or result == small.content_sha256(CONTENT)


@hypothesis.given(junk=st.binary(max_size=2000))
def test_pickle_of_any_bytes_gives_a_sentence(junk):
    files = {**small.python_files(CONTENT), "data_batch_1": junk}
    assert "data_batch_1" in outcome(small.tar_of(files, PYTHON.folder).bytes(), PYTHON)


@hypothesis.given(data=st.data())
def test_a_pickled_batch_with_bytes_changed_gives_a_dataset_or_a_sentence(data):
    files = small.python_files(CONTENT)
    batch = bytearray(files["data_batch_1"])
    # The pixels are most of the bytes; what surrounds them steers the unpickler.
    pixels = batch.find(CONTENT[0][1].tobytes())
    places = [*range(pixels), *range(pixels + 61_440, len(batch))]
    for at, value in data.draw(
        st.lists(st.tuples(st.sampled_from(places), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        batch[at] = value
    outcome(small.tar_of({**files, "data_batch_1": bytes(batch)}, PYTHON.folder).bytes(), PYTHON)


@hypothesis.given(name=st.sampled_from(BATCHES), junk=st.binary(max_size=3000), at=st.integers(0, 60_000))
def test_an_unpacked_pickle_with_other_bytes_is_refused_by_its_md5(name, junk, at):
    with tempfile.TemporaryDirectory() as folder:
        files = small.python_files(CONTENT)
        edition = small.unpack_pickles(Path(folder) / PYTHON.folder, files)
        changed = files[name][:at] + junk
        hypothesis.assume(changed != files[name])
        (Path(folder) / PYTHON.folder / name).write_bytes(changed)
        assert f"{name} has MD5 " in small.refusal(Path(folder), edition)


@hypothesis.given(junk=st.binary(max_size=3000), keep=st.integers(0, 2000))
def test_a_file_that_is_no_gzip_gives_a_sentence(junk, keep):
    with tempfile.TemporaryDirectory() as name:
        path, edition = small.publish(Path(name), TARS[BINARY])
        data = path.read_bytes()[:keep] + junk
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        honest = small.edition(replace(edition.archives[0], size_bytes=len(data), sha256=digest))
        with pytest.raises(DataError, match=r"; type `make data`"):
            cifar10.load(path, honest)


def test_a_pickle_that_asks_for_more_memory_than_there_is_gives_a_sentence():
    files = {**small.python_files(CONTENT), "data_batch_1": b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"x."}
    assert "data_batch_1" in outcome(small.tar_of(files, PYTHON.folder).bytes(), PYTHON)
