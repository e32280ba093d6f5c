"""Builds a record's Telemetry from the ticks and edges of a run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.record.counter_snapshots import CounterSnapshot, amount, amounts, bounded, edge, named, possible
from bench.record.energy import EnergyMeter, Power, energy, train_energies
from bench.record.event_lines import table, text, whole
from bench.record.metrics import COUNTERS, SAMPLED, read_from
from bench.record.model import Record
from bench.record.telemetry import LEAST_TICKS, SILENT, TELEMETRY_FILE, EpochUsage, Sampling, Telemetry, Usage
from bench.record.ticks import Damaged, TelemetrySample
from bench.record.utilization import Ticks, Training, trainings

NO_GPU = "no GPU"
#: What each call of a card gives: a column of the ticks, the first of several, or a counter of the edges.
_GIVES = {each.call: each.name for each in read_from("gpu", (*COUNTERS, *reversed(SAMPLED)))}


@dataclass
class MachineLines:
    """Collects the sampler's lines among the events of a run."""

    sampler: dict[str, Any] | None = None
    edges: list[CounterSnapshot] = field(default_factory=list)
    gpu_lost: str = ""
    impossible: Counter[str] = field(default_factory=Counter)

    def take_sampler(self, body: dict[str, Any]) -> None:
        """``harness_sampler``: the first one counts."""
        self.sampler = body if self.sampler is None else self.sampler

    def take_edge(self, body: dict[str, Any]) -> bool:
        """``harness_edge``: return whether it has a name and a time."""
        kept, wrong = possible(body)
        self.impossible.update(wrong)
        found = edge(kept)
        if found is not None:
            self.edges.append(found)
        return found is not None

    def take_impossible(self, body: dict[str, Any]) -> None:
        """``harness_impossible``: counts of numbers that were left empty."""
        counts = table(body, "counts")
        self.impossible.update({name: count for name in counts if (count := whole(counts, name)) is not None})

    def take_gpu_lost(self, body: dict[str, Any]) -> None:
        """``harness_gpu_lost``: the first one counts."""
        self.gpu_lost = self.gpu_lost or text(body, "why") or "it stopped answering"


def telemetry(lines: MachineLines, ticks: Iterable[TelemetrySample] | None, record: Record) -> Telemetry:
    """Return the telemetry of a run whose phases and evaluations are in ``record``; ``ticks`` is None without a file.

    A run made before there was a sampler has an empty one.
    """
    sampler = lines.sampler or {}
    if lines.sampler is None and not lines.edges and ticks is None:
        return Telemetry()
    found = trainings(record.epochs, record.phases)
    seen, why_no_ticks = _seen(found, ticks)
    off = sampler.get("off") is True
    gpu = table(sampler, "gpu")
    power = Power(*seen.power)
    meter = EnergyMeter(lines.edges, power, gpu)
    why_no_energy = _why_no_energy(off, gpu, lines, meter)
    sampling = replace(seen.sampling(bounded(sampler, "period_ms")), off=off, why_no_ticks="" if off else why_no_ticks)
    host_absent = sampler.get("host_absent")
    return Telemetry(
        sampling=_with_edges(sampling, lines.edges),
        gpu={**gpu, **_calls(gpu, lines, seen)},
        why_no_gpu=text(sampler, "why_no_gpu") or "",
        gpu_lost=lines.gpu_lost,
        host_absent=tuple(str(name) for name in host_absent) if isinstance(host_absent, list) else (),
        impossible=dict(sorted((lines.impossible + seen.impossible).items())),
        training=seen.training_usage(),
        epochs=_epochs(found, seen, meter, _why_no_usage(sampling)),
        energy=energy(meter, record, why_no_energy),
        start_temperature_celsius=_start_temperature(lines.edges, seen),
        foreign_processes=seen.foreign_processes(gpu.get("role") == "trains"),
        reason_shares=dict(seen.reason_shares()),
        **_host(lines.edges),
    )


def _seen(found: tuple[Training, ...], ticks: Iterable[TelemetrySample] | None) -> tuple[Ticks, str]:
    seen = Ticks(found)
    if ticks is None:
        return seen, f"there is no {TELEMETRY_FILE}"
    try:
        for tick in ticks:
            seen.take(tick)
    except Damaged as why:
        return Ticks(found), str(why)
    return seen, "" if seen.ticks else "the sampler left no ticks"


