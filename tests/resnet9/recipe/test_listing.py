"""Recipes in words: what the table and the page of one recipe say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from resnet9 import recipe as recipes
from resnet9.recipe import listing, reproductions
from resnet9.recipe.reproductions import Reproduction

AIR94 = recipes.load("air94")
THREE = Reproduction(
    recipe_sha256=AIR94.sha256, n=3, mean_percent=94.0133, std_percent=0.1234, view="six", device="NVIDIA H200",
    records=("results/published/x/seed-000", "results/published/x/seed-001"), reproduced=True, tolerance_percent=0.15,
    shortfall="", commits=("c0ffee",), left_out={"copy": 1},
)  # fmt: skip


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch):
    """Make the file of reproductions say something."""
    return lambda said: monkeypatch.setattr(reproductions, "of", lambda recipe: said)


def _line(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


def test_the_table_has_a_line_a_recipe_in_columns_that_fit_a_page(shown):
    shown(None)
    text = listing.recipes(recipes.load_all().values())
    assert _line(text, "air94 ").split() == ["air94", "9.9", "1024", "359", "94", "94.01", "(n", "1000)", "six", "none"]
    assert _line(text, "keras24 ").split()[5:8] == ["94.00", "(n", "-)"]
    assert _line(text, "smoke ").split()[5] == "nothing"
    assert max(map(len, text.splitlines())) <= 120
    table = text.split("\n\n")[0].splitlines()
    assert len({line.index(word) for line, word in zip(table[1:3], ("94.08", "94.00"), strict=True)}) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "n 3, 94.01 ± 0.12"),
        (
            {"mean_percent": 93.5, "reproduced": False, "shortfall": "not within 0.15"},
            "n 3, 93.50 ± 0.12, not within 0.15",
        ),
        (
            {"n": 1, "std_percent": None, "reproduced": False, "shortfall": "one run decides nothing"},
            "n 1, 94.01, one run decides nothing",
        ),
    ],
)
def test_runs_that_do_not_meet_the_rule_are_shown_and_say_so(shown, changes, words):
    shown(replace(THREE, **changes))
    assert _line(listing.recipes([AIR94]), "air94 ").endswith(words)


def test_one_recipe_is_shown_with_its_layers_its_cost_and_its_evidence(shown):
    shown(THREE)
    text = listing.show(AIR94)
    assert _line(text, "weight_decay").endswith("0.001330435")
    assert " ".join(_line(text, "group1.layer1").split()[1:]) == "15x15x64 3x3, 24-64 13,888 26.57 max pool 2"
    assert "1,971,352 trained, 288 frozen" in text and "0.2363 forward, 0.7078 in training" in text
    assert "mean of 1000 runs" in text and "legacy/airbench94.py" in text
    assert "n 3, 94.01 ± 0.12 (view six, NVIDIA H200)" in text and THREE.records[1] in text
    assert "commit c0ffee" in text and "left out: 1 copy" in text


@pytest.mark.parametrize("name", recipes.load_all())
def test_json_says_the_same_and_is_valid_for_every_recipe(name):
    recipe = recipes.load(name)
    body = json.loads(json.dumps(listing.record(recipe, whole=True)))
    assert body["sha256"] == recipe.sha256 and body["recipe"]["batch"] == recipe.batch
    assert sum(row["parameters"] for row in body["layers"]) == sum(
        body["cost"][key] for key in ("trained_parameters", "frozen_parameters")
    )
