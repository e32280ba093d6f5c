import dataclasses
import json

import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError
from resnet9.recipe import Group, Recipe
from tests.resnet9.narrow import knots
from tests.resnet9.recipe_files import mine, write


def load_mine(tmp_path, parent="page24", **changes) -> Recipe:
    return recipes.load(f"{write(tmp_path, mine(parent, **changes))}:mine")


def differences(one, other):
    return {each.name for each in dataclasses.fields(one) if getattr(one, each.name) != getattr(other, each.name)}


PROSE = {"name", "summary", "source", "published"}
LADDER = {
    "ladder1": ("page24", {"pool"}),
    "ladder2": ("ladder1", {"label_smoothing"}),
    "ladder3": ("ladder2", {"activation", "celu_alpha"}),
    "ladder4": ("ladder3", {"ghost_batch"}),
    "ladder5": ("ladder4", {"batch_norm_scale", "celu_alpha", "logit_scale", "groups"}),
    "ladder6": ("ladder5", {"whitening", "cutout"}),
    "page13": ("ladder6", {"average"}),
    "page10": ("page13", {"cutout", "views"}),
}


def test_keras24_differs_from_page24_only_as_its_author_describes():
    page, keras = recipes.load("page24"), recipes.load("keras24")
    assert differences(page, keras) == PROSE | {"init", "learning_rate", "pad_mode"}
    assert keras.init == "he_uniform" and keras.pad_mode == "zero"


@pytest.mark.parametrize("name", LADDER)
def test_a_step_of_the_page_ladder_adds_one_trick_and_its_schedule(name):
    before, changed = LADDER[name]
    found = differences(recipes.load(before), recipes.load(name))
    assert changed <= found <= changed | PROSE | {"epochs", "learning_rate"}


def test_a_child_overrides_its_parent_and_keeps_the_rest(tmp_path):
    child = load_mine(tmp_path, cutout=5)
    assert child.cutout == 5 and child.pad == 4 and child.learning_rate == recipes.load("page24").learning_rate


def test_a_childs_table_takes_the_place_of_its_parents_whole(tmp_path):
    child = load_mine(tmp_path, "air94", whitening={"size": 2, "epsilon": 0.01, "images": 7}, average=None, groups={})
    assert child.whitening == recipes.Whitening(2, 0.01, 7) and child.average is None and child.groups == {}


def test_the_tables_of_another_file_are_called_by_file_and_table(tmp_path):
    path = write(tmp_path, {"ablation": {"title": "not a recipe"}, **mine(), "other": {"extends": "mine", "cutout": 5}})
    assert set(recipes.load_all(path)) == {"mine:mine", "mine:other"}
    assert recipes.load(f"{path}:other").name == "mine:other" and recipes.load(f"{path}:other").cutout == 5


def test_a_table_of_another_file_comes_before_the_shipped_one_of_its_name(tmp_path):
    page24 = json.loads(recipes.RECIPES_FILE.read_text())["page24"]
    path = write(tmp_path, {"page24": {**page24, "cutout": 3}, **mine()})
    assert recipes.load(f"{path}:mine").cutout == 3 and recipes.load("page24").cutout == 8


def test_the_hash_names_what_is_trained_and_not_its_prose(tmp_path):
    same, other = load_mine(tmp_path, summary="other words"), load_mine(tmp_path, cutout=5)
    assert same.sha256 != other.sha256
    assert dataclasses.replace(same, summary="more words", published={"n": 1}).sha256 == same.sha256


def test_a_key_at_its_default_leaves_the_hash_as_it_was(tmp_path):
    assert load_mine(tmp_path).sha256 == load_mine(tmp_path, jitter=None, depth=2, groups={}, views_share=1).sha256


CHANGES = {
    "learning_rate": knots((0, 0.1)), "groups": {"head": Group(2.0)}, "muon": recipes.Muon(0.1, 0.5),
    "average": recipes.Average(5, 0.9), "cutmix": recipes.Cutmix(3), "jitter": recipes.Jitter(0.1, 0.1),
    "whitening": recipes.Whitening(3, 0.01, 100), "shuffle_window": 3, "ghost_batch": 8, "views": "six", "net": "air",
    "random_numbers": "per_epoch", "crop": "per_batch", "decay": "decoupled", "identity_init": "hlb",
}  # fmt: skip


@pytest.mark.parametrize("key", CHANGES)
def test_whatever_changes_the_training_changes_the_hash(key):
    page = recipes.load("page24")
    assert dataclasses.replace(page, **{key: CHANGES[key]}).sha256 != page.sha256


def test_a_group_takes_from_the_recipe_what_it_does_not_say():
    recipe = recipes.load("air94")
    assert recipe.group("filters") == Group(1.0, recipe.weight_decay, 0.85)
    assert recipe.group("norms") == Group(64, 2.0788e-05, 0.85)
    assert recipe.group("whitening_bias") == Group(1.0, recipe.weight_decay, 0.85, until_epochs=3)


def test_an_unknown_name_suggests_the_nearest(tmp_path):
    with pytest.raises(RecipeError, match="did you mean `page24`"):
        recipes.load("pag24")
    with pytest.raises(RecipeError, match="did you mean `mine`"):
        recipes.load(f"{write(tmp_path, mine())}:mien")
    with pytest.raises(RecipeError, match=r"there is no set `nowhere`.*my\.json:"):
        recipes.load("nowhere:base")


def test_a_batch_larger_than_the_dataset_is_refused():
    with pytest.raises(RecipeError, match=r"larger than the 100 training images; lower `batch` of page24"):
        recipes.load("page24").steps_per_epoch(100)


STEPS = {
    "page24": (97, 2328), "page13": (97, 1261), "page10": (97, 970), "resnet9": (97, 1164), "speedrun": (32, 352),
    "hlb12": (48, 581), "air-clean": (50, 500),
    "air94": (48, 476), "air94-muon": (25, 200), "hive": (32, 243), "air93": (48, 528), "air95": (48, 720),
    "air96": (48, 1776),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_recipe_makes_as_many_steps_as_its_original(name):
    recipe = recipes.load(name)
    assert (recipe.steps_per_epoch(50_000), recipe.total_steps(50_000)) == STEPS[name]


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("nowhere.json:mine", "there is no recipe file nowhere.json"),
        ("autor:base", "there is no set `autor` (did you mean `author`?)"),
        ("page24:x", "there is no set `page24`"),
        ("my.json", "name one of its tables, such as my.json:mine"),
        ("author:bsae", "(did you mean `base`?); author.json has base"),
    ],
)
def test_a_recipe_that_is_nowhere_is_told_with_where_it_was_looked_for(name, sentence):
    with pytest.raises(RecipeError) as caught:
        recipes.load(name)
    assert sentence in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["a/b", "../../esc", "a:b", "", ".hidden", "a b", "x" * 65])
def test_a_table_whose_name_could_be_a_path_is_refused(tmp_path, name):
    with pytest.raises(RecipeError, match="cannot be called"):
        recipes.load_all(write(tmp_path, {name: {"extends": "page24"}}))
