"""Frozen dataclasses to JSON and back; every value is checked against the type of its field on the way in."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Shape = TypeVar("Shape", bound="DataclassInstance")
#: Converts a decoded JSON value to a field's value. Raises _Misfit.
_Reader = Callable[[Any], Any]
#: Metadata of a field that no file holds, whatever one says.
NOT_STORED = {"stored": False}
_NAMES = {int: "a whole number", str: "text", bool: "true or false"}


class SchemaError(ValueError):
    """A JSON value that does not fit the schema; the message names the field and the error."""


class _Misfit(Exception):
    """Why a value does not fit, and its path, extended at each level."""

    def __init__(self, why: str, path: str = "", plain: bool = False) -> None:
        self.why, self.path, self.plain = why, path, plain

    def inside(self, outer: str) -> _Misfit:
        inner = f".{self.path}" if self.path and not self.path.startswith("[") else self.path
        return _Misfit(self.why, outer + inner, self.plain)


def dump(value: DataclassInstance) -> str:
    """A dataclass as indented ASCII JSON, fields in declared order. Raises ValueError for NaN and infinity."""
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """What JSON has for a value. ``dataclasses.asdict`` copies every leaf, too, and takes twice as long."""
    if isinstance(value, (str, int, float)) or value is None:
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    kind: Any = type(value)
    names = _names(kind)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(each.name for each in fields(kind) if each.metadata != NOT_STORED) if is_dataclass(kind) else None


def load(shape: type[Shape], body: object) -> Shape:
    """``body`` (decoded JSON) as a ``shape``, which is a dataclass; unknown keys are ignored. Raises SchemaError."""
    try:
        found: Shape = _reader(shape)(body)
    except _Misfit as misfit:
        path = misfit.path if misfit.plain or not misfit.path else f"`{misfit.path}`"
        raise SchemaError(f"{path or 'the file'} {misfit.why}") from None
    return found


@cache
def _reader(hint: Any) -> _Reader:
    """The reader of a type, made once: a campaign of a thousand runs reads a hundred thousand of them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if origin in (Union, types.UnionType):
        known = _reader(next(each for each in arguments if each is not type(None)))
        return lambda value: None if value is None else known(value)
    if origin is tuple:
        return _tuple_reader(_reader(arguments[0]))
    if isinstance(hint, type) and is_dataclass(hint):
        return _shape_reader(hint)
    if origin is dict:
        return _dict
    return _number if hint is float else _plain_reader(hint)


def _shape_reader(shape: type[DataclassInstance]) -> _Reader:
    hints = get_type_hints(shape)
    stored = [each for each in fields(shape) if each.metadata != NOT_STORED]
    readers = {each.name: _reader(hints[each.name]) for each in stored}
    needed = [each.name for each in stored if each.default is MISSING and each.default_factory is MISSING]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Misfit(f"must be an object, not {type(value).__name__}", plain=True)
        found, name = {}, ""
        try:
            for name, reader in readers.items():
                if name in value:
                    found[name] = reader(value[name])
        except _Misfit as misfit:
            raise misfit.inside(name) from None
        for name in needed:
            if name not in found:
                raise _Misfit("is missing", name)
        return shape(**found)

    return read


def _tuple_reader(reader: _Reader) -> _Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong("a list", value)
        found: list[Any] = []
        try:
            for each in value:
                found.append(reader(each))  # noqa: PERF401 - how far it came is the place of what does not fit
        except _Misfit as misfit:
            raise misfit.inside(f"[{len(found)}]") from None
        return tuple(found)

    return read


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong("an object", value)
    return value


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong("a number", value)
    try:
        return float(value)
    except OverflowError:
        raise _wrong("a number that a float holds", value) from None


def _plain_reader(kind: type) -> _Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _wrong(_NAMES[kind], value)
        return value

    return read


def _wrong(wanted: str, value: object) -> _Misfit:
    return _Misfit(f"must be {wanted}, not {value!r:.60}")
