"""The rule for defaults: what a recipe of our own rests on, when its success is counted, and what contradicts it."""

from __future__ import annotations

import pytest

from bench.analysis import reliability
from bench.analysis.epoch_curve import Prediction, Published
from bench.analysis.reliability import Reliability

PAGE10 = Published("page10", 10.0, 94.1, 0.123, 400)
FEW = Published("other", 10.0, 94.1, 0.123, 49)


def judged(reached: list[bool], success: float = 0.985, published: tuple[Published, ...] = (PAGE10,)) -> Reliability:
    prediction = Prediction(12.0, 94.3, 94.2, 94.4, success, 0.93, 0.999)
    return reliability.of("resnet9", "ab" * 32, prediction, reached, published)


def test_without_enough_runs_the_success_rate_is_predicted() -> None:
    found = judged([True] * 39)
    assert (found.basis, found.success, found.success_low) == (reliability.PREDICTED, 0.985, 0.93)
    assert (found.reached, found.runs, found.published_recipe, found.published_runs) == (39, 39, "page10", 400)
    assert found.shortfall == ""


def test_from_forty_runs_on_it_is_counted_with_wilsons_interval() -> None:
    found = judged([True] * 39 + [False])
    assert (found.basis, found.success) == (reliability.COUNTED, 0.975)
    assert 0.86 < found.success_low < 0.88 and 0.99 < found.success_high < 1
    assert found.shortfall == ""


@pytest.mark.parametrize(
    ("reached", "success", "published"),
    [
        ([], 0.985, ()),
        ([], 0.985, (FEW,)),
        ([], 0.974, (PAGE10,)),
        ([True, False, False], 0.985, (PAGE10,)),
        ([True] * 36 + [False] * 4, 0.999, (PAGE10,)),
    ],
    ids=["nothing published", "few published", "predicted too low", "contradicted", "counted too low"],
)
def test_a_recipe_that_rests_on_too_little_or_is_contradicted_is_no_default(
    reached: list[bool], success: float, published: tuple[Published, ...]
) -> None:
    assert judged(reached, success, published).shortfall != ""


def test_one_miss_among_few_runs_contradicts_nothing() -> None:
    assert judged([True, True, False]).shortfall == ""


@pytest.mark.parametrize(
    ("shares", "texts"),
    [
        ((0.986, 0.93, 0.9998), ("98.6 %", "93 to 99.9 %")),
        ((0.9999, 0.9, 1.0), ("99.9 %", "90 to 100 %")),
        ((0.0, 0.0, 0.5), ("0 %", "0 to 50 %")),
    ],
)
def test_a_share_that_is_not_certain_is_not_told_as_certain(
    shares: tuple[float, float, float], texts: tuple[str, str]
) -> None:
    assert reliability.texts(*shares) == texts
