import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError
from resnet9.recipe import ablation
from tests.resnet9.recipe_files import write

DECLARED = {
    "title": "Mine", "question": "What does it buy?", "proxy": "A small one.", "spread_percent": 0.3,
    "spread_source": "assumed", "throughput_spread": 0.03, "input": "host",
    "variants": [
        {"recipe": "smooth", "technique": "label smoothing"},
        {"recipe": "base", "input": "device", "technique": "on the device", "decides": "images_per_second"},
        {"recipe": "both", "technique": "CELU", "against": "smooth"},
    ],
}  # fmt: skip
TABLES = {
    "base": {"extends": "smoke"},
    "smooth": {"extends": "base", "label_smoothing": 0.1},
    "both": {"extends": "smooth", "activation": "celu"},
    "full": {"extends": "page24"},
}


def declared(tmp_path, variants=None, **changes):
    body = {**DECLARED, **changes}
    if variants is not None:
        body["variants"] = variants
    return str(write(tmp_path, {"ablation": body, **TABLES}))


@pytest.mark.parametrize("name", ablation.sets())
def test_every_shipped_set_can_be_run(name):
    found = ablation.load(name)
    assert found.declaration.seeds >= 2
    for variant in found.declaration.variants:
        assert recipes.load(found.locator(variant.recipe)).sha256 == found.recipes[variant.recipe].sha256
        changes = found.changes(variant)
        assert changes
        # One change at a time: the epochs of the base, or nothing but other epochs.
        assert found.recipes[variant.recipe].epochs == found.base.epochs or len(changes) == 1


def test_the_authors_list_has_what_the_author_lists():
    found = ablation.load("author")
    changed = {change for variant in found.declaration.variants for change in found.changes(variant)}
    assert changed >= {
        "input device instead of host",
        "random_numbers per_epoch instead of per_batch",
        "shuffle_window 5000 instead of none",
        "shuffle_window 1 instead of none",
        "decay decoupled instead of coupled",
        "learning_rate.between stair instead of line",
        "learning_rate.between cosine instead of line",
        "learning_rate.per epoch instead of step",
        "nesterov torch instead of page",
    }
    # A rate once an epoch cannot be told in shares of the run.
    assert found.recipes["by_epoch"].learning_rate.knots[-1][0] == found.base.epochs


def test_the_ladder_takes_the_steps_of_the_shipped_ladder():
    found, own = (
        ablation.load("ladder"),
        {"widths", "epochs", "learning_rate", "summary", "source", "published", "name"},
    )
    for number in range(1, 7):
        mine, shipped = found.recipes[f"step{number}"], recipes.load(f"ladder{number}")
        for key in set(vars(shipped)) - own:
            assert getattr(mine, key) == getattr(shipped, key), (number, key)
        assert mine.learning_rate.knots[1][1] == shipped.learning_rate.knots[1][1]
    against = [found.reference(variant).name for variant in found.declaration.variants]
    assert against == ["base", "step1", "step2", "step3", "step4", "step5"]


def test_a_set_of_ones_own_is_named_by_its_path(tmp_path):
    found = ablation.load(declared(tmp_path))
    smooth, device, both = found.declaration.variants
    assert (found.name, device.name) == ("mine", "base-device")
    assert found.changes(smooth) == ("label_smoothing 0.1 instead of 0.0",)
    assert found.changes(device) == ("input device instead of host",)
    assert found.changes(both) == ("activation celu instead of relu",)
    assert recipes.load(found.locator("smooth")).name == "mine:smooth"


def test_the_hash_names_what_is_compared_and_not_its_prose(tmp_path):
    one = ablation.load(declared(tmp_path)).sha256
    assert ablation.load(declared(tmp_path, title="Other words", seeds=7)).sha256 == one
    assert ablation.load(declared(tmp_path, variants=DECLARED["variants"][:2])).sha256 != one
    assert ablation.load(declared(tmp_path, spread_percent=0.1)).sha256 != one
    path = str(write(tmp_path, {"ablation": DECLARED, **TABLES, "base": {"extends": "smoke", "batch": 256}}))
    assert ablation.load(path).sha256 != one


