"""The energy of a card over a run: what its counter grew by or, where it has none, the power read over time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from bench.record.counter_snapshots import CounterSnapshot, bounded, named
from bench.record.metrics import MOST_WATTS
from bench.record.model import Record
from bench.record.telemetry import LEAST_TICKS, Energy
from bench.record.utilization import Training

#: Edges further from the ends of a training than this share of it are not the edges of that training.
_LARGEST_SLIP = 0.1
#: More than any counter waits for its next step.
_STEP_SECONDS = 1.0
#: The phases of an honest run follow each other, so that each reading falls into one.
_MOST_OVERLAP = 2


@dataclass(frozen=True)
class Power:
    """The power that was read, in watts, at times in nanoseconds that increase."""

    times_ns: Sequence[float] = ()
    watts: Sequence[float] = ()

    def joules(self, begin_ns: float, end_ns: float, least: int = 2) -> float | None:
        """Return the energy between two times by the trapezoidal rule; power is constant beyond the outermost readings.

        None where fewer than ``least`` readings fall between them.
        """
        first, last = bisect_left(self.times_ns, begin_ns), bisect_left(self.times_ns, end_ns)
        if last - first < max(least, 1) or end_ns <= begin_ns:
            return None
        inner = list(zip(self.times_ns[first:last], self.watts[first:last], strict=True))
        points = [(begin_ns, self._at(begin_ns, first)), *inner, (end_ns, self._at(end_ns, last))]
        return math.fsum((t1 - t0) / 1e9 * (w0 + w1) / 2 for (t0, w0), (t1, w1) in pairwise(points))

    def readings(self, begin_ns: float, end_ns: float) -> int:
        """Count the readings between two times, in logarithmic time."""
        return max(0, bisect_left(self.times_ns, end_ns) - bisect_left(self.times_ns, begin_ns))

    def _at(self, t_ns: float, after: int) -> float:
        """Return the power at a time; ``after`` is the index of the first reading not before it."""
        if after == 0 or after == len(self.watts):
            return self.watts[min(after, len(self.watts) - 1)]
        t0, t1 = self.times_ns[after - 1], self.times_ns[after]
        w0, w1 = self.watts[after - 1], self.watts[after]
        return w0 + (w1 - w0) * (t_ns - t0) / (t1 - t0)


@dataclass(frozen=True)
class EnergyMeter:
    """The data for the energy of a run; ``gpu`` is the table of ``harness_sampler``."""

    edges: Sequence[CounterSnapshot] = ()
    power: Power = Power()
    gpu: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def counts(self) -> bool:
        """Return whether the card's counter was read at least once."""
        return any(each.energy_mj is not None for each in self.edges)

    @cached_property
    def trouble(self) -> str:
        """Why differences of the counter cannot be used, empty where they can: it went back, as when the driver is
        reloaded, or grew by more than any card uses.
        """
        known = [(each.t_ns, each.energy_mj) for each in self.edges if each.energy_mj is not None]
        for (before_ns, before_mj), (t_ns, mj) in pairwise(known):
            if mj < before_mj:
                return "the energy counter was reset during the run"
            if mj - before_mj > 1000 * MOST_WATTS * (abs(t_ns - before_ns) / 1e9 + _STEP_SECONDS):
                return "the energy counter made a jump that no card could"
        return ""

    @cached_property
    def place_of_training(self) -> Mapping[float | None, int]:
        """Where the first edge at the end of a training is among the edges, by its epoch."""
        found: dict[float | None, int] = {}
        for place, each in enumerate(self.edges):
            if each.name == "train_k":
                found.setdefault(each.epoch, place)
        return found

    @cached_property
    def uncertainty_joules(self) -> float | None:
        """What the difference of two edges can be off by, each by one step of the counter; None where it is unknown.

        A step is the energy since the step before, so it grows with the load, and ``energy_step_mj`` was measured while
        the card was idle. The uncertainty of an edge is the larger of that and of ``energy_step_ms`` at the largest
        power read in the run; without power the size of a step is unknown.
        """
        step_ms = bounded(self.gpu, "energy_step_ms")
        if step_ms is None or step_ms < 0 or not self.power.watts:
            return None
        idle_mj = bounded(self.gpu, "energy_step_mj") or 0.0
        return 2 * max(idle_mj, step_ms * max(self.power.watts)) / 1000


def energy(meter: EnergyMeter, record: Record, why_none: str) -> Energy:
    """Return the energy of a run; ``why_none`` is the reason where neither a counter nor power was read."""
    if meter.trouble:
        return Energy(source="counter", why_empty=meter.trouble)
    return _counted(meter, record, why_none) if meter.counts else _integrated(meter, record, why_none)


