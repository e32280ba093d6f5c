"""A machine as the sampler would have read it: what it does is constant, so that every sum can be made by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.record.telemetry import COLUMNS
from bench.record.ticks import TelemetrySample

NS = 1_000_000_000
Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Machine:
    """A card that takes ``training_watts`` while it trains and ``idle_watts`` else, and CPUs kept busy evenly.

    The energy counter moves every 20 ms. A tick is ``late_ms`` behind its schedule of ``period_ms``. ``gpu`` false:
    there is no card. ``sampler``, ``edges`` and ``every_tick`` change what is written; None takes a value away.
    """

    training_watts: float = 250.0
    idle_watts: float = 100.0
    begin_mj: int = 1_000_000
    counter: bool = True
    trainer_cores: float = 1.5
    other_cores: float = 0.25
    period_ms: float = 500.0
    late_ms: float = 1.0
    gpu: bool = True
    role: str = "trains"
    calls: Mapping[str, str] = field(default_factory=dict)
    sampler: Mapping[str, Any] = field(default_factory=dict)
    edges: Mapping[str, Any] = field(default_factory=dict)
    every_tick: Mapping[str, float | None] = field(default_factory=dict)

    def sampler_line(self) -> dict[str, Any]:
        """``harness_sampler``."""
        card = {"name": "Tesla V100-SXM2-16GB", "uuid_hash": "0" * 16, "role": self.role, "calls": dict(self.calls)}
        step = {"energy_step_ms": 20.0, "energy_step_mj": 20.0 * self.idle_watts}
        return {
            "period_ms": self.period_ms,
            "gpu": {**card, **step, "processes": "pids"} if self.gpu else None,
            "why_no_gpu": "" if self.gpu else "there is no NVIDIA driver library (libnvidia-ml.so.1)",
            "host_absent": [],
            "off": False,
            **self.sampler,
        }

    def edge(self, t_ns: int, spawned_ns: int, training: Spans) -> dict[str, Any]:
        """What is read at an edge, its name apart."""
        seconds = (t_ns - spawned_ns) / NS
        card = {
            "energy_mj": self.begin_mj + self._millijoules(spawned_ns, t_ns, training) if self.counter else None,
            "lost_ns": {"software_power_cap": 5_000_000 + round(0.1 * (t_ns - spawned_ns)), "hardware_thermal": 7},
            "temperature_celsius": 41,
        }
        host = {
            "trainer_cpu_seconds": self.trainer_cores * seconds,
            "system_busy_seconds": 500 + (self.trainer_cores + self.other_cores) * seconds,
            "steal_seconds": 3 + 0.25 * seconds,
            "swapped_bytes": 4096,
            "read_bytes": 1000 * round(seconds),
            "throttled_seconds": 1 + 0.5 * seconds,
            "pressure_seconds": {"cpu": 9 + 0.125 * seconds, "io": 2.0},
        }
        read = {"cost_us": 2000.0, **(card if self.gpu else {}), **host}
        return {**read, **{name: value for name, value in self.edges.items() if name in read}}

    def _millijoules(self, begin_ns: int, end_ns: int, training: Spans) -> int:
        trained_ns = sum(min(end, end_ns) - begin for begin, end in training if begin < end_ns)
        idle_ns = end_ns - begin_ns - trained_ns
        return round((self.training_watts * trained_ns + self.idle_watts * idle_ns) / 1e6)

    def ticks(self, spawned_ns: int, exited_ns: int, training: Spans) -> list[TelemetrySample]:
        """The ticks of a run: one a period from its spawn to its exit; of the whole machine on every second one."""
        period_ns, late_ns = round(self.period_ms * 1e6), round(self.late_ms * 1e6)
        times = range(spawned_ns + late_ns, exited_ns, period_ns)
        return [self._tick(number, t_ns, spawned_ns, training) for number, t_ns in enumerate(times)]

    def _tick(self, number: int, t_ns: int, spawned_ns: int, training: Spans) -> TelemetrySample:
        seconds = (t_ns - spawned_ns) / NS
        trains = any(begin <= t_ns <= end for begin, end in training)
        tick = {
            "t_ns": t_ns,
            "late_ms": self.late_ms,
            "cost_us": 300.0 + number % 3,
            "took_us": 400.0 + number % 3,
            "trainer_cpu_seconds": self.trainer_cores * seconds,
            "trainer_memory_bytes": 2_000_000_000,
        }
        if self.gpu:
            tick |= {
                "gpu_utilisation_percent": 90.0 if trains else 0.0,
                "gpu_memory_bytes": 15_000_000_000,
                "gpu_power_watts": self.training_watts if trains else self.idle_watts,
                "sm_clock_mhz": 1530 if trains else 135,
                "event_reasons": 0x4 if number % 2 else 0x0,
            }
        if self.gpu and number % 10 == 0:
            tick |= {"gpu_temperature_celsius": 50 + number // 10, "gpu_processes": 1, "foreign_processes": 0}
        if number % 2 == 0:
            busy_seconds = 500 + (self.trainer_cores + self.other_cores) * seconds
            tick |= {"system_busy_seconds": busy_seconds, "steal_seconds": 3 + 0.25 * seconds}
        tick |= {name: value for name, value in self.every_tick.items() if value is not None}
        return {name: value for name, value in tick.items() if self.every_tick.get(name, value) is not None}


def telemetry_text(ticks: Sequence[TelemetrySample]) -> str:
    """``telemetry.csv`` of these ticks."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [column.name for column in COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(ticks)
    return out.getvalue()
