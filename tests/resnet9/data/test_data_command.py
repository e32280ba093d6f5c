"""``python -m resnet9 data``: downloads into data/ alone, and checks what DATA names without downloading into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet9.__main__ import HASH_FILE, main
from resnet9.data import cifar10, dataset, fetch, sources
from resnet9.data.official import BINARY, PYTHON
from resnet9.errors import DataError
from tests.resnet9 import small_cifar10 as small

CONTENT = small.batches()
FILES = small.python_files(CONTENT)


@pytest.fixture(autouse=True)
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """A checkout that is elsewhere, and the addresses that are downloaded from: every archive is on its way here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    asked: list[str | None] = []

    def download(folder: Path, archive: object = None, address: str | None = None, *_: object, **__: object) -> Path:
        asked.append(address)
        folder.mkdir(exist_ok=True)
        path, edition = small.publish(folder, small.binary_tar(CONTENT).bytes())
        use(monkeypatch, edition)
        return path

    monkeypatch.setattr(fetch, "fetch", download)
    return asked


def use(monkeypatch: pytest.MonkeyPatch, edition: object) -> None:
    """Make ``edition`` the official one."""
    monkeypatch.setattr(cifar10.find, "__defaults__", (edition,))
    monkeypatch.setattr(cifar10.load, "__defaults__", (edition,))


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_without_data_the_archive_is_downloaded_verified_and_its_hash_kept(tmp_path, downloads, capsys):
    assert main(["data"]) == 0
    digest = small.content_sha256(CONTENT)
    assert capsys.readouterr().out.strip() == f"data: cifar10, canonical, 100 + 20 images, sha256 {digest}"
    assert downloads == [None]
    assert (tmp_path / "data" / HASH_FILE).read_text().splitlines()[-1] == digest


def test_verified_pickles_are_checked_where_they_are_and_their_hash_kept(tmp_path, downloads, monkeypatch, capsys):
    use(monkeypatch, small.unpack_pickles(tmp_path / "home" / ".keras" / "datasets" / PYTHON.folder, FILES))
    before = tree(tmp_path / "home")
    monkeypatch.setenv("DATA", "~/.keras/datasets")
    assert main(["data"]) == 0
    assert "canonical" in capsys.readouterr().out
    assert downloads == [] and tree(tmp_path / "home") == before
    assert (tmp_path / "data" / HASH_FILE).read_text().splitlines()[-1] == small.content_sha256(CONTENT)


def test_the_kept_hash_makes_nothing_canonical_and_unverified_data_keeps_none(tmp_path, monkeypatch, capsys):
    use(monkeypatch, small.edition())
    folder = small.unpack(tmp_path, CONTENT)
    assert main(["data", str(folder)]) == 0
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / HASH_FILE).write_text(small.content_sha256(CONTENT))
    assert main(["data", str(folder)]) == 0
    assert capsys.readouterr().out.count("cifar10, unverified,") == 2


def test_an_archive_is_verified_though_an_unpacked_copy_lies_beside_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").mkdir()
    path, edition = small.publish(tmp_path / "mine", small.binary_tar(CONTENT).bytes())
    use(monkeypatch, edition)
    assert main(["data", str(path)]) == 0
    (tmp_path / "data" / HASH_FILE).unlink()
    path.write_bytes(bytes(path.stat().st_size))
    capsys.readouterr()
    assert main(["data", str(path)]) == 3
    assert "sha256" in capsys.readouterr().err and not (tmp_path / "data" / HASH_FILE).exists()


def test_an_archive_that_was_cut_off_does_not_hide_the_folder_beside_it(tmp_path, monkeypatch, capsys):
    edition = small.unpack_pickles(tmp_path / "root" / PYTHON.folder, FILES, PYTHON)
    use(monkeypatch, edition)
    (tmp_path / "root" / PYTHON.name).write_bytes(b"cut off")
    assert main(["data", str(tmp_path / "root")]) == 0
    assert "canonical" in capsys.readouterr().out


def test_where_the_hash_cannot_be_kept_the_data_is_good_all_the_same(tmp_path, capsys):
    (tmp_path / "data" / HASH_FILE).mkdir(parents=True)
    assert main(["data"]) == 0
    assert "canonical" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["~/data", "$HOME/data", "empty", "py", "py/data_batch_1", "http://host/binary"])
def test_what_is_named_and_is_not_there_is_one_sentence_and_nothing_is_downloaded_into_it(
    tmp_path, downloads, capsys, where
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "data_batch_1").touch()
    before = tree(tmp_path)
    assert main(["data", where]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert downloads == [] and tree(tmp_path) == before


def test_an_https_address_is_downloaded_into_data(tmp_path, downloads, capsys):
    assert main(["data", f"https://mirror.example/{BINARY.name}"]) == 0
    assert downloads == [f"https://mirror.example/{BINARY.name}"]
    assert capsys.readouterr().out.startswith(f"data/{BINARY.name}: cifar10, canonical,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_trainer_downloads_nothing_in_passing(downloads):
    with pytest.raises(DataError, match="make data DATA=https://host/binary"):
        sources.load("https://host/binary")
    assert downloads == []


def test_parquet_files_are_found_and_not_read_by_the_trainer(tmp_path):
    for folder in ("plain_text", "snapshots/1a2b/plain_text"):
        place = tmp_path / "hub" / folder
        place.mkdir(parents=True)
        blob = tmp_path / f"blob-{len(folder)}"
        blob.write_bytes(b"PAR1")
        (place / "train-00000-of-00001.parquet").symlink_to(blob)
        assert sources.find(place).files == (place / "train-00000-of-00001.parquet",)
        assert sources.find(tmp_path / "hub").form.layout == dataset.PARQUET
    assert sources.source(tmp_path / "hub") == ("unverified", ())
    with pytest.raises(DataError, match="make data DATA="):
        sources.load(tmp_path / "hub")
