import dataclasses
import json

import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError


def write(tmp_path, tables):
    path = tmp_path / "recipes.json"
    path.write_text(tables if isinstance(tables, str) else json.dumps(tables))
    return path


def with_page24(**changes):
    own = json.loads(recipes.RECIPES_FILE.read_text())
    return {"page24": own["page24"], "mine": {"extends": "page24", **changes}}


def test_every_shipped_recipe_resolves():
    shipped = recipes.load_all()
    assert {"page24", "keras24", "smoke"} <= set(shipped)
    for recipe in shipped.values():
        assert recipe.batch == 512 and recipe.momentum == 0.9 and recipe.logit_scale == 0.125
        assert (recipe.batch_norm_epsilon, recipe.batch_norm_keep, recipe.weight_decay) == (1e-5, 0.9, 5e-4)


def test_keras24_differs_from_page24_only_as_its_author_describes():
    page, keras = recipes.load("page24"), recipes.load("keras24")
    changed = {f.name for f in dataclasses.fields(page) if getattr(page, f.name) != getattr(keras, f.name)}
    assert changed == {"name", "summary", "source", "published", "init", "learning_rate", "pad_mode"}
    assert keras.init == "he_uniform" and keras.pad_mode == "zero"


def test_a_child_overrides_its_parent_and_keeps_the_rest(tmp_path):
    mine = recipes.load("mine", write(tmp_path, with_page24(cutout=5)))
    assert mine.cutout == 5 and mine.pad == 4


def test_the_hash_names_what_is_trained_and_not_its_prose(tmp_path):
    same = recipes.load("mine", write(tmp_path, with_page24(summary="other words")))
    other = recipes.load("mine", write(tmp_path, with_page24(cutout=5)))
    assert same.sha256 != other.sha256
    assert dataclasses.replace(same, summary="more words").sha256 == same.sha256


@pytest.mark.parametrize(
    "tables, sentence",
    [
        ("{", "cannot be read as JSON"),
        ([1], "one object with a table per recipe"),
        ({"a": 3}, "recipe a is not a table"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "in a circle"),
        ({"a": {"extends": "pge24"}, "page24": {}}, "did you mean `page24`"),
        ({"a": {"batch": 3}}, "lacks summary, source"),
        (with_page24(cutuot=5), "unknown key `cutuot` (did you mean `cutout`?)"),
        (with_page24(batch=0), "`batch` is 0"),
        (with_page24(batch=51.5), "give a whole number from 2"),
        (with_page24(momentum=1.5), "`momentum` is 1.5"),
        (with_page24(momentum=True), "`momentum` is True"),
        (with_page24(epochs="many"), "`epochs` is 'many'"),
        (with_page24(pad_mode="reflekt"), "did you mean `reflect`?"),
        (with_page24(flip=1), "give true or false"),
        (with_page24(std255=[1, 0, 1]), "not positive"),
        (with_page24(mean255=[1, 2]), "three numbers"),
        (with_page24(learning_rate=0.1), "must have the keys `per` and `knots`"),
        (with_page24(learning_rate={"per": "day", "knots": [[0, 0]]}), "`per` must be `step` or `epoch`"),
        (with_page24(learning_rate={"per": "step", "knots": [[0, 0], [0, 1]]}), "must increase"),
        (with_page24(learning_rate={"per": "step", "knots": [[0, -1]]}), "negative"),
        (with_page24(learning_rate={"per": "step", "knots": []}), "list of [epoch, rate] pairs"),
    ],
)
def test_a_broken_file_is_refused_with_table_and_key(tmp_path, tables, sentence):
    with pytest.raises(RecipeError) as caught:
        recipes.load_all(write(tmp_path, tables))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(RecipeError, match="did you mean `page24`"):
        recipes.load("pag24")


def test_a_batch_larger_than_the_dataset_is_refused():
    with pytest.raises(RecipeError, match="larger than the 100 training images"):
        recipes.load("page24").steps_per_epoch(100)


def test_page24_makes_97_steps_an_epoch_and_2328_in_all():
    page = recipes.load("page24")
    assert page.steps_per_epoch(50_000) == 97 and page.total_steps(50_000) == 2328
