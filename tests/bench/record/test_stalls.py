"""``stalls.json`` and the records beneath it, as they are read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.record.stalls import STALLS_FILE, StoredStalls, load_stalls, read_stalls, write_stalls
from tests.support.records import Run, write_campaign

STORED = StoredStalls(1, "smoke", "synthetic", 3, (0, 1), "2026-03-04T05:06:07Z")


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write_stalls(STORED, tmp_path)
    assert read_stalls(tmp_path) == STORED


def test_the_records_of_both_inputs_are_read_and_one_that_has_not_begun_has_none(tmp_path: Path) -> None:
    write_stalls(STORED, tmp_path)
    write_campaign(tmp_path / "host", [Run(), replace(Run(), seed=1)])
    _, records = load_stalls(tmp_path)
    assert [record.seed for record in records["host"]] == [0, 1] and records["memory"] == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 1}, "no epoch after the first"),
        ({"seeds": []}, "no seeds"),
        ({"recipe": 3}, "recipe"),
        ({"schema": 99}, "update the checkout"),
    ],
)
def test_a_damaged_file_is_a_sentence_with_its_name(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_stalls(STORED, tmp_path)
    path = tmp_path / STALLS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(DataError, match=said) as error:
        read_stalls(tmp_path)
    assert STALLS_FILE in str(error.value)


def test_a_folder_without_one_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_stalls(tmp_path)
