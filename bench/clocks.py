"""The clocks: named, versioned policies that say which phases of a run count (contracts, section 2).

A clock is a stop-watch over phases, not a wall clock: it runs while a phase it counts runs and stands still between
phases and in the phases it does not count. DAWNBench counts loading, preprocessing and training and leaves evaluation
and checkpoints out; its fast entries also tuned their kernels on random data before the clock. Sums are whole
nanoseconds; a float is made once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.record import Evaluation, PhaseSpan, Record


@dataclass(frozen=True)
class Clock:
    """A policy: the phases that count. A change of the phases is a new version, so a label always means one sum."""

    name: str
    version: int
    phases: frozenset[str]

    @property
    def label(self) -> str:
        """What stands beside every time of this clock, for example ``dawnbench@1``."""
        return f"{self.name}@{self.version}"


_TRAIN = frozenset({"train_k"})
_RUN = _TRAIN | {"build", "preprocess"}
_DAWNBENCH = _RUN | {"data_load"}
_COLD = _DAWNBENCH | {"compile"}
_WALL = _COLD | {"import", "device_init", "eval_k", "checkpoint_k", "final_eval"}

#: The clock table, in the order of the columns of ``runs.csv``.
CLOCKS: dict[str, Clock] = {
    clock.name: clock
    for clock in (
        Clock("dawnbench", 1, _DAWNBENCH),
        Clock("dawnbench-cold", 1, _COLD),
        Clock("run", 1, _RUN | {"final_eval"}),
        Clock("train", 1, _TRAIN),
        Clock("wall", 1, _WALL),
    )
}
#: The clock of the headline; the compile time and the cold time always stand beside it.
HEADLINE = CLOCKS["dawnbench"]


def cumulative_seconds(clock: Clock, record: Record) -> list[float]:
    """The clock at each evaluation of the record, in seconds, in the record's order."""
    return [_nanoseconds_at(clock, record, index) / 1e9 for index in range(len(record.epochs))]


def to_target_seconds(clock: Clock, record: Record) -> float | None:
    """The clock at the first evaluation that reached the target.

    Infinite for a run that finished and missed; None, not known, for one that neither reached the target nor finished.
    """
    if record.crossing_index is not None:
        return _nanoseconds_at(clock, record, record.crossing_index) / 1e9
    return math.inf if record.status == "done" else None


def fixed_work_seconds(clock: Clock, record: Record) -> float | None:
    """The clock after the recipe's whole schedule, target or not; None where the run did not get there."""
    if not record.finished_schedule:
        return None
    return sum(phase.duration_ns for phase in record.phases if phase.name in clock.phases) / 1e9


def _nanoseconds_at(clock: Clock, record: Record, index: int) -> int:
    evaluation, last = record.epochs[index], index == len(record.epochs) - 1
    return sum(p.duration_ns for p in record.phases if p.name in clock.phases and _counts_at(p, evaluation, last))


def _counts_at(phase: PhaseSpan, evaluation: Evaluation, last: bool) -> bool:
    """Whether a phase lies before an evaluation: it ended by then, or is the training or evaluation being reported.

    The second half keeps a trainer honest that announces an evaluation before it has closed its phases. The final
    evaluation with its views belongs to the last evaluation, which it follows.
    """
    if phase.name == "final_eval":
        return last
    if phase.name in ("train_k", "eval_k") and phase.epoch is not None and phase.epoch <= evaluation.epoch:
        return True
    return phase.end_ns <= evaluation.at_ns
