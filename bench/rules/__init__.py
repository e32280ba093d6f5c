"""One list of rules, applied to the machine before a run and to the run's record afterwards.

A verdict is a pure function of a record and ``RULES``, the version of this list: two verdicts of one version compare.
A value that a record does not have breaks no rule. ``docs/reference/rules.md`` is generated from the list.

An ``invalid`` run is excluded from every statistic, a ``suspect`` one is kept and marked. A ``note`` does not change
the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.record import LEVELS, Reason, Record, Verdict
from bench.rules.card import CARD
from bench.rules.claims import CLAIMS
from bench.rules.data import DATA
from bench.rules.facts import CardState, Data, Facts
from bench.rules.image import IMAGE
from bench.rules.machine import MACHINE
from bench.rules.rule import FAIL, LEVELS_OF_RULES, OK, RULES, WARN, Finding, Rule
from bench.rules.software import SOFTWARE
from bench.rules.telemetry import TELEMETRY

__all__ = [
    "FAIL",
    "LEVELS_OF_RULES",
    "OK",
    "RULES",
    "RULE_LIST",
    "WARN",
    "CardState",
    "Check",
    "Data",
    "Facts",
    "Finding",
    "Rule",
    "run_preflight",
    "verdict_of",
    "with_verdict",
]

RULE_LIST: tuple[Rule, ...] = (*CLAIMS, *SOFTWARE, *IMAGE, *CARD, *DATA, *MACHINE, *TELEMETRY)


@dataclass(frozen=True)
class Check:
    """What one rule found before a run; ``check`` is its title."""

    rule: str
    check: str
    value: str
    verdict: str
    advice: str


def run_preflight(facts: Facts) -> tuple[Check, ...]:
    """Return what every rule that applies to this machine finds before a run."""
    answers = [(rule, rule.before(facts)) for rule in RULE_LIST if rule.before is not None]
    return tuple(
        Check(rule.name, rule.title, found.value, found.verdict, found.advice) for rule, found in answers if found
    )


def verdict_of(record: Record) -> Verdict:
    """Return the verdict on a record: every finding, and the worst level among them; a note does not count."""
    found = [(rule, rule.after(record)) for rule in RULE_LIST if rule.after is not None]
    reasons = tuple(
        Reason(rule.name, rule.level, evidence, rule.advice_for(record))
        for rule, evidence in found
        if evidence is not None
    )
    level = max((each.level for each in reasons if each.level in LEVELS), key=LEVELS.index, default=LEVELS[0])
    return Verdict(RULES, level, reasons)


def with_verdict(record: Record) -> Record:
    """Return the record with its verdict."""
    return replace(record, verdict=verdict_of(record))
