"""Writing into folders of somebody else's making, and reading what may be no file at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import DataError, EnvironmentProblem
from bench.system import files as disk


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results, which a person named, and beside it one that is not theirs to be written to."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("precious")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "campaign.json").write_text("{}")
    return tmp_path / "c"


def unharmed(results: Path) -> bool:
    """Nothing has come into the other folder, and nothing has changed there."""
    elsewhere = results.parent / "elsewhere"
    return [each.name for each in elsewhere.iterdir()] == ["precious"] and (
        elsewhere / "precious"
    ).read_text() == "precious"


WRITERS: dict[str, Callable[[Path], object]] = {
    "replace_file": lambda path: disk.replace_file(path, "new"),
    "creating": lambda path: open(path, "x", opener=disk.creating).close(),
    "make_folder": disk.make_folder,
    "make_folder, exist_ok": lambda path: disk.make_folder(path, exist_ok=True),
    "make_folder, deeper": lambda path: disk.make_folder(path / "more" / "inside"),
    "remove": lambda path: disk.remove(path.parent, "precious"),
    "rename": lambda path: disk.rename(path.with_name("precious"), "renamed"),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("place", ["link", "a/link", "link/more", "a/dawnbench/CIFAR10/link"])
def test_no_write_goes_through_a_link_below_the_results(results: Path, name: str, place: str) -> None:
    link = results / place.partition("/more")[0]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(results.parent / "elsewhere")
    with pytest.raises(DataError, match="link"):
        WRITERS[name](results / place / "file")
    assert unharmed(results)


@pytest.mark.parametrize("mark", ["ab.json", "stalls.json", "ablation.json"])
def test_a_side_that_is_a_link_is_not_written_to(tmp_path: Path, mark: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "campaign.json").write_text("{}")
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / mark).write_text("{}")
    (tmp_path / "ab" / "a").symlink_to(tmp_path / "other")
    with pytest.raises(DataError):
        disk.replace_file(tmp_path / "ab" / "a" / "runs.csv", "new")
    assert [each.name for each in (tmp_path / "other").iterdir()] == ["campaign.json"]


def test_a_link_that_a_person_named_is_their_own(results: Path) -> None:
    (results.parent / "named").symlink_to(results)
    disk.make_folder(results.parent / "named" / "seed-000")
    disk.replace_file(results.parent / "named" / "seed-000" / "record.json", "new")
    assert (results / "seed-000" / "record.json").read_text() == "new"


@pytest.mark.parametrize("target", ["precious", "not there"])
def test_a_file_that_is_a_link_gives_way(results: Path, target: str) -> None:
    (results / "runs.csv").symlink_to(results.parent / "elsewhere" / target)
    disk.replace_file(results / "runs.csv", "new")
    assert not (results / "runs.csv").is_symlink()
    assert (results / "runs.csv").read_text() == "new"
    assert unharmed(results)


def test_a_link_to_a_file_that_holds_the_same_gives_way_too(results: Path) -> None:
    (results / "runs.csv").symlink_to(results.parent / "elsewhere" / "precious")
    disk.replace_file(results / "runs.csv", "precious")
    assert not (results / "runs.csv").is_symlink()


def test_a_new_file_takes_no_links_place(results: Path) -> None:
    (results / "events.jsonl").symlink_to(results.parent / "elsewhere" / "not there")
    with pytest.raises(FileExistsError), open(results / "events.jsonl", "x", opener=disk.creating):
        pass
    assert unharmed(results)


def test_nobody_knows_the_name_of_a_half_written_file(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    swap = os.replace
    monkeypatch.setattr("os.replace", lambda part, name, **more: (seen.append(part), swap(part, name, **more)))
    for text in ("one", "two"):
        disk.replace_file(results / "runs.csv", text)
    assert len(set(seen)) == 2
    assert not any(str(os.getpid()) == word for each in seen for word in each.split("."))


def test_even_a_name_that_was_known_is_not_written_to(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "known")
    planted = results / ".runs.csv.known.part"
    planted.symlink_to(results.parent / "elsewhere" / "precious")
    with pytest.raises(EnvironmentProblem, match="File exists"):
        disk.replace_file(results / "runs.csv", "new")
    assert unharmed(results)


def test_an_interrupted_write_leaves_nothing_beside_the_old_file(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.replace_file(results / "runs.csv", "old")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        disk.replace_file(results / "runs.csv", "new")
    assert (results / "runs.csv").read_text() == "old"
    assert sorted(each.name for each in results.iterdir()) == ["campaign.json", "runs.csv"]


def test_half_written_files_behind_a_link_stay(results: Path) -> None:
    half = results.parent / "elsewhere" / ".x.1.part"
    half.touch()
    (results / "seed-000").symlink_to(results.parent / "elsewhere")
    disk.remove_parts(results / "seed-000")
    assert half.exists()


# Reading


def odd(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path.parent / "campaign.json")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link"])
def test_what_is_no_plain_file_is_not_waited_for(results: Path, kind: str) -> None:
    odd(results / "events.jsonl", kind)
    with pytest.raises(OSError, match=r"it is (not a plain file|a link)") as refused:
        disk.read_bytes(results / "events.jsonl", 10)
    assert refused.value.filename == str(results / "events.jsonl")


def test_a_file_of_a_hundred_gigabytes_is_not_read(results: Path) -> None:
    with open(results / "record.json", "wb") as stream:
        stream.truncate(100 << 30)
    with pytest.raises(OSError, match="more than 64 MiB"):
        disk.read_bytes(results / "record.json", 64 << 20)
    disk.replace_file(results / "record.json", "small")
    assert (results / "record.json").read_text() == "small"


@pytest.mark.parametrize(("most", "read"), [(3, b"end"), (100, b"the end")])
def test_the_end_of_a_log_is_read(results: Path, most: int, read: bytes) -> None:
    (results / "trainer.log").write_bytes(b"the end")
    assert disk.end_of(results / "trainer.log", most) == read
    os.mkfifo(results / "pipe")
    assert disk.end_of(results / "pipe", 10) == b""
