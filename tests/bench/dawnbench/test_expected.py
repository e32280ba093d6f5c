"""What is expected of a recipe on a card: the best founded figure, and none where there is no figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.dawnbench import expected
from bench.errors import DataError
from bench.record import load_campaign
from resnet9.recipe import load_all

ROOT = Path(__file__).resolve().parents[3]
GOOD: dict[str, Any] = {
    "card": "V100", "recipe": "page24", "clock": "dawnbench", "basis": "published", "seconds": [74.04], "source": "x",
}  # fmt: skip


def stored(folder: Path, **changes: object) -> Path:
    path = folder / "expected.json"
    body = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    path.write_text(json.dumps({"schema": 1, "expectations": [body]}))
    return path


@pytest.mark.parametrize(
    ("recipe", "name", "card"),
    [
        ("page24", "Tesla V100-SXM2-16GB", "V100"),
        ("hive", "NVIDIA A100-SXM4-80GB", "A100"),
        ("hive", "NVIDIA H100 80GB HBM3", "H100"),
        ("hive", "NVIDIA H200", "H200"),
    ],
)
def test_a_card_is_known_by_the_name_its_driver_gives(recipe: str, name: str, card: str) -> None:
    found = expected.of(recipe, "gpu", name, 16)
    assert found is not None
    assert found.card == card


@pytest.mark.parametrize(
    ("recipe", "kind", "name", "threads"),
    [
        ("hive", "gpu", "NVIDIA GeForce RTX 4090", 8),
        ("hive", "gpu", "NVIDIA GH200 480GB", 8),
        ("hive", "gpu", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", 8),
        ("hive", "cpu", "AMD EPYC", 64),
        ("mine", "gpu", "NVIDIA H200", 8),
        ("page24", "cpu", "a V100 in name only", 2),
    ],
)
def test_nothing_is_expected_where_no_figure_is(recipe: str, kind: str, name: str, threads: int) -> None:
    assert expected.of(recipe, kind, name, threads) is None


def test_what_was_measured_here_goes_before_arithmetic() -> None:
    found = expected.of("page24", "gpu", "NVIDIA H200", 16)
    assert found is not None
    assert found.basis == "measured here"


@pytest.mark.parametrize("card", ["Tesla V100-SXM2-16GB", "NVIDIA A100-SXM4-80GB", "NVIDIA H200"])
@pytest.mark.parametrize(("long", "short"), [("resnet9", "page10"), ("speedrun", "hive")])
def test_a_longer_recipe_is_expected_to_take_as_much_longer_as_its_epochs(card: str, long: str, short: str) -> None:
    longer, shorter = (expected.of(name, "gpu", card, 8) for name in (long, short))
    if longer is None or longer.basis != "scaled":
        assert (long, card) in (("speedrun", "Tesla V100-SXM2-16GB"), ("resnet9", "NVIDIA H200"))
        return
    assert shorter is not None
    ratio = load_all()[long].epochs / load_all()[short].epochs
    ends = [end(each.seconds) for each in (longer, shorter) for end in (min, max)]
    assert ends[:2] == pytest.approx([each * ratio for each in ends[2:]], rel=0.002)


def test_a_range_of_figures_is_as_wide_as_one_recipe_was_published_on_one_card() -> None:
    found = expected.of("air94", "gpu", "NVIDIA A100-SXM4-80GB", 8)
    assert found is not None
    assert max(found.seconds) / min(found.seconds) == pytest.approx(expected.MARGIN, rel=0.02)
    assert (found.low_seconds, found.high_seconds) == (3.09 / 1.25, 3.83 * 1.25)


def test_a_range_of_arithmetic_is_work_over_the_shares_of_the_peak() -> None:
    found = expected.of("page24", "gpu", "NVIDIA H100 80GB HBM3", 8)
    assert found is not None
    assert (round(found.low_seconds, 2), round(found.high_seconds, 2)) == (6.37, 11.41)


def test_every_recipe_that_something_is_expected_of_is_shipped() -> None:
    assert {each.recipe for each in expected.expectations()} <= load_all().keys()


def test_what_was_measured_here_is_what_its_published_records_say() -> None:
    from bench.record.clocks import CLOCKS, fixed_work_seconds

    for each in expected.expectations():
        if each.basis == "measured here":
            records = load_campaign(ROOT / each.source.partition(",")[0]).records
            times = [fixed_work_seconds(CLOCKS[each.clock], record) for record in records]
            known = [seconds for seconds in times if seconds is not None]
            assert (min(known), max(known)) == pytest.approx((min(each.seconds), max(each.seconds)), rel=0.003)


@pytest.mark.parametrize(
    "changes",
    [
        {"clock": "stop-watch"}, {"basis": "hearsay"}, {"seconds": []}, {"seconds": [0]}, {"source": ""},
        {"threads": 2}, {"card": "CPU"}, {"basis": "arithmetic"}, {"basis": "arithmetic", "work_tflop": 270},
    ],
)  # fmt: skip
def test_an_expectation_that_is_not_whole_is_refused_by_name(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"what is expected of page24 on (V100|CPU) is not whole"):
        expected.load(stored(tmp_path, **changes))
