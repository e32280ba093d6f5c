"""``telemetry.csv``: one row a tick of the sampler, written as it comes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.record.telemetry import COLUMNS
from bench.system.files import creating, wrap_disk_errors

_NAMES = tuple(column.name for column in COLUMNS)
_HOLDS = tuple(column.holds for column in COLUMNS)


class TelemetryFile:
    """A table that only grows; every row reaches the kernel before ``write`` returns.

    ``impossible`` counts, by column, the values that cannot be in it and were left empty.

    Raises EnvironmentProblem where the file exists already or the disk does not take a row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.impossible: Counter[str] = Counter()
        with wrap_disk_errors(path):
            self._stream = open(  # noqa: SIM115 (closed in close)
                path, "x", encoding="ascii", newline="", opener=creating
            )
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._write(_NAMES)

    def write(self, values: Mapping[str, float | None]) -> None:
        """Add a row of these values by column; what is None or not among them is an empty cell."""
        row = list(map(values.get, _NAMES))
        wrong = [place for place, value in enumerate(row) if value is not None and not _HOLDS[place](value)]
        for place in wrong:
            self.impossible[COLUMNS[place].name] += 1
            row[place] = None
        self._write(row)

    def _write(self, row: Sequence[object]) -> None:
        with wrap_disk_errors(self.path):
            self._writer.writerow(row)
            self._stream.flush()

    def close(self) -> None:
        """Close the file. Raises EnvironmentProblem where the disk did not take all of it."""
        with wrap_disk_errors(self.path):
            self._stream.close()
