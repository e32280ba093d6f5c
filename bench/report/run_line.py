"""One run in one line."""

from __future__ import annotations

from bench.record import Record
from bench.record.clocks import HEADLINE, to_target_seconds
from bench.record.model import PLAIN
from bench.report.text import accuracy_text


def line(record: Record) -> str:
    """Return how a run ended, in one line, its time with its clock."""
    begin = f"seed {record.seed}  {record.status.replace('_', ' ')}"
    if record.status != "done" or not record.epochs:
        return f"{begin}: {record.reason}"
    last = record.epochs[-1]
    final = accuracy_text(last.correct, last.total)
    if last.view != PLAIN:
        plain = record.plain(last)
        without = f", {accuracy_text(plain.correct, plain.total)} without" if plain else ""
        final += f" with TTA ({last.view} views{without})"
    target = f"{record.target_percent:g} %"
    crossing, seconds = record.crossing, to_target_seconds(HEADLINE, record)
    reached = f"{target} not reached"
    if crossing is not None and seconds is not None:
        reached = f"{target} at epoch {round(crossing.epoch, 2):g} in {seconds:,.2f} s ({HEADLINE.label})"
    verdict = "" if record.verdict is None else f", {record.verdict.level}"
    return f"{begin}: {final} after epoch {round(last.epoch, 2):g}, {reached}{verdict}"
