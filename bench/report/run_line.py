"""One run in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.record import Record
from bench.record.clocks import HEADLINE, to_target_seconds
from bench.record.model import PLAIN
from bench.report.text import accuracy_text

if TYPE_CHECKING:
    pass


def line(record: Record) -> str:
    """How a run went, in one line, its time with the clock it is of."""
    begin = f"seed {record.seed}  {record.status.replace('_', ' ')}"
    if record.status != "done" or not record.epochs:
        return f"{begin}: {record.reason}"
    last = record.epochs[-1]
    shown = record_accuracy(last.correct, last.total)
    if last.view != PLAIN:
        plain = record.plain(last)
        beside = f", plain {record_accuracy(plain.correct, plain.total)}" if plain else ""
        shown += f" ({last.view} views{beside})"
    final = f"{shown} after epoch {round(last.epoch, 2):g}"
    target = f"{record.target_percent:g} %"
    crossing, seconds = record.crossing, to_target_seconds(HEADLINE, record)
    reached = f"{target} not reached"
    if crossing is not None and seconds is not None:
        reached = f"{target} at epoch {round(crossing.epoch, 2):g} in {seconds:,.2f} s ({HEADLINE.label})"
    verdict = "" if record.verdict is None else f", {record.verdict.level}"
    return f"{begin}: {final}, {reached}{verdict}"


def record_accuracy(correct: int, total: int) -> str:
    """The accuracy as progress shows it."""
    return accuracy_text(correct, total)
