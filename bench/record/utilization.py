"""Aggregates the ticks of ``telemetry.csv`` over the training they fall into, one after the other."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from bench.record.metrics import SPREADS, rate
from bench.record.model import Evaluation, PhaseSpan
from bench.record.telemetry import REASON_BITS, Sampling, Spread, Usage
from bench.record.ticks import IMPOSSIBLE, TelemetrySample, impossible

#: What a Usage has of the values that a tick holds.
_READ = tuple(each.name for each in SPREADS if each.reader)
_RATES = tuple((each.name, each.rate_of) for each in SPREADS if each.rate_of)


@dataclass(frozen=True)
class Training:
    """The phases that trained for one evaluation; ``epoch`` is the evaluation's."""

    epoch: float
    phases: tuple[PhaseSpan, ...]


def trainings(evaluations: Sequence[Evaluation], phases: Sequence[PhaseSpan]) -> tuple[Training, ...]:
    """Group the ``train_k`` phases by the evaluation that follows them; those after the last one by their own epoch."""
    trained = sorted((each for each in phases if each.name == "train_k" and each.epoch is not None), key=_epoch)
    epochs = [_epoch(each) for each in trained]
    found, begin = [], 0
    for epoch in (*(each.epoch for each in evaluations), *epochs):
        end = bisect_right(epochs, epoch, begin)
        if end > begin:
            found.append(Training(epoch, tuple(trained[begin:end])))
            begin = end
    return tuple(found)


def _epoch(phase: PhaseSpan) -> float:
    return math.nan if phase.epoch is None else phase.epoch


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of some values, None without any."""
    if not values:
        return None
    return Spread(len(values), math.fsum(values) / len(values), median(values), min(values), max(values))


@dataclass
class _Tally:
    ticks: int = 0
    values: dict[str, array[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, array("d")).append(value)

    def usage(self) -> Usage:
        return Usage(self.ticks, **{name: spread(values) for name, values in self.values.items()})


class _Seen(NamedTuple):
    """The values that a rate is made of at a tick, and the training it fell into."""

    t_ns: float
    training: int
    values: tuple[Any, ...]


class Ticks:
    """All ticks of a run so far; the trainings they may fall into are known before the first."""

    def __init__(self, found: Sequence[Training]) -> None:
        spans = [(each.begin_ns, each.end_ns, index) for index, one in enumerate(found) for each in one.phases]
        self._spans = sorted(spans)
        self._begins = [begin_ns for begin_ns, _, _ in self._spans]
        self._all, self._each = _Tally(), [_Tally() for _ in found]
        self._own: dict[str, array[float]] = {name: array("d") for name in ("cost_us", "took_us", "late_ms", "due_ns")}
        self._reasons, self._with_reasons = dict.fromkeys(REASON_BITS, 0), 0
        #: Of each rate the last tick at which it was read, None where that fell into no training.
        self._seen: dict[str, _Seen | None] = dict.fromkeys(name for name, _ in _RATES)
        self.ticks = 0
        self._foreign: int | None = None
        self._listed: int | None = None
        self.first_temperature_celsius: float | None = None
        #: Columns in which something was read.
        self.columns: set[str] = set()
        #: Cells that held what cannot be, by column.
        self.impossible: Counter[str] = Counter()
        #: When power was read (ns), and what it was.
        self.power: tuple[array[float], array[float]] = (array("d"), array("d"))

    def take(self, tick: TelemetrySample) -> None:
        """Add a tick, later than those before it."""
        self.ticks += 1
        self.columns.update(tick)
        self._take_own(tick)
        if IMPOSSIBLE in tick:
            self.impossible.update(impossible(tick))
        if "gpu_power_watts" in tick:
            self.power[0].append(tick["t_ns"])
            self.power[1].append(tick["gpu_power_watts"])
        if "gpu_processes" in tick:
            self._listed = max(self._listed or 0, int(tick["gpu_processes"]))
        if "foreign_processes" in tick:
            self._foreign = max(self._foreign or 0, int(tick["foreign_processes"]))
        if self.first_temperature_celsius is None:
            self.first_temperature_celsius = tick.get("gpu_temperature_celsius")
        training = self._training(tick["t_ns"])
        if training is not None:
            self._take_training(tick, training)
        self._take_rates(tick, training)

    def _training(self, t_ns: float) -> int | None:
        place = bisect_right(self._begins, t_ns) - 1
        return self._spans[place][2] if place >= 0 and t_ns <= self._spans[place][1] else None

    def _take_own(self, tick: TelemetrySample) -> None:
        for name in ("cost_us", "took_us", "late_ms"):
            if name in tick:
                self._own[name].append(tick[name])
        self._own["due_ns"].append(tick["t_ns"] - 1e6 * tick.get("late_ms", 0.0))

    def _take_training(self, tick: TelemetrySample, training: int) -> None:
        for tally in (self._all, self._each[training]):
            tally.ticks += 1
            for name in _READ:
                if name in tick:
                    tally.add(name, tick[name])
        if "event_reasons" in tick:
            self._with_reasons += 1
            for name, bit in REASON_BITS.items():
                self._reasons[name] += bool(int(tick["event_reasons"]) & bit)

    def _take_rates(self, tick: TelemetrySample, training: int | None) -> None:
        """Add rates since the tick before at which the same columns were read; both must lie in training."""
        for name, columns in _RATES:
            values = tuple(map(tick.get, columns))
            if None in values:
                continue
            before = self._seen[name]
            self._seen[name] = now = None if training is None else _Seen(tick["t_ns"], training, values)
            if before is None or now is None:
                continue
            found = rate(before.values, now.values, (now.t_ns - before.t_ns) / 1e9)
            if found is not None:  # A child that ended may take its CPU time with it.
                self._all.add(name, found)
                if before.training == now.training:
                    self._each[now.training].add(name, found)

    def foreign_processes(self, trains: bool) -> int | None:
        """Return the most seen on the card; None where the list was always empty although the card ``trains``."""
        return None if trains and not self._foreign and self._listed == 0 else self._foreign

    def training_usage(self) -> Usage:
        """Return the usage over all training."""
        return self._all.usage()

    def usages(self) -> list[Usage]:
        """Return the usage of each training, in their order."""
        return [tally.usage() for tally in self._each]

    def reason_shares(self) -> dict[str, float]:
        """Return the share of training ticks at which clocks were held down, by reason; empty if it was never read."""
        return {name: count / self._with_reasons for name, count in self._reasons.items() if self._with_reasons}

    def sampling(self, period_ms: float | None) -> Sampling:
        """Return what the sampler did, without its edges."""
        cost, took, late = (spread(self._own[name]) for name in ("cost_us", "took_us", "late_ms"))
        return Sampling(
            period_ms=period_ms,
            ticks=self.ticks,
            missed=self._missed(period_ms),
            cost_median_us=None if cost is None else cost.median,
            cost_max_us=None if cost is None else cost.max,
            took_max_us=None if took is None else took.max,
            late_median_ms=None if late is None else late.median,
            late_max_ms=None if late is None else late.max,
            cpu_seconds=None if cost is None else math.fsum(self._own["cost_us"]) / 1e6,
        )

    def _missed(self, period_ms: float | None) -> int | None:
        due_ns = self._own["due_ns"]
        if not self.ticks or period_ms is None or period_ms <= 0:
            return None
        gaps = (due_ns[index + 1] - due_ns[index] for index in range(len(due_ns) - 1))
        return sum(max(0, round(gap / (1e6 * period_ms)) - 1) for gap in gaps)
