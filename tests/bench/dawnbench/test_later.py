"""Later records: each has a source and says what its clock leaves out; one that lacks either is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.dawnbench import later
from bench.errors import DataError

GOOD: dict[str, Any] = {
    "name": "fast", "hardware": "1 V100", "framework": "PyTorch", "seconds": 30, "target_percent": 94,
    "accuracy": "94.1 %", "date": "2019-12-02", "left_out": "loading", "source": "somebody @ abc",
}  # fmt: skip


def stored(folder: Path, **changes: object) -> Path:
    path = folder / "later.json"
    path.write_text(json.dumps({"schema": 1, "records": [{**GOOD, **changes}]}))
    return path


def test_records_stand_by_target_and_then_by_time() -> None:
    keys = [(each.target_percent, each.seconds) for each in later.records()]
    assert keys == sorted(keys)
    assert {target for target, _ in keys} == {94, 95, 96}


def test_the_published_times_are_those_of_their_authors() -> None:
    times = {each.name: each.seconds for each in later.records()}
    assert (times["hiverge"], times["airbench94 with Muon"], times["hlb-CIFAR10 v0.7.0"]) == (2.015, 2.59, 6.29)


def test_a_whole_record_is_read(tmp_path: Path) -> None:
    (read,) = later.load(stored(tmp_path))
    assert (read.seconds, read.bound) == (30.0, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": ""}, {"left_out": ""}, {"seconds": 0}, {"seconds": -1}, {"target_percent": 93},
        {"target_percent": 100}, {"date": "Dec 2019"}, {"name": ""},
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_refused_by_name(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"later\.json: "):
        later.load(stored(tmp_path, **changes))


def test_a_time_that_is_text_is_damaged_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`records\[0\]\.seconds` must be a number"):
        later.load(stored(tmp_path, seconds="6.29 s"))
