"""Ablation sets: recipe files that vary one thing at a time, with a table ``ablation`` that says what is compared.

A set is ``ablations/SET.json``: its recipes, which may extend the shipped ones and each other, and the declaration.
Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from resnet9.errors import RecipeError
from resnet9.recipe import ABLATIONS, DECLARATION, Recipe, load_all
from resnet9.recipe.schema import choice, decode, free, nearest, number, text, whole

#: A variant's name is that of its folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PROSE = ("name", "summary", "source", "published")


@dataclass(frozen=True)
class Variant:
    """A recipe of the set and what it is compared ``against``: a variant before it, by name, or (empty) the base.

    ``decides`` is what the answer is read from; ``input`` None is the base's.
    """

    recipe: str = text()
    technique: str = text()
    decides: str = choice("accuracy", "images_per_second", default="accuracy")
    input: str | None = choice("host", "device", default=None, optional=True)
    against: str = text(default="")

    @property
    def name(self) -> str:
        """What the variant is called: its recipe, with the input where that is one of its own."""
        return self.recipe if self.input is None else f"{self.recipe}-{self.input}"


@dataclass(frozen=True)
class Declaration:
    """What a set compares, decided before anything runs.

    ``proxy`` says what its small recipes represent and what they cannot show. ``spread_percent``: the standard
    deviation of accuracy between seeds, in points, that is assumed, and ``spread_source`` where it comes from;
    ``throughput_spread``: that of images/s, relative. ``input`` None is the one that suits the machine.
    """

    title: str = text()
    question: str = text()
    proxy: str = text()
    spread_percent: float = number(0.001, 50.0)
    spread_source: str = text()
    throughput_spread: float = number(0.0001, 1.0)
    variants: tuple[Variant, ...] = free()
    base: str = text(default="base")
    input: str | None = choice("host", "device", default=None, optional=True)
    seeds: int = whole(2, 1000, default=4)


@dataclass(frozen=True)
class AblationSet:
    """A set as read and checked: ``place`` is the file as the trainer receives it, ``recipes`` are by table."""

    name: str
    place: str
    declaration: Declaration
    recipes: Mapping[str, Recipe]

    @property
    def base(self) -> Recipe:
        """The recipe that everything begins with."""
        return self.recipes[self.declaration.base]

    def locator(self, table: str) -> str:
        """The name by which the trainer finds the recipe of a table."""
        return f"{self.place}:{table}"

    def reference(self, variant: Variant) -> Variant:
        """What ``variant`` is compared with; the base as a variant of its own."""
        known = {each.name: each for each in self.declaration.variants}
        return known.get(variant.against) or Variant(self.declaration.base, "base")

    def changes(self, variant: Variant) -> tuple[str, ...]:
        """What ``variant`` changes of its reference, one text a key."""
        other = self.reference(variant)
        mine, theirs = (self._table(each) for each in (variant, other))
        return tuple(_changes(mine, theirs))

    @property
    def sha256(self) -> str:
        """Identity of what is compared: a hash over all that can change a figure or an answer, not over prose."""
        declared = self.declaration
        body = {
            "base": self.base.sha256,
            "input": declared.input,
            "spread_percent": declared.spread_percent,
            "throughput_spread": declared.throughput_spread,
            "variants": [
                [each.name, each.input, each.against, each.decides, self.recipes[each.recipe].sha256]
                for each in declared.variants
            ],
        }
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def _table(self, variant: Variant) -> dict[str, Any]:
        kept = {key: value for key, value in asdict(self.recipes[variant.recipe]).items() if key not in _PROSE}
        given = variant.input or self.declaration.input
        return {"input": given, **kept} if given else kept


def sets(folder: Path = ABLATIONS) -> tuple[str, ...]:
    """The names of the shipped sets."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def load(name: str, folder: Path = ABLATIONS) -> AblationSet:
    """A shipped set by name, or one by the path of its ``.json`` file.

    Raises RecipeError, with table, key and fix, for a set that is not there or that compares what cannot be compared.
    """
    own = name.endswith(".json")
    path = Path(name).absolute() if own else folder / f"{name}.json"
    if not (path.is_file() if own else name in sets(folder)):
        known = ", ".join(sets(folder))
        raise RecipeError(
            f"no ablation set is called `{name}`{nearest(name, sets(folder))}",
            f"sets: {known}, or give the path of a .json file",
        )
    recipes = {full.rpartition(":")[2]: recipe for full, recipe in load_all(path).items()}
    tables = json.loads(path.read_text(encoding="utf-8"))
    where = f"{path.name}: `{DECLARATION}`"
    if DECLARATION not in tables:
        raise RecipeError(f"{path.name} has no table `{DECLARATION}`", "say in it what is compared; see author.json")
    place = name if folder == ABLATIONS and not own else str(path)
    found = AblationSet(path.stem, place, _declaration(tables[DECLARATION], where), recipes)
    _check(found, where)
    return found


