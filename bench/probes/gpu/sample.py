"""What NVML gives of one GPU at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The values of a card now: ``numbers`` by the names of GPU_NUMBERS, None where the card does not give one.

    ``processes`` are those that compute on it, by the numbers the host has for them. They, and the numbers of slow
    ticks, are None on others.
    """

    numbers: Mapping[str, Any] = field(default_factory=dict)
    processes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Counters:
    """What only grows, and the temperature: read at the edges of a run and of its epochs.

    ``energy_mj`` is millijoules since the driver was loaded, ``lost_ns`` nanoseconds that clocks were held down, by
    cause (``bench.probes.gpu.throttle_time``); both start again from 0 when the driver is reloaded.
    """

    energy_mj: int | None = None
    lost_ns: dict[str, int] = field(default_factory=dict)
    temperature_celsius: int | None = None