def _calls(gpu: Mapping[str, Any], lines: MachineLines, seen: Ticks) -> dict[str, Any]:
    """The ``calls`` of a card that was there to the end, SILENT those that answered at its opening and never since.

    Empty for a card without them, or with too few ticks. An impossible number is an answer, too.
    """
    calls = table(gpu, "calls")
    if not calls or lines.gpu_lost or seen.ticks < LEAST_TICKS:
        return {}
    given = seen.columns | (lines.impossible + seen.impossible).keys()
    given |= {"energy_mj" for each in lines.edges if each.energy_mj is not None}
    given |= {"gpu_temperature_celsius" for each in lines.edges if each.temperature_celsius is not None}
    given |= {f"lost_{cause}" for each in lines.edges for cause in each.lost_ns}

    def is_silent(name: str) -> bool:
        if name.startswith("lost_"):
            return not given & {name, "lost_ns"}
        return name in _GIVES and _GIVES[name] not in given

    return {"calls": {name: SILENT if why == "yes" and is_silent(name) else why for name, why in calls.items()}}


def _with_edges(sampling: Sampling, edges: list[CounterSnapshot]) -> Sampling:
    costs_us = [each.cost_us for each in edges if each.cost_us is not None]
    if not costs_us:
        return sampling
    return replace(sampling, cpu_seconds=(sampling.cpu_seconds or 0.0) + math.fsum(costs_us) / 1e6)


def _why_no_usage(sampling: Sampling) -> str:
    return "telemetry was off" if sampling.off else sampling.why_no_ticks


def _why_no_energy(off: bool, gpu: Mapping[str, Any], lines: MachineLines, meter: EnergyMeter) -> str:
    if off:
        return "telemetry was off"
    if lines.gpu_lost:
        return f"the GPU was lost: {lines.gpu_lost}"
    return "" if gpu or meter.counts or meter.power.watts else NO_GPU


def _epochs(found: tuple[Training, ...], seen: Ticks, meter: EnergyMeter, why_none: str) -> tuple[EpochUsage, ...]:
    return tuple(
        EpochUsage(
            epoch=training.epoch,
            ticks=usage.ticks,
            usage=usage if usage.ticks >= LEAST_TICKS else None,
            why_empty=_why_empty(usage, why_none),
            train_joules=spent.joules,
            train_uncertainty_joules=spent.uncertainty_joules,
        )
        for training, usage, spent in zip(found, seen.usages(), train_energies(meter, found), strict=True)
    )


def _why_empty(usage: Usage, why_none: str) -> str:
    if why_none or usage.ticks >= LEAST_TICKS:
        return why_none
    return f"{usage.ticks} tick{'' if usage.ticks == 1 else 's'} in the epoch; {LEAST_TICKS} are needed"


def _start_temperature(edges: list[CounterSnapshot], seen: Ticks) -> float | None:
    spawn = named(edges, "spawn")
    if spawn is not None and spawn.temperature_celsius is not None:
        return spawn.temperature_celsius
    return seen.first_temperature_celsius


def _host(edges: list[CounterSnapshot]) -> dict[str, Any]:
    steal, busy = amount(edges, lambda each: each.steal_seconds), amount(edges, lambda each: each.system_busy_seconds)
    swapped = amount(edges, lambda each: each.swapped_bytes)
    lost = amounts(edges, lambda each: each.lost_ns)
    pressure = amounts(edges, lambda each: each.pressure_seconds)
    return {
        "lost_seconds": {cause: each.amount / 1e9 for cause, each in lost.items()},
        "steal_share": steal / (steal + busy) if steal is not None and busy is not None and steal + busy > 0 else None,
        "swapped_bytes": None if swapped is None else int(swapped),
        "read_bytes": _read_bytes(edges),
        "throttled_seconds": amount(edges, lambda each: each.throttled_seconds),
        "pressure_shares": {name: each.amount / each.seconds for name, each in pressure.items() if each.seconds > 0},
    }


def _read_bytes(edges: list[CounterSnapshot]) -> int | None:
    """The last reading less that of the spawn, as a process's own counter begins at 0."""
    known = [each.read_bytes for each in edges if each.read_bytes is not None]
    spawn = named(edges, "spawn")
    read = known[-1] - ((spawn and spawn.read_bytes) or 0) if known else None
    return read if read is None or read >= 0 else None
