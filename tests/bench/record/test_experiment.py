"""The files of the three kinds of experiments: what is written is read back, and damage is reported."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DataError
from bench.record.experiment import (
    StoredAB,
    StoredExperiment,
    StoredSide,
    StoredStalls,
    ab_of,
    kind_of,
    load_experiment,
    read_experiment,
    write_experiment,
)
from tests.support.records import Run, ablation, variant, write_campaign

A = StoredSide({"PRECISION": "fp16", "INPUT": "host"}, {"XLA_FLAGS": "--one --two"}, {"precision": "fp16"})
B = StoredSide({}, {}, {"precision": "fp32"})
AB = StoredAB(1, "smoke", "synthetic", 3, (0, 1), A, B, "2026-03-04T05:06:07Z")
STALLS = StoredStalls(1, "smoke", "synthetic", 3, (0, 1), "2026-03-04T05:06:07Z")
ABLATION = ablation(variant("base"), variant("other", "base"))


@pytest.mark.parametrize("stored", [AB, replace(AB, epochs=1), replace(AB, epochs=None), STALLS, ABLATION])
def test_what_is_read_is_what_was_written(tmp_path: Path, stored: StoredExperiment) -> None:
    assert kind_of(tmp_path) is None
    write_experiment(stored, tmp_path)
    assert kind_of(tmp_path) is type(stored) and read_experiment(tmp_path, type(stored)) == stored


@pytest.mark.parametrize(("stored", "arms"), [(AB, "a b"), (STALLS, "host memory"), (ABLATION, "base other")])
def test_the_records_of_every_arm_are_read_and_one_that_has_not_begun_has_none(
    tmp_path: Path, stored: StoredExperiment, arms: str
) -> None:
    begun, other = arms.split()
    write_experiment(stored, tmp_path)
    write_campaign(tmp_path / begun, [Run(), replace(Run(), seed=1)])
    _, records = load_experiment(tmp_path, type(stored))
    assert [record.seed for record in records[begun]] == [0, 1] and records[other] == ()


@pytest.mark.parametrize(
    ("stored", "changes", "said"),
    [
        (AB, {"epochs": 0}, "no epoch"),
        (AB, {"seeds": []}, "no seeds"),
        (AB, {"a": {}}, "a.settings"),
        (AB, {"schema": 99}, "reads up to 1"),
        (AB, {"schema": 0}, "no schema 0"),
        (AB, {"seeds": [0, 1, 0]}, "a seed twice"),
        (STALLS, {"epochs": 1}, "no epoch after the first"),
        (STALLS, {"seeds": []}, "no seeds"),
        (STALLS, {"recipe": 3}, "recipe"),
        (STALLS, {"schema": 99}, "reads up to 1"),
        (ABLATION, {"seeds": None}, "`seeds`"),
        (ABLATION, {"schema": 99}, "has schema 99"),
        (ABLATION, {"spread_percent": "wide"}, "`spread_percent` must be a number"),
        (ABLATION, {"throughput_spread": 0}, "a spread is not above 0"),
        (ABLATION, {"variants": []}, "no names of their own"),
        (ABLATION, {"variants.1.name": "../../elsewhere"}, "no names of their own"),
        (ABLATION, {"variants.1.name": "base"}, "no names of their own"),
        (ABLATION, {"variants.1.against": "gone"}, "it has no variant 'gone'"),
    ],
)
def test_damage_is_a_sentence_with_the_name_of_the_file(
    tmp_path: Path, stored: StoredExperiment, changes: dict[str, Any], said: str
) -> None:
    write_experiment(stored, tmp_path)
    path = tmp_path / stored.file
    body = json.loads(path.read_text())
    for key, value in changes.items():
        if key.startswith("variants."):
            body["variants"][1][key.rpartition(".")[2]] = value
        else:
            body[key] = value
    path.write_text(json.dumps(body))
    with pytest.raises(DataError) as error:
        read_experiment(tmp_path, type(stored))
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_folder_without_its_file_or_with_half_of_it_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_experiment(tmp_path, StoredStalls)
    (tmp_path / STALLS.file).write_text('{"schema": 1, "se')
    with pytest.raises(DataError, match="is not whole JSON"):
        read_experiment(tmp_path, StoredStalls)


def test_the_words_of_a_side_can_be_typed_again_and_do_not_depend_on_their_order() -> None:
    assert shlex.split(A.words) == ["INPUT=host", "PRECISION=fp16", "XLA_FLAGS=--one --two"]
    assert replace(A, settings={"INPUT": "host", "PRECISION": "fp16"}).words == A.words
    assert AB.sides == f"A {A.words}, B nothing"


@pytest.mark.parametrize(
    ("b", "alike"),
    [(A, True), (replace(A, settings={}), True), (B, False), (replace(A, variables={}), False)],
)
def test_sides_that_come_to_the_same_are_alike_whatever_was_typed(b: StoredSide, alike: bool) -> None:
    assert replace(AB, b=b).alike is alike


@pytest.mark.parametrize(("epochs", "left_out"), [(None, 0), (1, 0), (2, 1), (9, 1)])
def test_the_first_epoch_is_left_out_where_another_one_is_trained(epochs: int | None, left_out: int) -> None:
    assert replace(AB, epochs=epochs).left_out == left_out


def test_the_folder_of_a_side_knows_what_it_is_a_side_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_experiment(AB, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert ab_of(Path("a")) == ab_of(tmp_path / "b") == AB
    assert ab_of(tmp_path / "c") is None and ab_of(tmp_path) is None
