"""``ab.json``: what it says of the sides, as it is read back."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.record.ab import AB_FILE, StoredAB, StoredSide, above, read_ab, write_ab

A = StoredSide({"PRECISION": "fp16", "INPUT": "host"}, {"XLA_FLAGS": "--one --two"}, {"precision": "fp16"})
B = StoredSide({}, {}, {"precision": "fp32"})
STORED = StoredAB(1, "smoke", "synthetic", 3, (0, 1), A, B, "2026-03-04T05:06:07Z")


@pytest.mark.parametrize("epochs", [1, 3, None])
def test_what_is_read_is_what_was_written(tmp_path: Path, epochs: int | None) -> None:
    stored = replace(STORED, epochs=epochs)
    write_ab(stored, tmp_path)
    assert read_ab(tmp_path) == stored


def test_the_words_of_a_side_can_be_typed_again_and_do_not_depend_on_their_order() -> None:
    assert shlex.split(A.words) == ["INPUT=host", "PRECISION=fp16", "XLA_FLAGS=--one --two"]
    assert replace(A, settings={"INPUT": "host", "PRECISION": "fp16"}).words == A.words
    assert STORED.sides == f"A {A.words}, B nothing"


@pytest.mark.parametrize(
    ("b", "alike"),
    [(A, True), (replace(A, settings={}), True), (B, False), (replace(A, variables={}), False)],
)
def test_sides_that_come_to_the_same_are_alike_however_they_were_told(b: StoredSide, alike: bool) -> None:
    assert replace(STORED, b=b).alike is alike


@pytest.mark.parametrize(("epochs", "left_out"), [(None, 0), (1, 0), (2, 1), (9, 1)])
def test_the_first_epoch_is_left_out_where_another_one_is_trained(epochs: int | None, left_out: int) -> None:
    assert replace(STORED, epochs=epochs).left_out == left_out


def test_the_folder_of_a_side_knows_what_it_is_a_side_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ab(STORED, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert above(Path("a")) == above(tmp_path / "b") == STORED
    assert above(tmp_path / "c") is None and above(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "no epoch"),
        ({"seeds": []}, "no seeds"),
        ({"a": {}}, "a.settings"),
        ({"schema": 99}, "update the checkout"),
        ({"schema": 0}, "no schema 0"),
        ({"seeds": [0, 1, 0]}, "a seed twice"),
    ],
)
def test_a_damaged_file_is_a_sentence_with_its_name(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_ab(STORED, tmp_path)
    path = tmp_path / AB_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(DataError, match=said) as error:
        read_ab(tmp_path)
    assert AB_FILE in str(error.value)
