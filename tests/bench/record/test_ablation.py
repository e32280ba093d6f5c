"""``ablation.json``: what is written is what is read, and damage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DataError
from bench.record import load_ablation, read_ablation, write_ablation
from tests.support.records import ablation, ablation_folder, finals, variant

STORED = ablation(variant("base"), variant("other", "base"))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_ablation(STORED, tmp_path)
    assert read_ablation(tmp_path) == STORED


def test_a_variant_that_has_not_begun_has_no_records(tmp_path: Path) -> None:
    folder = ablation_folder(tmp_path / "mine", STORED, {"base": finals(94.0, 94.1)})
    stored, records = load_ablation(folder)
    assert stored == STORED
    assert {name: len(each) for name, each in records.items()} == {"base": 2, "other": 0}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: body.pop("seeds"), "`seeds` is missing"),
        (lambda body: body.update(schema=99), "has schema 99"),
        (lambda body: body.update(spread_percent="wide"), "`spread_percent` must be a number"),
        (lambda body: body.update(throughput_spread=0), "a spread is not above 0"),
        (lambda body: body.update(variants=[]), "no names of their own"),
        (lambda body: body["variants"][1].update(name="../../elsewhere"), "no names of their own"),
        (lambda body: body["variants"][1].update(name="base"), "no names of their own"),
        (lambda body: body["variants"][1].update(against="gone"), "it has no variant 'gone'"),
    ],
)
def test_damage_is_told(tmp_path: Path, change: Any, says: str) -> None:
    write_ablation(STORED, tmp_path)
    body = json.loads((tmp_path / "ablation.json").read_text())
    change(body)
    (tmp_path / "ablation.json").write_text(json.dumps(body))
    with pytest.raises(DataError) as caught:
        read_ablation(tmp_path)
    assert says in str(caught.value)


def test_half_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "ablation.json").write_text('{"schema": 1, "set"')
    with pytest.raises(DataError, match="is not whole JSON"):
        read_ablation(tmp_path)
