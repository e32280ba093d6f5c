"""Reads ``telemetry.csv`` row by row, so that a run of ten hours fits in memory.

A cut last line, as a killed harness leaves it, is skipped. A cell that is not a number, or an impossible one, is empty.
Any other damage, such as a row without its time, makes the file unusable, as wrong numbers would go unnoticed.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from bench.record.column import Column
from bench.record.telemetry import COLUMNS, TELEMETRY_FILE
from bench.system import files as disk

#: A tick by column; what was not read is not there.
TelemetrySample = dict[str, float]
#: The most that is read: a row of 400 characters four times a second, for a month.
MOST_BYTES = 4 << 30
#: An honest line is below 400 characters.
_MAX_LINE = 1 << 16


def _reader(column: Column) -> Callable[[str], float]:
    """Return the reader of the column's cells; it raises ValueError for a wrong or impossible number."""
    convert: Callable[[str], float] = int if column.kind == "whole" else float
    below = column.below

    def read(cell: str) -> float:
        value = convert(cell)
        if not -below < value < below:
            raise ValueError(cell)
        return value

    return read


#: Cells of further columns are passed over.
_READERS: dict[str, Callable[[str], float]] = {each.name: _reader(each) for each in COLUMNS}
#: Under this name a tick has a bit for each of COLUMNS whose cell held what cannot be in it, if any did.
IMPOSSIBLE = "impossible"
_PLACES = {each.name: place for place, each in enumerate(COLUMNS)}
_Columns = Sequence[tuple[str, Callable[[str], float] | None]]


class Damaged(ValueError):
    """A ``telemetry.csv`` that cannot be used; the message is one clause."""


def read(path: Path) -> Iterator[TelemetrySample]:
    """Yield the ticks of a file in their order, without a cut last line.

    Raises Damaged, possibly after some ticks, for a file that cannot be read, holds something else, or is broken.
    """
    try:
        with open(path, encoding="utf-8", errors="replace", newline="", opener=disk.plainly) as stream:
            disk.refuse_larger(stream.fileno(), MOST_BYTES, path)
            yield from ticks(stream)
    except FileNotFoundError:
        raise Damaged(f"there is no {TELEMETRY_FILE}") from None
    except OSError as error:
        raise Damaged(f"{TELEMETRY_FILE} cannot be read ({error.strerror})") from None


def ticks(stream: TextIO) -> Iterator[TelemetrySample]:
    """Yield the ticks of an open file, as ``read``."""
    rows = csv.reader(_whole_lines(stream), strict=True)
    try:
        header = next(rows, None)
        if header is None:
            return
        _refuse_header(header)
        columns = [(name, _READERS.get(name)) for name in header]
        before_ns = -1.0
        for number, row in enumerate(rows, start=2):
            tick = _tick(columns, row, number)
            if tick["t_ns"] <= before_ns:
                raise Damaged(f"row {number} of {TELEMETRY_FILE} is not later than the one before it")
            before_ns = tick["t_ns"]
            yield tick
    except csv.Error as error:
        raise Damaged(f"{TELEMETRY_FILE} is no CSV ({error})") from None


def _refuse_header(header: list[str]) -> None:
    if "t_ns" not in header:
        raise Damaged(f"{TELEMETRY_FILE} is no table of this harness: its first line names no column t_ns")
    if len(set(header)) < len(header):
        twice, _ = Counter(header).most_common(1)[0]
        why = f"its first line names the column {twice[:40]!r} more than once"
        raise Damaged(f"{TELEMETRY_FILE} is no table of this harness: {why}")


def _whole_lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(_MAX_LINE):
        if line.endswith("\n"):
            yield line
        elif len(line) == _MAX_LINE:
            raise Damaged(f"{TELEMETRY_FILE} is no table of this harness: it has a line of over {_MAX_LINE} characters")


def _tick(columns: _Columns, row: list[str], number: int) -> TelemetrySample:
    if len(row) != len(columns):
        raise Damaged(f"row {number} of {TELEMETRY_FILE} has {len(row)} cells for {len(columns)} columns")
    try:
        if not _is_plain("".join(row)):
            raise ValueError
        tick = {name: read(cell) for (name, read), cell in zip(columns, row, strict=True) if cell and read}
    except ValueError:
        tick = _possible(columns, row)
    if "t_ns" not in tick:
        raise Damaged(f"row {number} of {TELEMETRY_FILE} does not say when it was")
    return tick


def _possible(columns: _Columns, row: list[str]) -> TelemetrySample:
    tick: TelemetrySample = {}
    wrong = 0
    for (name, read), cell in zip(columns, row, strict=True):
        if not cell or read is None:
            continue
        try:
            if not _is_plain(cell):
                raise ValueError
            tick[name] = read(cell)
        except ValueError:
            wrong |= 1 << _PLACES[name]
    return {**tick, IMPOSSIBLE: wrong} if wrong else tick


def _is_plain(cell: str) -> bool:
    """Whether int() and float() read it as CSV readers do: they also take ``1_0`` and the digits of other scripts."""
    return "_" not in cell and cell.isascii()


def impossible(tick: TelemetrySample) -> list[str]:
    """Return the columns of a tick whose cell held no number, or an impossible one."""
    wrong = int(tick.get(IMPOSSIBLE, 0))
    return [column.name for place, column in enumerate(COLUMNS) if wrong >> place & 1]


class RunTicks(Mapping["int | None", "Sequence[TelemetrySample]"]):
    """The rows of ``telemetry.csv`` by seed, read on access, as those of many long runs together would not fit.

    A file that cannot be used has none, and the run's record says why.
    """

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
