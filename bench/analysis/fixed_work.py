"""Fixed work: the training time of the same number of steps, independent of when a run reached the target.

It is the ``train`` clock over the recipe's whole schedule, or over some epochs of runs that were ended after them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.record import Record
from bench.record.clocks import CLOCKS, fixed_work_seconds

#: The only rules that a run ended on purpose may break.
_ENDED = frozenset({"finished"})


@dataclass(frozen=True)
class Work:
    """How much training is timed: ``epochs`` of each run, the first ``left_out`` of them not counted.

    None is the recipe's whole schedule.
    """

    epochs: int | None = None
    left_out: int = 0

    def __str__(self) -> str:
        if self.epochs is None:
            return f"{CLOCKS['train'].label}, whole schedule"
        first = self.left_out + 1
        span = f"epoch {first}" if first == self.epochs else f"epochs {first} to {self.epochs}"
        return f"{CLOCKS['train'].label}, {span}"

    def counts(self, record: Record) -> bool:
        """Return whether a run is compared: it ended well and is not invalid, except by being ended on purpose."""
        if record.verdict is None:
            raise ValueError("a record needs a verdict before it is counted")
        if self.epochs is None:
            return record.status == "done" and record.verdict.level != "invalid"
        bad = (reason.rule for reason in record.verdict.reasons if reason.level == "invalid")
        return record.status in ("done", "cut_short") and all(rule in _ENDED for rule in bad)

    def seconds(self, record: Record) -> float | None:
        """Return the training time of the work in one run; None if the run did not complete it, or the time is 0."""
        if _shares_its_process(record):
            return None
        if self.epochs is None:
            return fixed_work_seconds(CLOCKS["train"], record) or None
        wanted = range(self.left_out + 1, self.epochs + 1)
        trained = {each.epoch: each.train_seconds for each in record.epochs if each.train_seconds is not None}
        times = [trained.get(float(epoch)) for epoch in wanted]
        return math.fsum(each for each in times if each is not None) or None if None not in times else None


#: The default work of a comparison.
WHOLE_SCHEDULE = Work()


def left_out(records: Iterable[Record], work: Work) -> tuple[str, ...]:
    """Return the runs that are not compared, each with the reason, as `seed 3 (failed)`."""
    lines = []
    for record in records:
        if work.counts(record) and work.seconds(record) is not None:
            continue
        lines.append(f"seed {'?' if record.seed is None else record.seed} ({_why_left_out(record, work)})")
    return tuple(lines)


def _why_left_out(record: Record, work: Work) -> str:
    if not work.counts(record):
        return "invalid" if record.status == "done" else record.status.replace("_", " ")
    if _shares_its_process(record):
        return "one of several runs in a process, so without a time of its own"
    return "did not do all of the work"


def _shares_its_process(record: Record) -> bool:
    """Return whether several runs share a process, so that none has its own wall clock."""
    return (record.runs or 1) > 1
