"""What a pair says a recipe was trained with is what the trainer trained each group of weights with."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from bench.dawnbench import hyperparameters
from resnet9 import recipe as recipes
from resnet9.optim.schedule import learning_rates

SHIPPED = recipes.load_all()
GROUPED = [name for name, each in SHIPPED.items() if each.muon or each.groups]
OF_A_GROUP = {"learningRate", "momentum", "weightDecay"}


def test_a_recipe_whose_weights_all_train_alike_says_each_value_once() -> None:
    told = hyperparameters.of(asdict(SHIPPED["page24"]))
    assert told.keys() >= OF_A_GROUP and "parameterGroups" not in told
    assert (told["momentum"], told["weightDecay"]) == (0.9, 0.0005)


@pytest.mark.parametrize("name", GROUPED)
def test_every_group_is_told_with_what_it_trains_with_and_nothing_is_said_of_all(name: str) -> None:
    recipe = SHIPPED[name]
    told = hyperparameters.of(asdict(recipe))
    assert told.keys().isdisjoint(OF_A_GROUP)
    groups = told["parameterGroups"]
    assert isinstance(groups, dict)
    biased = recipe.whitening is not None and recipe.whitening.bias
    assert set(groups) == {"filters", "norms", "head"} | ({"whitening_bias"} if biased else set())
    peak = max(rate for _, rate in recipe.learning_rate.knots)
    for group, values in groups.items():
        own, factor = recipe.group(group), recipe.group(group).rate_factor
        trained = (own.momentum, own.weight_decay)
        if group == "filters" and recipe.muon is not None:
            trained, factor = (recipe.muon.momentum, recipe.muon.weight_decay), recipe.muon.rate
        assert (values["momentum"], values["weightDecay"]) == trained
        assert max(values["learningRate"]["values"]) == pytest.approx(peak * factor)
        assert ("Muon" in values["optimizer"]) == (group == "filters" and recipe.muon is not None)
        assert ("frozen" in values.get("trained", "")) == (own.until_epochs is not None)


@pytest.mark.parametrize("name", ["hive", "speedrun"])
def test_the_filters_of_a_muon_recipe_have_the_rates_of_its_controls(name: str) -> None:
    recipe = SHIPPED[name]
    told = hyperparameters.of(asdict(recipe))["parameterGroups"]["filters"]  # type: ignore[index]
    assert (told["momentum"], told["weightDecay"]) == (0.655, 0.0016002)
    assert recipe.muon is not None
    first = np.asarray(learning_rates(recipe, 50_000))[0] * recipe.muon.rate
    assert told["learningRate"]["values"][0] == pytest.approx(first, rel=0.01)


@pytest.mark.parametrize(
    "table",
    [{"muon": 3, "groups": []}, {"muon": {}, "learning_rate": 1}, {"groups": {"norms": "x"}, "learning_rate": {}},
     {"groups": {"norms": {"rate_factor": "x"}}, "learning_rate": {"knots": [["a", "b"]]}, "whitening": 1}],
)  # fmt: skip
def test_a_damaged_table_breaks_nothing(table: dict[str, object]) -> None:
    assert isinstance(hyperparameters.of(table), dict)
