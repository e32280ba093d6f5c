"""Numbers that a driver gives and no card can have: each is a missing value, and counted.

Seen are a power of 752 W at a limit of 60 W on an idle laptop, 3.7 million watts, and memory in use of just below 2^64
bytes, a negative number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.probes.gpu.sample import Counters, Sample
from bench.record.counter_snapshots import possible
from bench.record.metrics import GPU_NUMBERS

#: A card under a sudden load is above its limit for a moment, by a fifth at most in what was published of them.
_MOST_OF_LIMIT = 2.0
#: No process has a higher number (PID_MAX_LIMIT, include/linux/threads.h).
_MOST_PID = 1 << 22
_HOLDS = {each.name: each.holds for each in GPU_NUMBERS}


class Bounds:
    """The bounds of one card's values: its ``memory_bytes``, and the power limit in force, read by ``limit_watts``.

    ``impossible`` counts the numbers out of bounds, by column or counter.
    """

    def __init__(self, memory_bytes: int | None, limit_watts: Callable[[], float | None]) -> None:
        self._memory_bytes, self._read_limit = memory_bytes, limit_watts
        self._limit_watts: float | None = None
        self.impossible: Counter[str] = Counter()
        self._of_card: dict[str, Callable[[Any], bool]] = {
            "gpu_memory_bytes": self._fits, "gpu_power_watts": self._is_within_limit
        }  # fmt: skip

    def sample(self, read: Sample) -> Sample:
        """Return a sample without impossible numbers."""
        numbers = read.numbers
        wrong = [name for name, value in numbers.items() if value is not None and not _HOLDS[name](value)]
        wrong += [name for name in self._of_card if name not in wrong and not self._of_card[name](numbers.get(name))]
        processes = read.processes
        if processes and not all(0 < pid <= _MOST_PID for pid in processes):
            processes = None
            self.impossible["gpu_processes"] += 1
        if not wrong and processes == read.processes:
            return read
        self.impossible.update(wrong)
        return Sample({**numbers, **dict.fromkeys(wrong)}, processes)

    def counters(self, read: Counters) -> Counters:
        """Return counters without impossible numbers."""
        kept, wrong = possible(vars(read))
        self.impossible.update(wrong)
        energy_mj, celsius = kept.get("energy_mj"), kept.get("temperature_celsius")
        return replace(read, energy_mj=energy_mj, lost_ns=kept["lost_ns"], temperature_celsius=celsius)

    def _fits(self, memory_bytes: int | None) -> bool:
        return memory_bytes is None or self._memory_bytes is None or memory_bytes <= self._memory_bytes

    def _is_within_limit(self, watts: float | None) -> bool:
        if watts is None or (self._limit_watts is not None and watts <= _MOST_OF_LIMIT * self._limit_watts):
            return True
        # Not read yet, or perhaps raised since.
        limit = self._read_limit()
        self._limit_watts = limit if limit is not None and _HOLDS["gpu_power_watts"](limit) else None
        return not self._limit_watts or watts <= _MOST_OF_LIMIT * self._limit_watts
