"""How long each epoch of a run waited for its input, and how long it trained: the shares of stalls.

The waits of the first epoch include first-use costs, which are no stalls: it is left out of every share of a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.record.model import Record, WaitHistogram


@dataclass(frozen=True)
class Waited:
    """An epoch of training whose waits are known; ``stall_seconds`` is ``wait_seconds`` beyond the baseline."""

    epoch: float
    train_seconds: float
    wait_seconds: float
    stall_seconds: float


def waited(record: Record) -> tuple[Waited, ...]:
    """Return the epochs that were trained and whose waits are known, by number."""
    train_ns: dict[float, int] = {}
    for phase in record.phases:
        if phase.name == "train_k" and phase.epoch is not None:
            train_ns[phase.epoch] = train_ns.get(phase.epoch, 0) + phase.duration_ns
    waits: dict[float, list[WaitHistogram]] = {epoch: [] for epoch in sorted(train_ns)}
    for each in record.waits:
        if each.epoch in waits:
            waits[each.epoch].append(each)
    return tuple(_of(epoch, train_ns[epoch] / 1e9, found) for epoch, found in waits.items() if _known(found))


def stall_share(epochs: Iterable[Waited]) -> float | None:
    """Return the share of training in these epochs that was waiting beyond the baseline; None without training."""
    epochs = tuple(epochs)
    train_seconds = math.fsum(each.train_seconds for each in epochs)
    return math.fsum(each.stall_seconds for each in epochs) / train_seconds if train_seconds > 0 else None


def after_first(record: Record) -> tuple[Waited, ...]:
    """Return those of ``waited`` after the first epoch that was trained."""
    first = _first(record)
    return tuple(each for each in waited(record) if each.epoch > first)


@dataclass(frozen=True)
class Level:
    """The prefetch buffer over ``samples`` readings: mean batches ready, of ``capacity``, and the share found empty."""

    samples: int
    mean: float | None
    capacity: int | None
    empty_share: float | None


def level(waits: Sequence[WaitHistogram]) -> Level | None:
    """Return the level over all readings of the buffer; None without any."""
    seen = [each for each in waits if each.level_samples]
    if not seen:
        return None
    return Level(
        samples=sum(each.level_samples or 0 for each in seen),
        mean=_weighted((each.level_samples, each.level_mean) for each in seen),
        capacity=next((each.level_capacity for each in seen if each.level_capacity is not None), None),
        empty_share=_weighted((each.level_samples, each.level_empty_share) for each in seen),
    )


def level_after_first(record: Record) -> Level | None:
    """Return the level of the buffer after the first epoch; None without readings."""
    first = _first(record)
    return level([each for each in record.waits if each.epoch > first])


def _first(record: Record) -> float:
    """The first epoch that was trained; infinite where none was."""
    trained = (each.epoch for each in record.phases if each.name == "train_k" and each.epoch is not None)
    return min(trained, default=math.inf)


def _weighted(looks: Iterable[tuple[int | None, float | None]]) -> float | None:
    known = [(samples, value) for samples, value in looks if samples and value is not None]
    samples = sum(each for each, _ in known)
    return math.fsum(each * value for each, value in known) / samples if samples else None


def _known(waits: Sequence[WaitHistogram]) -> bool:
    return bool(waits) and all(each.sum_us is not None for each in waits)


def _of(epoch: float, train_seconds: float, waits: Sequence[WaitHistogram]) -> Waited:
    wait_seconds = math.fsum(each.sum_us or 0.0 for each in waits) / 1e6
    return Waited(epoch, train_seconds, wait_seconds, math.fsum(each.stall_seconds or 0.0 for each in waits))
