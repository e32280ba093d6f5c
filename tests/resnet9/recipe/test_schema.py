"""Recipe files that are refused: table, key and what to do, in one sentence."""

import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError
from tests.resnet9.recipe_files import mine, write

WHITENING = {"size": 2, "epsilon": 0.01, "images": 100}
RATE = {"knots": [[0, 0.1], [5, 0.0]]}


def refusal(tmp_path, tables):
    with pytest.raises(RecipeError) as caught:
        recipes.load_all(write(tmp_path, tables))
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2 and caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize(
    "tables, sentence",
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ([1], "one object with a table per recipe"),
        ({"a": 3}, "recipe a is not a table"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "`extends` goes round in a circle (a -> b -> a)"),
        ({"a": {"extends": "pge24"}}, "did you mean `page24`"),
        ({"a": {"extends": ["page24"]}}, "`extends` is ['page24']"),
        ({"a": {"batch": 3}}, "lacks summary, source"),
        (mine(name="other"), "unknown key `name`"),
        (mine(cutuot=5), "unknown key `cutuot` (did you mean `cutout`?)"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, tables, sentence):
    assert sentence in refusal(tmp_path, tables)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"batch": 0}, "`batch` is 0; give a whole number from 2"),
        ({"batch": 51.5}, "give a whole number from 2"),
        ({"batch": None}, "`batch` is None"),
        ({"momentum": 1.5}, "`momentum` is 1.5"),
        ({"momentum": True}, "`momentum` is True"),
        ({"momentum": 10**400}, "`momentum` is 1000"),
        ({"weight_decay": float("nan")}, "`weight_decay` is nan"),
        ({"epochs": "many"}, "`epochs` is 'many'"),
        ({"pad_mode": "reflekt"}, "did you mean `reflect`?"),
        ({"flip": True}, "`flip` is True; allowed: none, random, alternating"),
        ({"net": ["air"]}, "`net` is ['air']"),
        ({"residual": 1}, "give true or false"),
        ({"summary": 1}, "give a text"),
        ({"std255": [1, 0, 1]}, "`std255` is [1, 0, 1]"),
        ({"mean255": [1, 2]}, "three numbers"),
        ({"widths": []}, "`widths` is []"),
        ({"widths": [4, 8.5, 16, 32]}, "give whole numbers"),
        ({"learning_rate": 0.1}, "`learning_rate` must be an object"),
        ({"learning_rate": {"per": "step"}}, "`learning_rate` lacks knots"),
        ({"learning_rate": {**RATE, "per": "day"}}, "`learning_rate`: `per` is 'day'"),
        ({"learning_rate": {**RATE, "knot": 1}}, "`learning_rate`: unknown key `knot` (did you mean `knots`?)"),
        ({"learning_rate": {"knots": [[0, 0], [0, 1]]}}, "must increase"),
        ({"learning_rate": {"knots": [[0, -1]]}}, "negative"),
        ({"learning_rate": {"knots": []}}, "list of [when, rate] pairs"),
        ({"learning_rate": {"knots": [[0, 10**400]]}}, "list of [when, rate] pairs"),
        ({"learning_rate": {"knots": [[0, 1], [2, 0]], "unit": "run"}}, "outside 0 to 1"),
        ({"learning_rate": {**RATE, "unit": "step", "per": "epoch"}}, "`per` epoch needs `unit` epoch"),
        ({"whitening": {**WHITENING, "epsilom": 1}}, "`whitening`: unknown key `epsilom` (did you mean `epsilon`?)"),
        ({"whitening": {**WHITENING, "images": 0}}, "`whitening`: `images` is 0"),
        ({"whitening": {"size": 3}}, "`whitening` lacks epsilon, images"),
        ({"whitening": True}, "`whitening` must be an object"),
        ({"muon": {"rate": 0.1, "momentum": 0.6, "coefficients": [1, 2]}}, "`muon`: `coefficients` is [1, 2]"),
        ({"muon": {"rate": 0.1, "momentum": 0.6, "renormalise": [1, 0.5]}}, "give whole numbers"),
        ({"average": {"every": 0, "decay": 0.9}}, "`average`: `every` is 0"),
        ({"cutmix": {"size": 33}}, "`cutmix`: `size` is 33"),
        ({"jitter": {"brightness": 1}}, "`jitter` lacks contrast"),
        ({"groups": []}, "`groups` is []"),
        ({"groups": {"norm": {}}}, "`groups` has the unknown `norm` (did you mean `norms`?)"),
        ({"groups": {"norms": {"rate": 2}}}, "`groups.norms`: unknown key `rate`"),
        ({"groups": {"norms": None}}, "`groups.norms` must be an object"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_table_and_key(tmp_path, changes, sentence):
    told = refusal(tmp_path, mine(**changes))
    assert told.startswith("recipe mine") and sentence in told


@pytest.mark.parametrize(
    "parent, changes, sentence",
    [
        ("page24", {"widths": [8, 8, 8]}, "`widths` has 3 numbers, and the net `resnet9` has 4 stages"),
        ("page24", {"net": "air"}, "`widths` has 4 numbers, and the net `air` has 3 stages"),
        ("page24", {"ghost_batch": 48}, "`ghost_batch` 48 does not divide the batch of 512; give a divisor of 512"),
        ("page24", {"whitening": WHITENING}, "`resnet9` takes `whitening` with `size` 3, not 2"),
        ("plain24", {"whitening": WHITENING}, "`plain8` takes `whitening` not at all"),
        ("air94", {"whitening": {**WHITENING, "size": 3}}, "`air` takes `whitening` with `size` 2, not 3"),
        ("air94", {"whitening": None}, "the net `air` begins with a whitening layer"),
        ("page24", {"groups": {"whitening_bias": {}}}, "`groups.whitening_bias` has no"),
        ("air94", {"whitening": WHITENING}, "`groups.whitening_bias` has no"),
        ("page24", {"groups": {"head": {"until_epochs": 3}}}, "`groups.head` cannot be frozen"),
        ("air94", {"groups": {"whitening_bias": {"fade": True}}}, "fades and does not say when"),
        ("air94-muon", {"groups": {"filters": {}}}, "Muon trains the filters, so `groups.filters` has no use"),
        ("page24", {"muon": {"rate": 1, "momentum": 0, "renormalise": [0, 1]}}, "`muon.renormalise` begins with 0"),
        ("air94", {"residual": True}, "`residual` is over the last two of 3 layers"),
        ("page24", {"views_share": 0.5}, "`views_share` "),
        ("page24", {"depth": 3, "residual": True}, "`depth` has no effect without the net `air`"),
        ("page24", {"stem_activation": "gelu"}, "`stem_activation` has no effect"),
        ("page24", {"celu_alpha": 0.3}, "`celu_alpha` has no effect"),
        ("page10", {"views_weights": "equal"}, "`views_weights` has no effect"),
        ("plain24", {"widths": [1, 2, 3, 4, 5, 6, 7, 8]}, "`widths` grows 7 times"),
        ("page24", {"average": {"every": 5, "decay": 1.0}}, "never moves"),
        ("page24", {"learning_rate": {"knots": [[0, 1e300]]}}, "is over 1e+30"),
        ("page24", {"published": {"n": 3}}, "`published` lacks accuracy_percent"),
        ("page24", {"published": {"accuracy_percent": "high", "statistic": "", "source": ""}}, "is 'high'"),
    ],
)
def test_keys_that_cannot_be_together_are_refused(tmp_path, parent, changes, sentence):
    told = refusal(tmp_path, mine(parent, **changes))
    assert told.startswith("recipe mine:") and sentence in told


def test_a_wrong_value_of_a_parent_is_refused_with_the_child_that_inherits_it(tmp_path):
    tables = {**mine(batch=0), "child": {"extends": "mine", "batch": 64}, "other": {"extends": "mine"}}
    assert refusal(tmp_path, {key: tables[key] for key in ("child", "other", "mine")}).startswith("recipe other:")


def test_a_line_of_parents_without_end_is_refused(tmp_path):
    tables = {f"r{i}": {"extends": f"r{i + 1}"} for i in range(3000)}
    assert "recipe r0: it has more than 100 parents" in refusal(tmp_path, tables)
