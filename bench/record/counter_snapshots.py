"""The counters that the sampler read where a phase, or the run, began or ended (its edges): lines among the events.

The growth between two edges is exact, which a sum over ticks is not. A counter that went back was reset, and its growth
is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.record.event_lines import number, table, text, whole
from bench.record.metrics import COUNTERS

#: Larger numbers are no measurement, and their differences might not be finite.
_END = 2.0**63
_BELOW = {each.name: each.below for each in COUNTERS}


@dataclass(frozen=True)
class CounterSnapshot:
    """One reading of COUNTERS; None, or a missing key, is a value that could not be read."""

    name: str
    t_ns: int
    epoch: float | None = None
    cost_us: float | None = None
    energy_mj: int | None = None
    temperature_celsius: float | None = None
    trainer_cpu_seconds: float | None = None
    system_busy_seconds: float | None = None
    steal_seconds: float | None = None
    swapped_bytes: int | None = None
    read_bytes: int | None = None
    throttled_seconds: float | None = None
    lost_ns: Mapping[str, float] = field(default_factory=dict)
    pressure_seconds: Mapping[str, float] = field(default_factory=dict)


def possible(read: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what was read without the impossible numbers, also those in tables, and the names of these."""
    kept, wrong = dict[str, Any](), list[str]()
    for name, value in read.items():
        if isinstance(value, Mapping):
            kept[name] = {key: inner for key, inner in value.items() if _can_be(name, inner)}
            wrong += [name] * (len(value) - len(kept[name]))
        elif _can_be(name, value):
            kept[name] = value
        else:
            wrong.append(name)
    return kept, wrong


def _can_be(name: str, value: Any) -> bool:
    end = _BELOW.get(name, _END)
    return not isinstance(value, (int, float)) or -end < value < end


def edge(body: Mapping[str, Any]) -> CounterSnapshot | None:
    """Return the snapshot of a line of ``events.jsonl``, None for one without a name or a time."""
    name, t_ns = text(body, "edge"), whole(body, "t_ns")
    if name is None or t_ns is None:
        return None
    return CounterSnapshot(
        name,
        t_ns,
        epoch=bounded(body, "epoch"),
        cost_us=bounded(body, "cost_us"),
        energy_mj=whole(body, "energy_mj"),
        temperature_celsius=bounded(body, "temperature_celsius"),
        trainer_cpu_seconds=bounded(body, "trainer_cpu_seconds"),
        system_busy_seconds=bounded(body, "system_busy_seconds"),
        steal_seconds=bounded(body, "steal_seconds"),
        swapped_bytes=whole(body, "swapped_bytes"),
        read_bytes=whole(body, "read_bytes"),
        throttled_seconds=bounded(body, "throttled_seconds"),
        lost_ns=_numbers(body, "lost_ns"),
        pressure_seconds=_numbers(body, "pressure_seconds"),
    )


def bounded(body: Mapping[str, Any], key: str) -> float | None:
    """Return the number under ``key`` where its sums and differences are finite, else None."""
    value = number(body, key)
    return value if value is not None and -_END < value < _END else None


def _numbers(body: Mapping[str, Any], key: str) -> dict[str, float]:
    inner = table(body, key)
    return {name: value for name in inner if (value := bounded(inner, name)) is not None}


def named(edges: Sequence[CounterSnapshot], name: str, epoch: float | None = None) -> CounterSnapshot | None:
    """Return the first edge of a name, of that epoch where one is given."""
    return next((each for each in edges if each.name == name and (epoch is None or each.epoch == epoch)), None)


@dataclass(frozen=True)
class Growth:
    """What a counter grew by, and the time it had for that."""

    amount: float
    seconds: float


def growth(edges: Sequence[CounterSnapshot], read: Callable[[CounterSnapshot], float | None]) -> Growth | None:
    """Return how far a counter came from its first reading to its last; None with fewer than two, or a reset."""
    return _growth([(each.t_ns, value) for each in edges if (value := read(each)) is not None])


def _growth(known: Sequence[tuple[int, float]]) -> Growth | None:
    values = [value for _, value in known]
    if len(known) < 2 or values != sorted(values):
        return None
    return Growth(values[-1] - values[0], (known[-1][0] - known[0][0]) / 1e9)


def amount(edges: Sequence[CounterSnapshot], read: Callable[[CounterSnapshot], float | None]) -> float | None:
    """Return what a counter grew by, None as in ``growth``."""
    found = growth(edges, read)
    return None if found is None else found.amount


def amounts(
    edges: Sequence[CounterSnapshot], read: Callable[[CounterSnapshot], Mapping[str, float]]
) -> dict[str, Growth]:
    """Return how far each of several counters came, by name, without those of which it is not known."""
    known: dict[str, list[tuple[int, float]]] = {}
    for each in edges:
        for name, value in read(each).items():
            known.setdefault(name, []).append((each.t_ns, value))
    found = {name: _growth(known[name]) for name in sorted(known)}
    return {name: grown for name, grown in found.items() if grown is not None}
