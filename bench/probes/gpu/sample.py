"""What NVML gives of one GPU at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """What the card does now, by the columns of ``telemetry.csv``; None is a value that it does not give.

    ``processes`` are those that compute on it, by the numbers the host has for them. They and the temperature are read
    on slow ticks alone.
    """

    gpu_utilisation_percent: int | None = None
    memory_utilisation_percent: int | None = None
    gpu_memory_bytes: int | None = None
    gpu_power_watts: float | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    event_reasons: int | None = None
    gpu_temperature_celsius: int | None = None
    processes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Counters:
    """What only grows, and the temperature: read at the edges of a run and of its epochs.

    ``energy_mj`` is millijoules since the driver was loaded, ``lost_ns`` nanoseconds that clocks were held down, by
    cause (``bench.probes.gpu.lost_time``); both start again from 0 when the driver is loaded anew.
    """

    energy_mj: int | None = None
    lost_ns: dict[str, int] = field(default_factory=dict)
    temperature_celsius: int | None = None
