"""Entries made to measure: a good one, and what is changed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from bench.dawnbench.details import Facts
from bench.dawnbench.entry import Entry, from_record

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLAIMS: dict[str, Any] = {
    "author": "Ada Lovelace, Analytical Engines",
    "email": "ada@example.org",
    "hardware": "1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)",
    "cost_per_hour": 3.06,
    "code_url": "https://github.com/owner/name",
}
FACTS = Facts(
    framework="tensorflow 2.17.0",
    dataset_state="canonical",
    clock="dawnbench@1",
    seed=3,
    selection="the rule",
    recipe={
        "name": "page24",
        "batch": 512,
        "nesterov": "page",
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "learning_rate": {"per": "step", "knots": [[0, 0.0], [5, 0.4], [24, 0.0]]},
    },
    cuda_version="12.3",
    commit=COMMIT,
    wall_seconds=97.5,
)
EVALUATIONS = [(1.0, 5.480964, 3469, 10_000), (2.0, 71.065404, 9335, 10_000), (3.0, 74.041416, 9408, 10_000)]
WRITTEN = date(2026, 1, 5)


def made(evaluations: Sequence[tuple[float, float, int, int]] = EVALUATIONS, **changes: Any) -> Entry:
    """The entry of a run; ``changes`` are claims or facts by name, or what ``from_record`` takes beside them."""
    facts = {name: changes.pop(name) for name in list(changes) if name in Facts.__dataclass_fields__}
    return from_record(evaluations, replace(FACTS, **facts), changes.pop("written", WRITTEN), **{**CLAIMS, **changes})