@pytest.mark.parametrize(
    "name, sentence", [("authr", "did you mean `author`?"), ("../recipes", "sets: author, epochs, ladder")]
)
def test_an_unknown_set_is_told_with_those_there_are(name, sentence):
    with pytest.raises(RecipeError) as caught:
        ablation.load(name)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(RecipeError, match="no ablation set is called"):
        ablation.load(str(tmp_path / name))


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"variants": []}, "list of one or more tables"),
        ({"variants": {"a": 1}}, "list of one or more tables"),
        ({"variants": [3]}, "variant 1 must be an object"),
        ({"variants": [{"recipe": "smooth"}]}, "variant 1 lacks technique"),
        ({"variants": [{"recipe": "smoth", "technique": "x"}]}, "no recipe `smoth` (did you mean `smooth`?)"),
        ({"variants": [{"recipe": "smooth", "techniqe": "x"}]}, "did you mean `technique`?"),
        ({"variants": [{"recipe": "smooth", "technique": " "}]}, "`technique` is empty"),
        ({"variants": [{"recipe": "base", "technique": "x"}]}, "is the base itself"),
        ({"variants": [{"recipe": "base", "input": "host", "technique": "x"}]}, "changes nothing of `base`"),
        ({"variants": [{"recipe": "smooth", "technique": "base"}]}, "another one is called 'base', too"),
        ({"variants": [{"recipe": "smooth", "technique": "x", "decides": "speed"}]}, "allowed: accuracy, images_per"),
        ({"variants": [{"recipe": "smooth", "technique": "x", "against": "both"}]}, "nor a variant before it"),
        ({"variants": [{"recipe": "full", "technique": "x"}]}, "made for cifar10 and the base for synthetic"),
        ({"variants": [{"recipe": "smooth", "technique": t} for t in "xy"]}, "`smooth` stands there twice"),
        ({"seeds": 1}, "`seeds` is 1; give a whole number from 2"),
        ({"seeds": "many"}, "`seeds` is 'many'"),
        ({"spread_percent": 0}, "`spread_percent` is 0"),
        ({"proxy": ""}, "`proxy` is empty"),
        ({"base": "bse"}, "did you mean `base`?"),
        ({"input": None}, "does not say the base's"),
        ({"titel": "x"}, "unknown key `titel` (did you mean `title`?)"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_is_refused_with_table_and_fix(tmp_path, changes, sentence):
    with pytest.raises(RecipeError) as caught:
        ablation.load(declared(tmp_path, **changes))
    assert sentence in str(caught.value)
    assert "mine.json: `ablation`" in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    "tables, sentence",
    [
        ("{", "cannot be read as JSON"),
        ([], "one object with a table per recipe"),
        ({"base": {"extends": "smoke"}}, "has no table `ablation`"),
        ({"ablation": 3, **TABLES}, "must be an object, not 3"),
        ({"ablation": DECLARED, **TABLES, "smooth": {"extends": "base", "epohs": 3}}, "did you mean `epochs`?"),
    ],
)
def test_a_file_that_is_no_set_is_refused(tmp_path, tables, sentence):
    with pytest.raises(RecipeError) as caught:
        ablation.load(str(write(tmp_path, tables)))
    assert sentence in str(caught.value)


def test_a_variant_cannot_leave_the_folder_it_is_kept_in(tmp_path):
    tables = {**TABLES, "../../x": {"extends": "smooth"}}
    variants = [{"recipe": "../../x", "technique": "x"}]
    with pytest.raises(RecipeError, match="cannot be called"):
        ablation.load(str(write(tmp_path, {"ablation": {**DECLARED, "variants": variants}, **tables})))