def _counted(meter: EnergyMeter, record: Record, why_none: str) -> Energy:
    # A trainer has a phase `exit`, too; the process ends after it.
    begin, end = named(meter.edges, "spawn"), named(meter.edges[::-1], "exit")
    begin_mj = None if begin is None else begin.energy_mj
    end_mj = None if end is None else end.energy_mj
    crossed = _crossing_edge(meter.edges, record)
    missing = "start" if begin_mj is None else "end" if end_mj is None else ""
    return Energy(
        run_joules=_joules(begin_mj, end_mj),
        to_target_joules=None if crossed is None else _joules(begin_mj, crossed.energy_mj),
        uncertainty_joules=meter.uncertainty_joules,
        source="counter",
        why_empty=(why_none or f"the energy counter was not read at the run's {missing}") if missing else "",
        begin_mj=begin_mj,
        end_mj=end_mj,
    )


def _crossing_edge(edges: Sequence[CounterSnapshot], record: Record) -> CounterSnapshot | None:
    """The edge at the end of the training that reached the target, None where it was read too late."""
    epoch = crossing_phase_epoch(record)
    found = None if epoch is None else named(edges, "train_k", epoch)
    trained = next((each for each in record.phases if (each.name, each.epoch) == ("train_k", epoch)), None)
    if found is None or trained is None:
        return None
    return found if abs(found.t_ns - trained.end_ns) <= _LARGEST_SLIP * trained.duration_ns else None


def _joules(begin_mj: int | None, end_mj: int | None) -> float | None:
    return None if begin_mj is None or end_mj is None else (end_mj - begin_mj) / 1000


def _integrated(meter: EnergyMeter, record: Record, why_none: str) -> Energy:
    begin_ns, end_ns = record.spawned_ns, record.exited_ns
    if begin_ns is None or end_ns is None or not meter.power.watts:
        return Energy(why_empty=why_none or "the card gives neither energy nor power")
    joules = None if why_none else meter.power.joules(begin_ns, end_ns)
    if joules is None:
        return Energy(why_empty=why_none or "power was read less than twice in the run")
    crossed = crossing_phase_epoch(record)
    trained = [each.end_ns for each in record.phases if each.name == "train_k" and each.epoch == crossed]
    target_ns = max(trained, default=None) if crossed is not None else None
    return Energy(
        run_joules=joules,
        to_target_joules=None if target_ns is None else meter.power.joules(begin_ns, target_ns),
        source="power",
    )


def crossing_phase_epoch(record: Record) -> float | None:
    """The epoch of the last training before the evaluation that reached the target; None where there is none."""
    if record.crossing is None:
        return None
    trained = (each.epoch for each in record.phases if each.name == "train_k" and each.epoch is not None)
    return max((epoch for epoch in trained if epoch <= record.crossing.epoch), default=None)


@dataclass(frozen=True)
class TrainEnergy:
    """The energy of the card during a training and its uncertainty, unknown where power was summed; None: unknown."""

    joules: float | None = None
    uncertainty_joules: float | None = None


def train_energies(meter: EnergyMeter, found: Sequence[Training]) -> list[TrainEnergy]:
    """Return the energy of each training; unknown where they overlap so much that power would be summed repeatedly."""
    if not meter.counts:
        phases = (phase for training in found for phase in training.phases)
        readings = sum(meter.power.readings(each.begin_ns, each.end_ns) for each in phases)
        if readings > _MOST_OVERLAP * len(meter.power.times_ns):
            return [TrainEnergy()] * len(found)
    return [train_energy(meter, each) for each in found]


def train_energy(meter: EnergyMeter, training: Training) -> TrainEnergy:
    """Return the energy of the card during a training, unknown where a phase lacks a reading at an end.

    Each phase has two edges of its own, so each adds the uncertainty of two.
    """
    if meter.trouble:
        return TrainEnergy()
    parts = []
    for phase in training.phases:
        if meter.counts:
            parts.append(_counted_between(meter, phase.begin_ns, phase.end_ns, phase.epoch))
        else:
            parts.append(meter.power.joules(phase.begin_ns, phase.end_ns, LEAST_TICKS))
    known = [each for each in parts if each is not None]
    if len(known) < len(parts):
        return TrainEnergy()
    uncertainty = meter.uncertainty_joules if meter.counts else None
    return TrainEnergy(math.fsum(known), None if uncertainty is None else uncertainty * len(parts))


def _counted_between(meter: EnergyMeter, begin_ns: int, end_ns: int, epoch: float | None) -> float | None:
    """By the edge of the training's end and the one before it, both read close to its end and its begin."""
    place = meter.place_of_training.get(epoch, 0)
    if place == 0:
        return None
    before, after = meter.edges[place - 1], meter.edges[place]
    slip_ns = max(abs(before.t_ns - begin_ns), abs(after.t_ns - end_ns))
    close = slip_ns <= _LARGEST_SLIP * (end_ns - begin_ns)
    return _joules(before.energy_mj, after.energy_mj) if close else None
