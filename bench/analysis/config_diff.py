"""What differs between the runs of one table or the sides of a comparison, as it can cause a difference in time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.record import Record
from bench.record.fingerprint_keys import conflicts, find, may_be_mixed

#: Facts of a run that are not in its fingerprint: name, meaning.
_FACTS = {
    "recipe": "name of the recipe",
    "recipe.sha256": "the recipe's numbers",
    "dataset": "cifar10 or synthetic",
    "device": "name of the device, as the trainer gives it",
    "precision": "number format of the training step",
    "input": "where batches are made",
    "threads": "CPU threads of the trainer",
    "target_percent": "test accuracy that counts as reached",
    "trainer": "trainer and its version",
    "framework": "framework and its version",
    "kernel_cache": "CUDA's compiled kernels: kept from run to run, or none at each",
    "idle_seconds_asked": "rest before a run",
    "warm_up": "whether a discarded run came first",
    "rules": "version of the rules behind the verdict",
}
#: A difference in these does not affect the time of a run.
_MAY_DIFFER = frozenset({"rules", "idle_seconds_asked", "warm_up"})
UNKNOWN = "-"
#: A commit or a sha256: its first digits tell it apart.
_DIGEST = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Difference:
    """A fact and its value on each side; ``must_match``: runs that differ in it may not share a table."""

    name: str
    values: tuple[str, ...]
    must_match: bool
    meaning: str


def differences(sides: Sequence[Sequence[Record]]) -> tuple[Difference, ...]:
    """Return the facts in which sides differ, by name, those that must match first; a side's values are one text.

    A value that is known on one side only is a difference; the unknown one is `-`.
    """
    facts = [[_facts(record) for record in records] for records in sides]
    names = sorted({name for side in facts for each in side for name in each})
    found = []
    for name in names:
        values = tuple(_together(each.get(name) for each in side) for side in facts)
        if len(set(values)) > 1:
            key = find(name)
            meaning = _FACTS.get(name) or (f"{key.meaning}{f' ({key.unit})' if key.unit else ''}" if key else "")
            found.append(Difference(name, values, _must_match(name), meaning))
    return tuple(sorted(found, key=lambda each: (not each.must_match, each.name)))


def within(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the names, sorted, of the facts that differ between the runs of one side and must match in one sample."""
    facts = [_facts(record) for record in records]
    return tuple(name for name in _matching(facts) if len({_text(each.get(name)) for each in facts}) > 1)


def conflicting_keys(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the fingerprint keys, sorted, that differ between finished runs and must match in one table."""
    fingerprints = [record.fingerprint for record in records if record.status == "done"]
    return tuple(sorted({key for each in fingerprints[1:] for key in conflicts(fingerprints[0], each)}))


def matching_facts(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the facts of a campaign that must match in one table, as `name=value`: equal for equal configurations."""
    facts = [_facts(record) for record in records]
    return tuple(f"{name}={_together(each.get(name) for each in facts)}" for name in _matching(facts))


def _matching(facts: Sequence[dict[str, Any]]) -> list[str]:
    return [name for name in sorted({name for each in facts for name in each}) if _must_match(name)]


def _must_match(name: str) -> bool:
    return name not in _MAY_DIFFER and (name in _FACTS or not may_be_mixed(name))


def _facts(record: Record) -> dict[str, Any]:
    conditions = record.circumstances
    return {
        **record.fingerprint,
        "recipe": record.recipe.get("name"),
        "recipe.sha256": record.recipe.get("sha256"),
        "dataset": record.dataset.get("name"),
        "dataset.sha256": record.dataset.get("sha256"),
        "device": record.device.get("name") or record.device.get("kind"),
        "precision": record.precision,
        "input": record.input,
        "threads": record.threads,
        "target_percent": record.target_percent,
        "trainer": record.trainer,
        "framework": record.framework,
        "kernel_cache": conditions.get("kernel_cache"),
        "idle_seconds_asked": conditions.get("idle_seconds_asked"),
        "warm_up": conditions.get("warm_up"),
        "rules": record.verdict.rules if record.verdict else None,
    }


def _together(values: Any) -> str:
    return " / ".join(sorted({_text(value) for value in values})) or UNKNOWN


def _text(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value[:12] if _DIGEST.fullmatch(value) else value
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)
