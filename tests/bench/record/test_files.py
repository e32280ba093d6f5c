"""Records and campaigns on disk."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from bench.errors import DataError, EnvironmentProblem
from bench.record import Record, build_record_from, load_campaign, replace_file, write
from bench.record.files import load_versioned
from tests.support.records import Run, write_campaign


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Run(checkpoint_seconds=1.0).record()
    write(record, tmp_path / "record.json")
    assert load_versioned(Record, tmp_path / "record.json") == record


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write(Run().record(), path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(DataError, match=r"record\.json has schema 2 .* reads up to 1\. Update the checkout"):
        load_versioned(Record, path)


def test_fields_this_version_does_not_know_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write(Run().record(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "good"}))
    assert load_versioned(Record, path) == Run().record()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_half_written_record_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "campaign" / "seed-000" / "record.json"
    path.parent.mkdir(parents=True)
    write(Run().record(), path)
    text = path.read_text()
    path.write_text(text[: int(len(text) * share)])
    with pytest.raises(DataError, match=re.escape(f"{path} is not whole JSON") + ".*bench report .*campaign`"):
        load_versioned(Record, path)


@pytest.mark.parametrize(("key", "value", "complaint"), [
    ("status", 5, "`status` must be text"),
    ("epochs", [{"epoch": 1}], r"`epochs\[0\].steps` is missing"),
    ("phases", 3, "`phases` must be a list"),
    ("threads", True, "`threads` must be a whole number"),
    ("recipe", [], "`recipe` must be an object"),
    ("harness", None, "`harness` must be an object|harness must be an object"),
])  # fmt: skip
def test_a_damaged_record_says_where(tmp_path: Path, key: str, value: object, complaint: str) -> None:
    path = tmp_path / "record.json"
    write(Run().record(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match=complaint):
        load_versioned(Record, path)


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*record\.json"):
        load_versioned(Record, tmp_path / "record.json")


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_file(path, "old")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_would_not_change_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_file(path, "same")
    before = path.stat()
    replace_file(path, b"same")
    assert path.stat().st_ino == before.st_ino


def test_where_the_disk_refuses_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.mkdir()  # A folder cannot be replaced by a file, for root neither.
    with pytest.raises(EnvironmentProblem, match=r"cannot write .*a\.txt .*OUT=/path"):
        replace_file(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_campaign_is_read_from_its_events_alone(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "c", [Run(seed=10), Run(seed=2)])
    (folder / "seed-002" / "record.json").write_text("nonsense")
    (folder / "notes").mkdir()
    stored = load_campaign(folder)
    assert [record.seed for record in stored.records] == [2, 10]
    assert stored.folder == folder
    assert stored.configuration.recipe == "page24"


def test_a_seed_that_has_not_begun_is_left_out(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "c", [Run(seed=0)])
    (folder / "seed-001").mkdir()
    assert len(load_campaign(folder).records) == 1


def test_the_folder_names_the_seed_of_a_run_that_said_nothing(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "c", [Run(seed=6)])
    (folder / "seed-006" / "events.jsonl").write_text("")
    assert build_record_from(folder / "seed-006" / "events.jsonl").seed == 6


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.write_text("x"), lambda p: p.mkdir()])
def test_a_folder_that_is_no_campaign_is_refused_in_one_sentence(tmp_path: Path, make: object) -> None:
    folder = tmp_path / "c"
    make(folder)  # type: ignore[operator]
    with pytest.raises(DataError, match=r"under results/\.$"):
        load_campaign(folder)


def test_events_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "seed-000" / "events.jsonl")
    with pytest.raises(DataError, match=r"cannot read .*events\.jsonl"):
        build_record_from(tmp_path / "seed-000" / "events.jsonl")
