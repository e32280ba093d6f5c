"""What a check of a trainer looks at, the starts of its program, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.record import Record
from bench.record.expected_run import ExpectedRun

#: A rule is kept, broken, or unseen where no start came far enough to tell; a hint is no rule.
PASS, FAIL, NOT_TESTED, HINT = "kept", "broken", "unseen", "hint"


@dataclass(frozen=True)
class Start:
    """One start of the program: what was asked of it, its record, and its own events as they came.

    ``left_running`` names processes that outlived it. ``seconds_to_end``, of a start that was stopped after its
    greeting, is the time from SIGTERM to its end.
    """

    asked: ExpectedRun
    record: Record
    events: tuple[dict[str, Any], ...]
    left_running: tuple[str, ...] = ()
    seconds_to_end: float | None = None

    @property
    def done(self) -> bool:
        """The run ended well."""
        return self.record.status == "done"


@dataclass(frozen=True)
class Starts:
    """Every start: whole runs, the second with another seed and another target, and one stopped after its greeting."""

    runs: tuple[Start, ...]
    stopped: Start | None = None


@dataclass(frozen=True)
class Seen:
    """What a rule's look came to: a verdict, what was seen, and what to do about it."""

    verdict: str
    evidence: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Finding:
    """A rule, what it says, and what was seen of it."""

    rule: str
    says: str
    verdict: str
    evidence: str
    advice: str
