"""What differs between the sides of a comparison: first of all, because it is what the difference may come from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.record import Record
from bench.record.fingerprint_keys import find, may_be_mixed

#: Facts of a run beside its fingerprint: name, meaning.
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
#: Of these a difference says nothing about the time of a run.
_MIXABLE_FACTS = frozenset({"rules", "idle_seconds_asked", "warm_up"})
UNKNOWN = "-"
#: A commit or a sha256: its first digits tell it apart.
_DIGEST = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Difference:
    """A fact and what it is on each side; ``mixable``: runs that differ in it may stand in one table."""

    name: str
    values: tuple[str, ...]
    mixable: bool
    meaning: str


def differences(sides: Sequence[Sequence[Record]]) -> tuple[Difference, ...]:
    """The facts in which sides differ, those first that may not be mixed, by name; a side's own values in one text.

    A value known on one side alone is a difference; it is `-` where nothing told it.
    """
    facts = [[_facts(record) for record in records] for records in sides]
    names = sorted({name for side in facts for each in side for name in each})
    found = []
    for name in names:
        values = tuple(_together(each.get(name) for each in side) for side in facts)
        if len(set(values)) > 1:
            key = find(name)
            mixable = name in _MIXABLE_FACTS or (name not in _FACTS and may_be_mixed(name))
            meaning = _FACTS.get(name) or (f"{key.meaning}{f' ({key.unit})' if key.unit else ''}" if key else "")
            found.append(Difference(name, values, mixable, meaning))
    return tuple(sorted(found, key=lambda each: (each.mixable, each.name)))


def within(records: Sequence[Record]) -> tuple[str, ...]:
    """The facts, sorted, in which the runs of one side differ and may not where they are to be one sample."""
    facts = [_facts(record) for record in records]
    return tuple(name for name in _matching(facts) if len({_text(each.get(name)) for each in facts}) > 1)


def must_match(records: Sequence[Record]) -> tuple[str, ...]:
    """The facts of a campaign that runs of one table share, each as `name=value`: equal for the same configuration."""
    facts = [_facts(record) for record in records]
    return tuple(f"{name}={_together(each.get(name) for each in facts)}" for name in _matching(facts))


def _matching(facts: Sequence[dict[str, Any]]) -> list[str]:
    """The names, sorted, of the facts in which runs of one table may not differ."""
    names = sorted({name for each in facts for name in each})
    return [name for name in names if name not in _MIXABLE_FACTS and (name in _FACTS or not may_be_mixed(name))]


def _facts(record: Record) -> dict[str, Any]:
    asked = record.circumstances
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
        "kernel_cache": asked.get("kernel_cache"),
        "idle_seconds_asked": asked.get("idle_seconds_asked"),
        "warm_up": asked.get("warm_up"),
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
