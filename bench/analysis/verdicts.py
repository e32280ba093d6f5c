"""The reasons behind the verdicts of several runs, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.record import Reason, Record

SYNTHETIC = "not a CIFAR-10 result: trained on the synthetic dataset, which only checks the harness"
_ORDER = {"note": 0, "suspect": 1, "invalid": 2}


@dataclass(frozen=True)
class Shared:
    """A reason and the seeds of its runs; no seeds where it is in every run."""

    rule: str
    level: str
    evidence: str
    advice: str
    seeds: tuple[str, ...] = ()


def shared(records: Sequence[Record]) -> list[Shared]:
    """Return every reason behind the verdicts of runs once, from harmless to bad."""
    found: dict[tuple[str, str], tuple[Reason, list[str]]] = {}
    for record in records:
        for reason in record.verdict.reasons if record.verdict else ():
            _, seeds = found.setdefault((reason.rule, reason.evidence), (reason, []))
            seeds.append("-" if record.seed is None else str(record.seed))
    ordered = sorted(found.values(), key=lambda each: _ORDER.get(each[0].level, 3))
    return [_shared(reason, seeds, everywhere=len(seeds) == len(records)) for reason, seeds in ordered]


def _shared(reason: Reason, seeds: Sequence[str], everywhere: bool) -> Shared:
    evidence = SYNTHETIC if reason.rule == "synthetic" else reason.evidence
    return Shared(reason.rule, reason.level, evidence, reason.advice, () if everywhere else tuple(seeds))
