"""Every shipped recipe resolves and trains."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.input.loops import LOOPS
from resnet9.optim.schedule import controls
from tests.resnet9.narrow import a_step, coloured, flat, narrow

#: A multiple of every ghost batch.
BATCH = 32
SETS = sorted(Path(recipes.ABLATIONS).glob("*.json"))
#: The first digits of the hash that records and ``reproduced.json`` know a recipe by.
HASHES = {
    "page24": "0d3f6586", "keras24": "23c30b15", "plain24": "420c374e", "ladder1": "536ae339",
    "ladder2": "1bf37b50", "ladder3": "bebb1078", "ladder4": "616cf28e", "ladder5": "eba81216",
    "ladder6": "5148d6a8", "page13": "a0d21391", "page10": "bbaec26c", "resnet9": "bcc48492", "speedrun": "81a228f9",
    "air-clean": "488de3aa",
    "air94": "306abdda", "air94-muon": "6602f063", "hive": "382cad18", "air93": "58232c29", "hlb12": "f971502b",
    "air95": "dce4bf10", "air96": "d247b676", "smoke": "f926c9b9",
}  # fmt: skip


def test_every_recipe_resolves_and_says_what_was_published():
    shipped = recipes.load_all()
    for name, recipe in shipped.items():
        assert recipe.name == name and recipe.summary and recipe.source and len(recipe.sha256) == 64
        published = dataclasses.asdict(recipe)["published"]
        if published is not None:
            assert {"accuracy_percent", "statistic", "n", "source"} <= set(published)
            assert abs(published["accuracy_percent"] - recipe.target_percent) < 0.2
    assert len({recipe.sha256 for recipe in shipped.values()}) == len(shipped)


def test_a_shipped_recipe_keeps_the_hash_that_its_records_bear():
    """A recipe that is changed on purpose takes a new one here, and has lost its records."""
    assert {name: recipe.sha256[:8] for name, recipe in recipes.load_all().items()} == HASHES


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_every_recipe_of_an_ablation_resolves(path):
    assert all(recipe.total_steps(50_000) > 0 for recipe in recipes.load_all(path).values())


#: One of each family of nets and of each kind of optimiser; the others train with the slow tests.
AT_ONCE = {"page24", "hlb12", "air94-muon", "hive", "smoke"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in AT_ONCE else pytest.mark.slow) for name in sorted(recipes.load_all())],
)
def test_every_recipe_trains_a_step(name):
    recipe = narrow(name, batch=BATCH)
    step, data = a_step(recipe), coloured(BATCH)
    step.measure_whitening(data.train_images)
    table = controls(recipe, 4 * BATCH)
    start = flat(step.net.kernels)
    images, labels = tf.random.stateless_normal([BATCH, 32, 32, 3], [1, 2]), tf.constant(data.train_labels)
    loss, correct = step(images, labels, tf.constant(table[len(table) // 2]), labels)
    assert np.isfinite(float(loss)) and 0 <= int(correct) <= BATCH
    assert step.is_finite() and (flat(step.net.kernels) != start).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(recipes.load_all()))
def test_every_recipe_trains_epochs_in_both_inputs(name):
    """The same order and random numbers in both: so the same training, up to rounding."""
    small = narrow(name, batch=BATCH, epochs=1.5, shuffle_window=1)
    rates = dataclasses.replace(small.learning_rate, knots=tuple((t, 0.02 * r) for t, r in small.learning_rate.knots))
    recipe = dataclasses.replace(small, learning_rate=rates)
    losses = {}
    for each, kind in LOOPS.items():
        step = a_step(recipe)
        loop = kind(step, 4 * BATCH)
        loop.load(coloured(4 * BATCH))
        step.measure_whitening(loop.images)
        losses[each] = [loop.run(epoch, 0).mean_loss for epoch in (1, 2)]
        assert step.is_finite()
    np.testing.assert_allclose(losses["host"], losses["device"], rtol=2e-3)
