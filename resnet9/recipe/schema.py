"""Tables of JSON as frozen dataclasses: every field says what it may hold, and a wrong one is refused with table, key
and fix. Standard library only.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from resnet9.errors import RecipeError

Table = TypeVar("Table")
_KIND = "kind"


def number(low: float, high: float, default: Any = MISSING, optional: bool = False) -> Any:
    """A field for a number from ``low`` to ``high``; JSON's null where it is ``optional``."""
    return _field(default, "number", low=low, high=high, optional=optional)


def whole(low: int, high: int, default: Any = MISSING, optional: bool = False) -> Any:
    """A field for a whole number from ``low`` to ``high``."""
    return _field(default, "whole", low=low, high=high, optional=optional)


def choice(*allowed: str, default: Any = MISSING, optional: bool = False) -> Any:
    """A field for one of a few words."""
    return _field(default, "choice", allowed=allowed, optional=optional)


def flag(default: Any = MISSING) -> Any:
    """A field for true or false."""
    return _field(default, "flag")


def text(default: Any = MISSING) -> Any:
    """A field for prose."""
    return _field(default, "text")


def numbers(count: int | None, low: float, high: float, default: Any = MISSING, only_whole: bool = False) -> Any:
    """A field for a list of ``count`` numbers (None: one or more), held as a tuple."""
    return _field(default, "numbers", count=count, low=low, high=high, only_whole=only_whole)


def part(kind: type, optional: bool = True) -> Any:
    """A field for a table of its own, or null where it is ``optional``."""
    return _field(None if optional else MISSING, "part", of=kind, optional=optional)


def parts(names: tuple[str, ...], kind: type) -> Any:
    """A field for tables by name, each name one of ``names``; those not given hold their defaults."""
    return dataclasses.field(default_factory=dict, metadata={_KIND: "parts", "of": kind, "allowed": names})


def free(default: Any = MISSING) -> Any:
    """A field for any JSON value; its reader checks it."""
    return _field(default, "free")


def _field(default: Any, kind: str, **rules: Any) -> Any:
    metadata = {_KIND: kind, **rules}
    return dataclasses.field(metadata=metadata) if default is MISSING else dataclasses.field(
        default=default, metadata=metadata
    )  # fmt: skip


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean `{close[0]}`?)" if close else ""


def decode(kind: type[Table], table: object, where: str, example: str = "") -> Table:
    """The dataclass ``kind`` from a JSON object. Raises RecipeError, which begins with ``where``, for anything wrong:
    no object, an unknown key, a missing one, a value of a wrong type or out of its bounds.
    """
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(table, Mapping):
        keys = ", ".join(known)
        raise RecipeError(f"{where} must be an object, not {table!r}", example or f"write an object with {keys}")
    for key in table:
        if key not in known:
            raise RecipeError(f"{where}: unknown key `{key}`{nearest(key, known)}", "remove it or correct its spelling")
    missing = [
        name
        for name, each in known.items()
        if name not in table and each.default is MISSING and each.default_factory is MISSING
    ]
    if missing:
        raise RecipeError(
            f"{where} lacks {', '.join(missing)}", example or "add the keys, or extend a recipe with them"
        )
    return kind(**{key: _value(known[key], value, where) for key, value in table.items()})


def is_number(value: object) -> bool:
    """A number that is no truth value and that a float can hold: JSON's whole numbers have no end."""
    most = sys.float_info.max
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -most <= value <= most


def _value(field: Field[Any], value: Any, where: str) -> Any:
    rules = field.metadata
    kind = rules.get(_KIND, "free")
    if value is None and rules.get("optional"):
        return None
    problem = f"{where}: `{field.name}` is {value!r}"
    if kind in ("number", "whole"):
        low, high = rules["low"], rules["high"]
        if not is_number(value) or not low <= value <= high or (kind == "whole" and not isinstance(value, int)):
            raise RecipeError(problem, f"give a {'whole ' if kind == 'whole' else ''}number from {low} to {high}")
    elif kind == "choice":
        if not isinstance(value, str) or value not in rules["allowed"]:
            hint = nearest(str(value), rules["allowed"])
            raise RecipeError(f"{problem}{hint}", f"allowed: {', '.join(rules['allowed'])}")
    elif kind == "flag":
        if not isinstance(value, bool):
            raise RecipeError(problem, "give true or false")
    elif kind == "text":
        if not isinstance(value, str):
            raise RecipeError(problem, "give a text")
    elif kind == "numbers":
        return _numbers(rules, value, problem)
    elif kind == "part":
        return decode(rules["of"], value, f"{where}: `{field.name}`")
    elif kind == "parts":
        if not isinstance(value, Mapping):
            raise RecipeError(problem, f"give an object with tables for {', '.join(rules['allowed'])}")
        for name in value:
            if name not in rules["allowed"]:
                hint = nearest(name, rules["allowed"])
                raise RecipeError(f"{where}: `{field.name}` has the unknown `{name}`{hint}", "remove or correct it")
        return {name: decode(rules["of"], each, f"{where}: `{field.name}.{name}`") for name, each in value.items()}
    return value


def _numbers(rules: Mapping[str, Any], value: Any, problem: str) -> tuple[Any, ...]:
    count, low, high = rules["count"], rules["low"], rules["high"]
    good = isinstance(value, (list, tuple)) and len(value) >= 1 and count in (None, len(value))
    if not good or not all(is_number(each) and low <= each <= high for each in value):
        amount = "numbers" if count is None else {3: "three numbers", 2: "two numbers"}.get(count, f"{count} numbers")
        raise RecipeError(problem, f"give a list of {amount} from {low} to {high}")
    if rules["only_whole"] and not all(isinstance(each, int) for each in value):
        raise RecipeError(problem, "give whole numbers")
    return tuple(value)
