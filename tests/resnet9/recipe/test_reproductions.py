"""Reading what runs have shown of recipes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError
from resnet9.recipe import reproductions

PAGE24 = recipes.load("page24")
ROW = {
    "recipe": "page24", "recipe_sha256": PAGE24.sha256, "n": 2, "mean_percent": 94.1, "std_percent": 0.1,
    "view": "plain", "device": "a GPU", "published_percent": 94.08, "reproduced": True,
    "records": ["results/published/x/seed-000"], "commits": ["c0ffee"], "left_out": {"copy": 1}, "shortfall": "",
}  # fmt: skip


RESNET9 = recipes.load("resnet9")
OWN = {
    "recipe": "resnet9", "recipe_sha256": RESNET9.sha256, "basis": "predicted", "success": 0.98, "success_low": 0.9,
    "success_high": 0.999, "runs": 2, "reached": 1, "published_runs": 400, "published_recipe": "page10",
    "shortfall": "",
}  # fmt: skip


def written(folder: Path, **changes: object) -> Path:
    path = folder / "reproduced.json"
    body = {"schema": 1, "rule": "the rule", "tolerance_percent": 0.15, "recipes": [{**ROW, **changes}], "own": [OWN]}
    path.write_text(json.dumps(body))
    return path


def test_a_recipe_has_the_evidence_that_bears_its_name_and_its_hash(tmp_path):
    found = reproductions.of(PAGE24, written(tmp_path))
    assert found.n == 2 and found.reproduced and found.records == ("results/published/x/seed-000",)
    assert found.commits == ("c0ffee",) and found.left_out == {"copy": 1}
    assert reproductions.rule(tmp_path / "reproduced.json") == "the rule"


def test_a_recipe_that_was_changed_has_lost_its_evidence_and_prose_does_not_change_it(tmp_path):
    path = written(tmp_path)
    assert reproductions.of(replace(PAGE24, cutout=7), path) is None
    assert reproductions.of(replace(PAGE24, summary="other words"), path) is not None
    assert reproductions.of(recipes.load("air94"), path) is None


def test_a_recipe_of_our_own_has_a_success_rate_until_it_is_changed(tmp_path):
    path = written(tmp_path)
    found = reproductions.success_of(RESNET9, path)
    assert (found.basis, found.success, found.reached, found.runs) == ("predicted", 0.98, 1, 2)
    assert reproductions.success_of(replace(RESNET9, epochs=13), path) is None
    assert reproductions.success_of(PAGE24, path) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"rule": "", "tolerance_percent": 0.1, "recipes": [{}]}'])
def test_a_damaged_file_is_one_sentence_with_the_command_that_writes_it(tmp_path, content):
    path = tmp_path / "reproduced.json"
    path.write_text(content)
    with pytest.raises(RecipeError, match="python -m bench evidence"):
        reproductions.of(PAGE24, path)


def test_the_shipped_file_is_read():
    assert "points below" in reproductions.rule()
