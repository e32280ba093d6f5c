"""Fixed work: the training time of the same number of steps, which tells two machines apart whether or not a run
reached the target, and without the chance that lies in when it did.

It is the ``train`` clock over the recipe's whole schedule, or over some epochs of runs that were ended after them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.record import Record
from bench.record.clocks import CLOCKS, fixed_work_seconds

#: What is wrong with a run that was ended on purpose, and nothing else may be.
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
        """A judged run is part of a comparison: it ended well and is not invalid, but for being ended on purpose."""
        if record.verdict is None:
            raise ValueError("a record is judged before it is counted")
        if self.epochs is None:
            return record.status == "done" and record.verdict.level != "invalid"
        bad = (reason.rule for reason in record.verdict.reasons if reason.level == "invalid")
        return record.status in ("done", "cut_short") and all(rule in _ENDED for rule in bad)

    def seconds(self, record: Record) -> float | None:
        """The training time of the work in one run; None where the run did not do all of it, or in no time at all."""
        if _shares_its_process(record):
            return None
        if self.epochs is None:
            return fixed_work_seconds(CLOCKS["train"], record) or None
        wanted = range(self.left_out + 1, self.epochs + 1)
        trained = {each.epoch: each.train_seconds for each in record.epochs if each.train_seconds is not None}
        times = [trained.get(float(epoch)) for epoch in wanted]
        return math.fsum(each for each in times if each is not None) or None if None not in times else None


#: What a comparison times unless told otherwise.
WHOLE_SCHEDULE = Work()


def left_out(records: Iterable[Record], work: Work) -> tuple[str, ...]:
    """The runs that are no part of a comparison, each with why not, as `seed 3 (failed)`."""
    told = []
    for record in records:
        if work.counts(record) and work.seconds(record) is not None:
            continue
        told.append(f"seed {'?' if record.seed is None else record.seed} ({_why_left_out(record, work)})")
    return tuple(told)


def _why_left_out(record: Record, work: Work) -> str:
    if not work.counts(record):
        return "invalid" if record.status == "done" else record.status.replace("_", " ")
    if _shares_its_process(record):
        return "one of several runs in a process, so without a time of its own"
    return "did not do all of the work"


def _shares_its_process(record: Record) -> bool:
    """Several runs in one process share its start, and none has a time of its own."""
    return (record.runs or 1) > 1
