"""The ticks of several runs, read when they are asked for: those of many long runs together would not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.record.ticks import Damaged, TelemetrySample, read


class RunTicks(Mapping["int | None", "Sequence[TelemetrySample]"]):
    """The rows of ``telemetry.csv`` by seed; none of a file that cannot be used, which the run's record tells."""

    def __init__(self, paths: Mapping[int | None, Path]) -> None:
        self._paths = dict(paths)

    def __getitem__(self, seed: int | None) -> Sequence[TelemetrySample]:
        try:
            return list(read(self._paths[seed]))
        except Damaged:
            return []

    def __iter__(self) -> Iterator[int | None]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
