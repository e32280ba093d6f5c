"""Whether a program keeps the contract of a trainer (docs/trainers.md), rule by rule."""

from bench.rules.conformance.hints import hints
from bench.rules.conformance.rules import RULES, SECONDS_TO_END, findings
from bench.rules.conformance.shape import BROKEN, HINT, KEPT, UNSEEN, Finding, Seen, Start, Starts

__all__ = [
    "BROKEN",
    "HINT",
    "KEPT",
    "RULES",
    "SECONDS_TO_END",
    "UNSEEN",
    "Finding",
    "Seen",
    "Start",
    "Starts",
    "findings",
    "hints",
]
