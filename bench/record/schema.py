"""Frozen dataclasses to JSON and back; every value is checked against the type of its field on the way in."""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Shape = TypeVar("Shape", bound="DataclassInstance")


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


class SchemaError(ValueError):
    """A JSON value that is not of the declared shape; the message names the field and says what is wrong with it."""


def dump(value: DataclassInstance) -> str:
    """A dataclass as indented ASCII JSON, fields in declared order. Raises ValueError for NaN and infinity."""
    return json.dumps(asdict(value), indent=1, allow_nan=False) + "\n"


def load(shape: type[Shape], body: object, where: str = "") -> Shape:
    """``body`` (decoded JSON) as a ``shape``, which is a dataclass; unknown keys are ignored. Raises SchemaError."""
    if not isinstance(body, dict):
        raise SchemaError(f"{where or 'the file'} must be an object, not {type(body).__name__}")
    hints = _hints(shape)
    values = {}
    for field in fields(shape):
        path = f"{where}.{field.name}" if where else field.name
        if field.name in body:
            values[field.name] = _value(hints[field.name], body[field.name], path)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SchemaError(f"`{path}` is missing")
    return shape(**values)


def _value(hint: Any, value: object, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        known = next(each for each in arguments if each is not type(None))
        return None if value is None else _value(known, value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return tuple(_value(arguments[0], each, f"{path}[{index}]") for index, each in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        return load(hint, value, path)
    if hint is float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _wrong(path, "a number", value)
        return float(value)
    names = {int: "a whole number", str: "text", bool: "true or false"}
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(path, names[hint], value)
    return value


def _wrong(path: str, wanted: str, value: object) -> SchemaError:
    return SchemaError(f"`{path}` must be {wanted}, not {value!r:.60}")
