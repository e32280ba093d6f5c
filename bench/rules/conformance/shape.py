"""Input and output of a conformance check: a program's starts, and the findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.record import Record
from bench.record.expected_run import ExpectedRun

#: NOT_TESTED: no start came far enough to check the rule.
PASS, FAIL, NOT_TESTED, HINT = "kept", "broken", "unseen", "hint"


@dataclass(frozen=True)
class Start:
    """One start of the program: the run requested, its record, and its events as received.

    ``left_running`` names processes that outlived it. ``seconds_to_end`` is the time from SIGTERM to the
    end, of a start that was stopped after its hello.
    """

    expected: ExpectedRun
    record: Record
    events: tuple[dict[str, Any], ...]
    left_running: tuple[str, ...] = ()
    seconds_to_end: float | None = None

    @property
    def done(self) -> bool:
        """Return whether the run completed."""
        return self.record.status == "done"


@dataclass(frozen=True)
class Starts:
    """Every start: whole runs, the second with another seed and another target, and one stopped after its hello."""

    runs: tuple[Start, ...]
    stopped: Start | None = None


@dataclass(frozen=True)
class Seen:
    """The result of a check: a verdict, what was seen, and what to do."""

    verdict: str
    evidence: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Finding:
    """A rule with the result of its check."""

    rule: str
    says: str
    verdict: str
    evidence: str
    advice: str
