"""The clocks: named, versioned policies that say which phases of a run count (contracts, section 2).

A clock is a stop-watch over phases, not a wall clock: it runs while a phase it counts runs and stands still between
phases and in the phases it does not count. DAWNBench counts loading, preprocessing and training and leaves evaluation
and checkpoints out; its fast entries also tuned their kernels on random data before the clock. Sums are whole
nanoseconds; a float is made once, at the end.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass

from bench.record import Record


@dataclass(frozen=True)
class Clock:
    """A policy: the phases that count. A change of the phases is a new version, so a label always means one sum."""

    name: str
    version: int
    phases: frozenset[str]

    @property
    def label(self) -> str:
        """The name and version shown with every time of this clock, for example ``dawnbench@1``."""
        return f"{self.name}@{self.version}"


#: Phases of an epoch that an evaluation reports.
_REPORTED = ("train_k", "eval_k")
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
#: The clock of the headline; it is always shown with the compile time and the cold time.
HEADLINE = CLOCKS["dawnbench"]


def cumulative_seconds(clock: Clock, record: Record) -> list[float]:
    """Return the clock at each evaluation of the record, in seconds; NaN if unknown."""
    if not _is_timed(record):
        return [math.nan] * len(record.epochs)
    return [nanoseconds / 1e9 for nanoseconds in _nanoseconds(clock, record)]


def to_target_seconds(clock: Clock, record: Record) -> float | None:
    """Return the clock at the first evaluation that reached the target.

    Infinite for a run that finished and missed; None, not known, for one that neither reached the target nor finished,
    or that does not say how long it trained.
    """
    if record.crossing_index is not None:
        if not _is_timed(record):
            return None
        return _nanoseconds(clock, record)[record.crossing_index] / 1e9
    return math.inf if record.status == "done" else None


def fixed_work_seconds(clock: Clock, record: Record) -> float | None:
    """Return the clock after the recipe's whole schedule; None if it was not completed, or unknown."""
    if not record.finished_schedule or not _is_timed(record):
        return None
    return sum(phase.duration_ns for phase in record.phases if phase.name in clock.phases) / 1e9


def _is_timed(record: Record) -> bool:
    """Return whether a training phase is known; without one every clock would be 0."""
    return any(each.name == "train_k" for each in record.phases)


def _nanoseconds(clock: Clock, record: Record) -> list[int]:
    """Return the clock at each evaluation: the phases that ended by then, and the phases being reported.

    The latter cover a trainer that announces an evaluation before it has closed its phases. The final
    evaluation with its views belongs to the last evaluation, which it follows. Phases and evaluations may be a hundred
    thousand each, so they are gone through once, in order of their times.
    """
    counted = sorted((each for each in record.phases if each.name in clock.phases), key=lambda each: each.end_ns)
    epochs = sorted({each.epoch for each in counted if each.name in _REPORTED and each.epoch is not None})
    running = _PrefixSums(len(epochs))  # what is reported and has not ended yet, by its epoch
    for phase in counted:
        if phase.name in _REPORTED and phase.epoch is not None:
            running.add(bisect_left(epochs, phase.epoch), phase.duration_ns)
    ended_ns, left = 0, deque(each for each in counted if each.name != "final_eval")
    found = [0] * len(record.epochs)
    for index, evaluation in sorted(enumerate(record.epochs), key=lambda each: each[1].at_ns):
        while left and left[0].end_ns <= evaluation.at_ns:
            phase = left.popleft()
            ended_ns += phase.duration_ns
            if phase.name in _REPORTED and phase.epoch is not None:
                running.add(bisect_left(epochs, phase.epoch), -phase.duration_ns)
        found[index] = ended_ns + running.up_to(bisect_right(epochs, evaluation.epoch))
    if found:
        found[-1] += sum(each.duration_ns for each in counted if each.name == "final_eval")
    return found


class _PrefixSums:
    """Whole numbers at ``size`` places, and the sum of the first of them, each in logarithmic time (a Fenwick tree)."""

    def __init__(self, size: int) -> None:
        self._sums = [0] * (size + 1)

    def add(self, place: int, number: int) -> None:
        place += 1
        while place < len(self._sums):
            self._sums[place] += number
            place += place & -place

    def up_to(self, count: int) -> int:
        """Return the sum of the first ``count`` values."""
        total = 0
        while count:
            total += self._sums[count]
            count -= count & -count
        return total
