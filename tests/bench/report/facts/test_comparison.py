"""The facts of a comparison by id, level and values. Wording is in the golden files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.analysis.comparison import NO_DIFFERENCE, SLOWER, compare
from bench.report.facts.comparison import of_comparison
from tests.bench.analysis.test_comparison import EVEN, side, slowed, turns


def note_ids(*sides: Any, **more: Any) -> set[str]:
    return {each.id for each in of_comparison(compare(list(sides), **more)).notes}


def test_an_answer_has_its_kind_as_level_and_its_numbers() -> None:
    (answer,) = of_comparison(compare([side("A", EVEN), side("B", slowed(EVEN[::-1], 5))])).answers
    assert (answer.label, answer.level) == ("B vs A", SLOWER)
    assert "5.00 %" in answer.value and "+2.22 to +7.85 %" in answer.value and "p = 0.0079" in answer.value
    assert "drift" in answer.detail and "5 and 5 runs" in answer.detail


def test_the_bound_of_no_difference_is_rounded_up() -> None:
    comparison = compare(turns(side("A", EVEN), side("B", EVEN[::-1])))
    (answer,), furthest = of_comparison(comparison).answers, comparison.versus[0].effect.furthest_percent
    assert answer.level == NO_DIFFERENCE
    assert furthest <= float(answer.value.partition("than ")[2].partition(" %")[0]) <= furthest + 0.01


def test_what_restricts_the_answers_is_a_note_each() -> None:
    one = side("A", EVEN)
    first = replace(one.records[0], fingerprint={**one.records[0].fingerprint, "gpu.driver_version": "550.1"})
    mixed = replace(one, records=(first, *one.records[1:]))
    assert note_ids(one, side("B", EVEN[::-1])) == set()
    assert note_ids(mixed, side("B", EVEN)) == {"mixed"}
    assert note_ids(one, side("B", [*EVEN[:4], 20.0], git_dirty=True)) == {"suspect", "outliers"}
    assert note_ids(one, replace(side("B", EVEN), without_events=("seed-007",))) == {"left_out"}
    synthetic = {"dataset": "synthetic", "dataset_state": "synthetic"}
    assert note_ids(side("A", EVEN, **synthetic), side("B", EVEN, **synthetic)) == {"synthetic"}
    recipe = {
        "name": "hive",
        "sha256": "ef" * 32,
        "target_percent": 94.0,
        "epochs": 5,
        "steps_per_epoch": 97,
        "batch": 512,
    }
    assert note_ids(one, side("B", EVEN, hello={"recipe": recipe}), different_work=True) == {"different_work"}


def test_a_row_that_no_side_knows_is_left_out() -> None:
    labels = [label for label, _ in of_comparison(compare([side("A", EVEN), side("B", EVEN)])).metrics]
    assert "Runs" in labels and not any("energy" in label for label in labels)
