"""Check a program against the trainer contract (docs/reference/protocol.md), rule by rule."""

from bench.rules.conformance.hints import hints
from bench.rules.conformance.rules import RULES, SECONDS_TO_END, findings
from bench.rules.conformance.shape import FAIL, HINT, NOT_TESTED, PASS, Finding, Seen, Start, Starts

__all__ = [
    "FAIL",
    "HINT",
    "NOT_TESTED",
    "PASS",
    "RULES",
    "SECONDS_TO_END",
    "Finding",
    "Seen",
    "Start",
    "Starts",
    "findings",
    "hints",
]
