"""Whatever stands in a recipe file: it is read, or refused in one sentence."""

import copy
import json
import random

import pytest

from resnet9 import recipe as recipes
from resnet9.errors import RecipeError

hypothesis = pytest.importorskip(
    "hypothesis", reason="the locks of older TensorFlows have no hypothesis; make test has it"
)
st = hypothesis.strategies

SHIPPED = json.loads(recipes.RECIPES_FILE.read_text())
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["page24", "air", "torch", "relu", "whitening_bias", 10**400, -1, 0, 1e308])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def places(value, path=()):
    """Where something stands in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    return found + [place for key, each in inner for place in places(each, (*path, key))]


PLACES = places(SHIPPED)


def judged(path, tables):
    path.write_text(json.dumps(tables))
    try:
        found = recipes.load_all(path)
    except RecipeError as refused:
        error = refused
    else:
        found = [each for each in found.values() if each.batch <= 50_000]
        return [(recipe.sha256, recipe.total_steps(50_000)) for recipe in found]
    assert error.exit_code == 2 and "\n" not in str(error)
    return None


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.sampled_from(PLACES), VALUES, st.sampled_from(["replace", "remove", "add"]), st.text(max_size=6))
def test_a_shipped_file_with_one_thing_changed_is_read_or_refused(tmp_path, place, value, how, key):
    tables = copy.deepcopy(SHIPPED)
    inner = tables
    for step in place[:-1]:
        inner = inner[step]
    if how == "replace":
        inner[place[-1]] = value
    elif how == "remove":
        del inner[place[-1]]
    elif isinstance(inner, dict):
        inner[key] = value
    judged(tmp_path / "mine.json", tables)


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(st.sampled_from(sorted(SHIPPED["hive"] | SHIPPED["hlb12"])), VALUES, max_size=4) | VALUES,
        max_size=3,
    )
    | VALUES
)
def test_any_json_at_all_is_read_or_refused(tmp_path, tables):
    judged(tmp_path / "mine.json", tables)


def test_parts_of_shipped_recipes_mixed_at_random_are_read_or_refused(tmp_path):
    rng, keys = random.Random(0), sorted({key for table in SHIPPED.values() for key in table} - {"extends"})
    outcomes = set()
    for _ in range(300):
        mixed = {"extends": rng.choice(list(SHIPPED))}
        for key in rng.sample(keys, rng.randint(1, 6)):
            mixed[key] = rng.choice([table[key] for table in SHIPPED.values() if key in table])
        outcomes.add(judged(tmp_path / "mine.json", {"mixed": mixed}) is None)
    assert outcomes == {True, False}
