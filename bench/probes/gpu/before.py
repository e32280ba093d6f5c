"""The state of a card before a run: its processes, utilisation and memory in use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.record.telemetry import BUSY_PERCENT

if TYPE_CHECKING:
    from bench.probes.gpu.sample import Sample

#: NVML's utilisation is of a period of up to a second (NVML API reference, nvmlUtilization_t), which may be of the run
#: before: an idle V100 or H200 shows it for at most so long.
SETTLE_SECONDS = 1.2
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Before:
    """The card before the run; None is what it does not give."""

    utilisation_percent: int | None
    memory_bytes: int | None
    processes: tuple[int, ...] | None


def look(
    read: Callable[[], Sample],
    seconds: float = SETTLE_SECONDS,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Before:
    """Return the state that ``read`` gives; where it is busy, the least busy one within ``seconds``."""
    first = calmest = read()
    began_ns = clock()
    while (_busy_percent(calmest) or 0) > BUSY_PERCENT and clock() - began_ns < seconds * 1e9:
        sleep(_POLL_SECONDS)
        now = read()
        if _busy_percent(now) is not None:
            calmest = min(calmest, now, key=lambda each: _busy_percent(each) or 0)
    return Before(_busy_percent(calmest), calmest.numbers.get("gpu_memory_bytes"), first.processes)


def _busy_percent(sample: Sample) -> int | None:
    return sample.numbers.get("gpu_utilisation_percent")
