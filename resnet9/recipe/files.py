"""Recipes from their files: found by name, read, given what their parents say, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from resnet9.errors import RecipeError
from resnet9.recipe import rules
from resnet9.recipe.keys import Recipe
from resnet9.recipe.schema import decode, nearest

_TRAINER = Path(__file__).parents[1]
RECIPES_FILE = _TRAINER / "recipes.json"
#: Recipe files that vary one thing at a time, each with a table of this name that says what is compared.
ABLATIONS = _TRAINER / "ablations"
DECLARATION = "ablation"
#: Tables in one line of ``extends``: far more than anybody can follow, far fewer than Python can.
MOST_PARENTS = 100


def load(name: str) -> Recipe:
    """One recipe by name, see ``file_of``. Raises RecipeError, which suggests the nearest name, where there is none."""
    path = file_of(name)
    recipes = load_all(path)
    key = name.rpartition(":")[2]
    full = name if path == RECIPES_FILE else f"{path.stem}:{key}"
    if full not in recipes:
        tables = [each.rpartition(":")[2] for each in recipes]
        raise RecipeError(f"no recipe is called `{name}`{nearest(key, tables)}", f"{path.name} has {', '.join(tables)}")
    return recipes[full]


def file_of(name: str) -> Path:
    """The file in which a recipe is looked up: ``FILE.json:TABLE`` by path, ``SET:TABLE`` among the shipped ablation
    sets, anything else in ``recipes.json``. Raises RecipeError for a set that is not shipped.
    """
    if name.endswith(".json"):
        raise RecipeError(f"{name} is a file of recipes", f"name one of its tables, such as {name}:mine")
    if ":" not in name:
        return RECIPES_FILE
    place = name.rpartition(":")[0]
    if place.endswith(".json"):
        return Path(place)
    shipped = sorted(path.stem for path in ABLATIONS.glob("*.json"))
    if place not in shipped:
        raise RecipeError(
            f"there is no set `{place}`{nearest(place, shipped)} for the recipe {name}",
            f"sets: {', '.join(shipped)}; a file of your own is named with its ending, such as my.json:mine",
        )
    return ABLATIONS / f"{place}.json"


def load_all(path: Path = RECIPES_FILE) -> dict[str, Recipe]:
    """Every recipe of a file, resolved and checked. Raises RecipeError with table, key and fix.

    The tables of another file than the shipped one may extend the shipped recipes, and are called ``FILE:TABLE``.
    """
    tables = _read(path)
    for name in tables:
        # Names become folders, and a command's words.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise RecipeError(
                f"{path.name}: a table cannot be called {name!r}", "use letters, digits, `.`, `_` and `-`"
            )
    if path == RECIPES_FILE:
        return {name: _resolved(name, tables, name) for name in tables}
    tables.pop(DECLARATION, None)
    known = {**_read(RECIPES_FILE), **tables}
    return {f"{path.stem}:{key}": _resolved(key, known, f"{path.stem}:{key}") for key in tables}


def from_table(table: Mapping[str, Any]) -> Recipe:
    """The recipe of a resolved table with its name, as ``campaign.json`` keeps it. Raises RecipeError."""
    return _checked(str(table.get("name")), dict(table))


def _resolved(key: str, tables: dict[str, Any], name: str) -> Recipe:
    """The recipe of the table ``key``, called ``name``, with what its parents give, checked."""
    return _checked(key, {**_with_parents(key, tables), "name": name})


def _checked(key: str, table: dict[str, Any]) -> Recipe:
    """The recipe of a table that lacks nothing; ``key`` is what it is called in a refusal."""
    found = decode(Recipe, table, f"recipe {key}")
    recipe = replace(found, learning_rate=rules.checked_schedule(key, found.learning_rate))
    rules.check(recipe)
    return recipe


def _with_parents(name: str, tables: dict[str, Any], children: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of the table ``name`` over those of its parents; ``children`` are the tables that led here."""
    if name in children:
        raise RecipeError(
            f"recipe {children[0]}: `extends` goes round in a circle ({' -> '.join((*children, name))})",
            "break the circle",
        )
    if len(children) > MOST_PARENTS:
        raise RecipeError(f"recipe {children[0]}: it has more than {MOST_PARENTS} parents", "extend a nearer one")
    if name not in tables:
        child = children[-1]
        raise RecipeError(
            f"recipe {child}: its parent `{name}` is not in the file{nearest(name, tables)}",
            "name a recipe of the file in `extends`",
        )
    own = _checked_table(name, tables[name])
    parent = own.pop("extends", None)
    return own if parent is None else {**_with_parents(parent, tables, (*children, name)), **own}


def _checked_table(name: str, table: Any) -> dict[str, Any]:
    """A copy of a recipe's table, which has no key but those of a recipe and ``extends``."""
    if not isinstance(table, dict):
        raise RecipeError(f"recipe {name} is not a table", "write it as an object of keys and values")
    if "name" in table:
        raise RecipeError(f"recipe {name}: unknown key `name`", "remove it; a recipe is called as its table")
    known = {each.name for each in fields(Recipe)} | {"extends"}
    for key in table:
        if key not in known:
            raise RecipeError(
                f"recipe {name}: unknown key `{key}`{nearest(key, known)}", "remove it or correct its spelling"
            )
    parent = table.get("extends")
    if parent is not None and not isinstance(parent, str):
        raise RecipeError(f"recipe {name}: `extends` is {parent!r}", "name one recipe")
    return dict(table)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file {path}", "correct its name") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror})", "name a file of recipes") from None
    except ValueError:
        raise RecipeError(f"{path.name} is no text in UTF-8", "correct the file") from None
    try:
        tables = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path.name} cannot be read as JSON: {error}", "correct the file") from None
    if not isinstance(tables, dict):
        raise RecipeError(f"{path.name} must hold one object with a table per recipe", "correct the file")
    return tables
