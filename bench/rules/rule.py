"""A rule: a check of the machine before a run, of the run's record afterwards, or of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.record import Record
from bench.rules.facts import Facts

#: The version of the rule list. It goes up when a rule is added, dropped or changed, a threshold among it.
#:
#: 1  what a trainer claims against what was received, the data, the checkout
#: 2  the machine before and during the run: card, CPUs, memory, swap, page cache, telemetry, the input
#: 3  throttling by counter or reason, either alone and each cause by itself, counters as a share of the run's life;
#:    before a run, what the driver does not report of the card; waits against the training they are part of;
#:    processes that a trainer leaves behind
#: 4  the image that a trainer runs in: whether its contents are known, and how its code reached the GPU
#: 5  another GPU that does not answer; facts of the GPU that the driver did not give; one code 999
#:    loses no card; receipts that are late because the harness was busy are its own; a card in use before the trainer,
#:    processes that the driver does not list, calls that give nothing although they should, and impossible
#:    numbers; a checkout that git cannot read; what DOCKER_FLAGS make of the container
RULES = 5

OK, WARN, FAIL = "ok", "warn", "fail"
#: Levels of findings, the worst first.
LEVELS_OF_RULES = ("invalid", "suspect", "note")


@dataclass(frozen=True)
class Finding:
    """The result of a rule before a run: ``value``, its ``verdict``, and ``advice``, empty for ``ok``."""

    value: str
    verdict: str = OK
    advice: str = ""


@dataclass(frozen=True)
class Instead:
    """Advice that replaces a rule's own for a record of which ``holds`` is true; ``when`` says that in words."""

    when: str
    holds: Callable[[Record], bool]
    advice: str


@dataclass(frozen=True)
class Rule:
    """One rule of the list, under a ``name`` that records keep and a ``title`` that ``make doctor`` shows.

    ``before`` returns the finding on a machine, or None if the rule does not apply; ``after`` returns the evidence
    found in a record, or None. ``level`` and ``advice`` are empty for a rule that only applies before a run.
    ``threshold`` states the limit in words, made from the constants in use.
    ``instead`` is other advice for some records.
    """

    name: str
    title: str
    level: str = ""
    advice: str = ""
    threshold: str = ""
    before: Callable[[Facts], Finding | None] | None = None
    after: Callable[[Record], str | None] | None = None
    instead: Instead | None = None

    def advice_for(self, record: Record) -> str:
        """Return the advice for a run that breaks this rule."""
        return self.instead.advice if self.instead is not None and self.instead.holds(record) else self.advice


def was_contained(fingerprint: Mapping[str, object]) -> bool:
    """Return whether a run was made in a container, or by a harness in one."""
    return fingerprint.get("container.kind") not in (None, "none") or bool(fingerprint.get("run.engine"))


def in_container(advice: str) -> Instead:
    """Return advice for a run that was made in a container."""
    return Instead("in a container", lambda record: was_contained(record.fingerprint), advice)


def ok(value: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(value)


def warn(value: str, advice: str) -> Finding:
    """Return a finding that slows a run or makes it suspect."""
    return Finding(value, WARN, advice)


def fail(value: str, advice: str) -> Finding:
    """Return a finding that forbids a run."""
    return Finding(value, FAIL, advice)


def percent(share: float) -> str:
    """Return a share as text, with one more digit below 10 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