def _declaration(table: object, where: str) -> Declaration:
    declared = decode(Declaration, table, where, "see author.json for an example")
    variants: Any = declared.variants
    if not isinstance(variants, list) or not variants:
        raise RecipeError(f"{where}: `variants` must be a list of one or more tables", "see author.json for an example")
    read = tuple(decode(Variant, each, f"{where}: variant {i}") for i, each in enumerate(variants, start=1))
    for key in ("title", "question", "proxy", "spread_source"):
        if not getattr(declared, key).strip():
            raise RecipeError(f"{where}: `{key}` is empty", "write one sentence")
    return replace(declared, variants=read)


def _check(found: AblationSet, where: str) -> None:
    """Refuse what each key allows and the whole cannot be."""
    declared, recipes = found.declaration, found.recipes
    _known_recipe(declared.base, recipes, f"{where}: `base`")
    if not _NAME.fullmatch(declared.base):
        raise RecipeError(f"{where}: `base` {declared.base!r} cannot name a folder", "use letters, digits, - and _")
    seen = {declared.base: Variant(declared.base, "base")}
    for number_, variant in enumerate(declared.variants, start=1):
        at = f"{where}: variant {number_}"
        _known_recipe(variant.recipe, recipes, at)
        if not _NAME.fullmatch(variant.name):
            raise RecipeError(f"{at}: `{variant.name}` cannot name a folder", "use letters, digits, - and _")
        if not variant.technique.strip():
            raise RecipeError(f"{at} ({variant.name}): `technique` is empty", "say in a few words what it changes")
        if variant.name == declared.base:
            raise RecipeError(f"{at}: `{variant.name}` is the base itself", "name another recipe, or an `input`")
        if variant.name in seen:
            raise RecipeError(f"{at}: `{variant.name}` stands there twice", "remove one of the two")
        if any(variant.technique == each.technique for each in seen.values()):
            raise RecipeError(f"{at}: another one is called {variant.technique!r}, too", "give each a name of its own")
        if variant.against and variant.against not in seen:
            hint = nearest(variant.against, seen)
            raise RecipeError(
                f"{at} ({variant.name}): `against` names `{variant.against}`{hint}, which is neither the base nor a "
                "variant before it",
                f"one of: {', '.join(seen)}",
            )
        if variant.input is not None and declared.input is None:
            raise RecipeError(
                f"{at} ({variant.name}) has an `input` and the set does not say the base's", "give the set an `input`"
            )
        if recipes[variant.recipe].dataset != found.base.dataset:
            raise RecipeError(
                f"{at} ({variant.name}) is made for {recipes[variant.recipe].dataset} and the base for "
                f"{found.base.dataset}",
                "give both the same `dataset`",
            )
        if not found.changes(variant):
            raise RecipeError(
                f"{at} ({variant.name}) changes nothing of `{found.reference(variant).name}`", "change something"
            )
        seen[variant.name] = variant


def _known_recipe(table: str, recipes: Mapping[str, Recipe], where: str) -> None:
    if table not in recipes:
        known = ", ".join(recipes) or "none"
        raise RecipeError(
            f"{where}: the file has no recipe `{table}`{nearest(table, recipes)}", f"recipes of the file: {known}"
        )


def _changes(mine: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in dict.fromkeys((*mine, *theirs)):
        here, there = mine.get(key), theirs.get(key)
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from _changes(here, there, f"{prefix}{key}.")
        elif here != there:
            yield f"{prefix}{key} {_shown(here)} instead of {_shown(there)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({', '.join(f'{key} {_shown(each)}' for key, each in value.items() if each is not None)})"
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
