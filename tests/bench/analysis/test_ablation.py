"""An ablation's table: who is compared with whom, by what, and which of the three answers that gives."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from bench.analysis import ablation
from bench.record import Record, StoredAblation, build_record
from bench.rules import with_verdict
from tests.support.records import Run, changed, finals, variant
from tests.support.records import ablation as declared

BASE = (93.9, 94.0, 94.1, 94.0)


def records(**runs: list[Run]) -> dict[str, list[Record]]:
    return {name: [run.record() for run in each] for name, each in runs.items()}


def row(stored: StoredAblation, found: dict[str, list[Record]], name: str) -> pd.Series:
    frame = ablation.table(stored, found)
    return frame[frame["variant"] == name].iloc[0]


def test_a_clear_difference_is_an_answer() -> None:
    stored = declared(variant("base"), variant("good", "base"), variant("bad", "base"))
    found = records(base=finals(*BASE), good=finals(95.0, 95.1, 94.9, 95.0), bad=finals(93.1, 93.0, 93.2, 93.0))

    good, bad = row(stored, found, "good"), row(stored, found, "bad")

    assert (good["answer"], bad["answer"]) == ("better", "worse")
    assert good["difference"] == pytest.approx(1.0)
    assert good["difference_low"] < 1.0 < good["difference_high"]
    assert good["p_holm"] == pytest.approx(2 * good["p_value"]) or good["p_holm"] == pytest.approx(good["p_value"])
    assert good["smallest_detectable"] == pytest.approx(0.754, abs=0.001)


def test_no_difference_is_an_answer_with_its_size() -> None:
    stored = declared(variant("base"), variant("same", "base"))
    same = row(stored, records(base=finals(*BASE), same=finals(94.0, 93.9, 94.05, 94.0)), "same")

    bound = max(abs(same["difference_low"]), abs(same["difference_high"]))
    told = float(same["answer"].removeprefix("no difference larger than ").removesuffix(" points"))
    assert bound <= told < bound + 0.01


def test_a_difference_among_many_comparisons_must_pass_holm() -> None:
    wide = [variant(f"v{number}", "base") for number in range(9)]
    runs = {"base": finals(*BASE), "v0": finals(94.2, 94.1, 94.3, 94.25)}
    alone = row(declared(variant("base"), wide[0]), records(**runs), "v0")
    among = row(declared(variant("base"), *wide), records(**runs), "v0")

    assert alone["answer"] == "better"
    assert alone["p_value"] == among["p_value"]
    assert among["p_holm"] == pytest.approx(9 * alone["p_value"])
    assert among["answer"].startswith("no difference larger than 0.")


def test_throughput_is_decided_on_a_log_scale_in_percent() -> None:
    stored = declared(variant("base"), variant("fast", "base", decides="images_per_second"))
    base = [replace(run, train_seconds=10.0 + run.seed / 100) for run in finals(*BASE)]
    fast = [replace(run, train_seconds=run.train_seconds / 2) for run in base]

    found = row(stored, records(base=base, fast=fast), "fast")

    assert found["answer"] == "faster"
    assert found["difference"] == pytest.approx(100.0)
    assert found["unit"] == "%"
    assert found["images_per_second"] == pytest.approx(2 * 49_664 / 10.015, rel=1e-4)
    assert found["train_seconds"] == pytest.approx(25.0375)
    assert found["smallest_detectable"] == pytest.approx(100 * math.expm1(0.0754), rel=0.001)


def test_a_ladder_compares_each_step_with_the_one_before() -> None:
    stored = declared(variant("base"), variant("one", "base"), variant("two", "one"))
    found = records(base=finals(*BASE), one=finals(94.5, 94.6, 94.4, 94.5), two=finals(94.5, 94.6, 94.4, 94.5))

    assert row(stored, found, "one")["answer"] == "better"
    assert row(stored, found, "two")["difference"] == 0
    assert row(stored, found, "two")["against"] == "one"


@pytest.mark.parametrize(
    "runs", [[], finals(94.2), [replace(run, status="failed", correct=(1, 2)) for run in finals(94.0, 94.1, 94.2)]]
)
def test_fewer_than_two_finished_runs_are_not_enough(runs: list[Run]) -> None:
    stored = declared(variant("base"), variant("other", "base"))
    found = row(stored, records(base=finals(*BASE), other=runs), "other")

    assert found["answer"] == "not enough runs"
    assert math.isnan(found["p_holm"])
    assert math.isnan(found["smallest_detectable"])


def test_runs_that_all_gave_the_same_are_no_spread_to_judge_by() -> None:
    stored = declared(variant("base"), variant("other", "base"))
    found = row(stored, records(base=finals(94.0, 94.0), other=finals(95.0, 95.0)), "other")

    assert (found["answer"], found["difference"]) == ("no spread to judge by", 1.0)
    assert math.isnan(found["p_holm"])


def test_the_base_is_a_row_that_compares_itself_with_nothing() -> None:
    base = row(declared(variant("base"), variant("other", "base")), records(base=finals(*BASE)), "base")

    assert (base["technique"], base["runs"], base["epochs"]) == ("base", 4, 5)
    assert base["accuracy_mean"] == pytest.approx(94.0)
    assert base["accuracy_low"] < 94.0 < base["accuracy_high"]
    assert all(pd.isna(base[name]) for name in ("against", "decides", "difference", "p_holm", "answer", "unit"))


def test_an_invalid_run_counts_nowhere_and_is_counted_as_left_out() -> None:
    stored = declared(variant("base"), variant("other", "base"))
    lying = [build_record(changed(run.lines(), "harness_recount", correct=1)) for run in finals(99.0)]
    base = row(stored, {"base": [*lying, *records(base=finals(*BASE))["base"]]}, "base")

    assert (base["runs"], base["left_out"]) == (4, 1)
    assert base["accuracy_mean"] == pytest.approx(94.0)


def test_a_recipe_with_views_is_judged_by_them() -> None:
    record = with_verdict(finals(94.0)[0].record())
    last = record.epochs[-1]
    # Whether the judged view comes before the plain one or after it.
    viewed = replace(record, epochs=(*record.epochs[:-1], replace(last, view="flip", correct=9450), last))
    flip = variant("flip", "base", view="flip")
    stored, found = declared(variant("base"), flip), {"base": [viewed], "flip": [viewed]}

    assert row(stored, found, "base")["accuracy_mean"] == 94.0
    assert row(stored, found, "flip")["accuracy_mean"] == 94.5
    assert row(stored, found, "flip")["accuracy_view"] == "flip"


def test_a_run_that_was_not_judged_in_the_declared_view_is_not_taken_in_another_one() -> None:
    flip = variant("flip", "base", view="flip")
    found = row(declared(variant("base"), flip), records(base=finals(*BASE), flip=finals(95.0, 95.1)), "flip")

    assert (found["runs"], found["answer"]) == (0, "not enough runs")


def test_the_spread_seen_is_that_of_all_variants_together() -> None:
    stored = declared(variant("base"), variant("other", "base"))
    found = records(base=finals(93.0, 95.0), other=finals(99.0, 99.0))

    assert ablation.spread_seen(stored, found, "accuracy") == pytest.approx(1.0)
    assert math.isnan(ablation.spread_seen(stored, {}, "accuracy"))
