"""The fingerprint of the runs, key by key, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.record import Record
from bench.record.fingerprint_keys import find, may_be_mixed

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison

#: Length of a cell; a record may hold anything.
_MOST_CHARACTERS = 300
DIFFERS, MAY_DIFFER = "differs", "may differ"


@dataclass(frozen=True)
class Entry:
    """A key with its values, a column each: of the runs together, or of each side.

    ``differs`` is empty where all agree; else it says whether runs that differ in it may share a table.
    """

    key: str
    meaning: str
    values: tuple[str, ...]
    differs: str = ""

    @property
    def severe(self) -> bool:
        """Whether runs that differ in it may not share a table."""
        return self.differs == DIFFERS


@dataclass(frozen=True)
class Fingerprint:
    """The table, its columns after the key, and how many keys differ."""

    header: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def differing(self) -> int:
        return sum(bool(each.differs) for each in self.entries)


def of_runs(records: Sequence[Record]) -> Fingerprint:
    """Return the fingerprint of a campaign's runs; where they differ, each value with its seeds."""
    known = [each for each in records if each.fingerprint]
    return Fingerprint(("value",), tuple(_entry(key, (_values(key, known),), known) for key in _keys(known)))


def of_sides(comparison: Comparison) -> Fingerprint:
    """Return what differs between the sides, then what they share."""
    lit = [
        Entry(each.name, each.meaning, each.values, DIFFERS if each.must_match else MAY_DIFFER)
        for each in comparison.config_diff
    ]
    listed = {each.key for each in lit}
    sides = [[each for each in side.records if each.fingerprint] for side in comparison.sides]
    everything = [each for side in sides for each in side]
    shared = [
        _entry(key, tuple(_values(key, side) for side in sides), everything)
        for key in _keys(everything)
        if key not in listed
    ]
    return Fingerprint(tuple(each.name for each in comparison.sides), (*lit, *shared))


def _keys(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(key for each in records for key in each.fingerprint))


def _entry(key: str, values: tuple[str, ...], records: Sequence[Record]) -> Entry:
    agree = len({_value(each.fingerprint, key) for each in records}) <= 1
    found = find(key)
    meaning = "" if found is None else f"{found.meaning}{f' ({found.unit})' if found.unit else ''}"
    return Entry(key, meaning, values, "" if agree else MAY_DIFFER if may_be_mixed(key) else DIFFERS)


def _values(key: str, records: Sequence[Record]) -> str:
    seeds: dict[str, list[str]] = {}
    for record in records:
        seeds.setdefault(_value(record.fingerprint, key), []).append("-" if record.seed is None else str(record.seed))
    if len(seeds) <= 1:
        return next(iter(seeds), "")
    return "; ".join(f"{value or 'unknown'} (seed {', '.join(which)})" for value, which in seeds.items())


def _value(fingerprint: Mapping[str, Any], key: str) -> str:
    value = fingerprint.get(key)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))[:_MOST_CHARACTERS]
    return (json.dumps(value) if isinstance(value, dict) else str(value))[:_MOST_CHARACTERS]
