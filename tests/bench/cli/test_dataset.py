"""What the harness makes of DATA: a path that a trainer can be given, natively and in a container."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.campaign import dataset as _dataset
from bench.campaign import parquet
from bench.system import subprocesses
from resnet9.data import dataset, fetch
from resnet9.data.official import PYTHON
from resnet9.errors import DataError


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout's data/, which is elsewhere here."""
    monkeypatch.setattr(dataset, "DEFAULT_FOLDER", tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DATA", raising=False)
    return tmp_path / "data"


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_folder_of_keras_is_its_own_unpacked_one(tmp_path: Path) -> None:
    batch = touch(tmp_path / ".keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py/data_batch_1")
    assert _dataset.local("~/.keras/datasets") == str(batch.parent)


def test_a_folder_with_an_archive_keeps_the_unpacked_copy_beside_it(tmp_path: Path) -> None:
    archive = touch(tmp_path / "root" / "cifar-10-python.tar.gz")
    os.truncate(archive, PYTHON.size_bytes)
    touch(tmp_path / "root" / "cifar-10-batches-py" / "data_batch_1")
    assert _dataset.local(str(archive.parent)) == str(archive.parent)
    assert _dataset.local(str(archive)) == str(archive)


def test_an_address_is_downloaded_into_the_checkouts_folder(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def mirror(address: str, folder: Path, **_: object) -> Path:
        asked.append((address, folder))
        return folder / "archive"

    monkeypatch.setattr(fetch, "mirror", mirror)
    assert _dataset.local("https://host/binary") == str(kept / "archive")
    assert asked == [("https://host/binary", kept)]


def test_parquet_files_are_converted_beneath_the_checkouts_folder(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = touch(tmp_path / "clone" / "plain_text" / "train-00000-of-00001.parquet")
    monkeypatch.setattr(parquet, "folder_of", lambda place, files, into: into / f"{place.name}-{len(files)}")
    assert _dataset.local("~/clone") == str(kept / "plain_text-1")
    assert _dataset.local(str(file.parent)) == str(kept / "plain_text-1")


def test_the_stand_in_has_no_place() -> None:
    assert _dataset.local("synthetic") == "synthetic"


@pytest.mark.parametrize("named", ["~/data", "$HOME/data", "http://host/binary", "ftp://host/binary"])
def test_what_is_not_there_is_refused_and_made_by_nobody(tmp_path: Path, named: str) -> None:
    with pytest.raises(DataError):
        _dataset.local(named)
    assert list(tmp_path.iterdir()) == []


# python -m bench data


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []
    monkeypatch.setattr(subprocesses, "run_attached", lambda argv, cwd: made.append(list(argv)) or 3)
    return made


def test_the_command_hands_a_path_that_the_trainer_reads_to_it(
    tmp_path: Path, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = touch(tmp_path / "root" / "cifar-10-batches-py" / "data_batch_1")
    monkeypatch.setenv("DATA", "~/root")
    assert main(["data"]) == 3
    monkeypatch.delenv("DATA")
    assert main(["data"]) == 3
    check = [sys.executable, "-m", "resnet9", "data"]
    assert calls == [[*check, str(batch.parent)], check]


def test_the_command_refuses_what_is_not_there_in_one_sentence(
    calls: list[list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "--data", "~/nothing"]) == 3
    assert capfd.readouterr().err.count("\n") == 1
    assert calls == []
