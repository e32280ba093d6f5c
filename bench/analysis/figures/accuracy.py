"""Test accuracy against the headline clock: one curve per run, the target, and where each run reached it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.analysis.figures import plotly
from bench.analysis.figures.names import seed_name, state
from bench.analysis.figures.plotly import CloseUp, Figure, Look, Numbers, Part
from bench.record import Evaluation, Record
from bench.record.clocks import HEADLINE, cumulative_seconds

#: The close-up begins this many points of accuracy below the target: the last epochs, where runs differ.
_CLOSE_PERCENT = 2.0
_X_TITLE = f"time on {HEADLINE.label} (s)"
_Y_TITLE = "test accuracy (%)"
_COUNTS = "The clock counts loading, preprocessing and training, not evaluation."
_NUMBERS = ("seed", "epoch", "view", "dawnbench_seconds", "accuracy_percent", "correct", "total")
_HOVER = (plotly.value(_X_TITLE, "x"), plotly.value(_Y_TITLE))


def of_campaign(records: Sequence[Record]) -> Figure:
    """Return one curve per run, from its evaluations without test-time augmentation and in the recipe's view."""
    drawn = [each for each in records if _drawn(each)]
    curves = [_curve(each, seed_name(each), plotly.STATES[state(each)]) for each in drawn]
    marks = [_crossing(each) for each in drawn if each.crossing_index is not None]
    rows = [(each.seed, *row) for each in records for row in _rows(each)]
    return _figure(
        "Accuracy against time",
        f"One line per run. A large dot is the first evaluation at or above the target. {_COUNTS}",
        records,
        (*curves, *marks),
        Numbers(_NUMBERS, tuple(rows)),
    )


def of_sides(sides: Sequence[tuple[str, Sequence[Record]]]) -> Figure:
    """Return the curves of several campaigns, given as name and records, with one colour per campaign."""
    curves = [
        _curve(each, f"{name}, {seed_name(each)}", plotly.of_side(place, name, hollow=each.crossing_index is None))
        for place, (name, records) in enumerate(sides)
        for each in records
        if _drawn(each)
    ]
    everything = [each for _, records in sides for each in records]
    rows = [(name, each.seed, *row) for name, records in sides for each in records for row in _rows(each)]
    return _figure(
        "Accuracy against time, by side",
        f"One line per run, in the colour of its side. Open marks: runs that did not reach the target. {_COUNTS}",
        everything,
        tuple(curves),
        Numbers(("side", *_NUMBERS), tuple(rows)),
    )


def _figure(title: str, caption: str, records: Sequence[Record], data: tuple[Part, ...], numbers: Numbers) -> Figure:
    targets = sorted({each.target_percent for each in records if each.target_percent is not None})
    return Figure(
        key="accuracy",
        title=title,
        caption=caption,
        data=data,
        layout=plotly.layout(plotly.axis(_X_TITLE, low=0), plotly.axis(_Y_TITLE), lines=map(plotly.target, targets)),
        close_ups=tuple(_close_up(data, targets)),
        numbers=numbers,
        empty="" if data else "No run has finished an epoch yet, so there is no accuracy to draw.",
    )


def _close_up(data: Sequence[Part], targets: Sequence[float]) -> Iterator[CloseUp]:
    if not targets:
        return
    floor = targets[0] - _CLOSE_PERCENT
    known = [point for each in data for point in zip(each["x"], each["y"], strict=True)]
    near = [(x, y) for x, y in known if y >= floor]
    if near and len(near) < len(known):
        first, last = min(x for x, _ in near), max(x for x, _ in near)
        margin = 0.08 * (last - first) or 0.05 * last
        top = max(*(y for _, y in near), targets[-1]) + 0.3
        yield CloseUp("near the target", (first - margin, last + margin), (floor, top))


def _drawn(record: Record) -> list[tuple[float, Evaluation]]:
    pairs = zip(cumulative_seconds(HEADLINE, record), record.epochs, strict=True)
    known = [(seconds, each) for seconds, each in pairs if not math.isnan(seconds)]
    return [(seconds, each) for seconds, each in known if each.view in ("plain", record.recipe.get("view", "plain"))]


def _curve(record: Record, name: str, look: Look) -> Part:
    seconds, evaluations = zip(*_drawn(record), strict=True)
    return plotly.line(
        name, seconds, [each.accuracy_percent for each in evaluations], look, _HOVER, text=_texts(evaluations)
    )


def _crossing(record: Record) -> Part:
    index = record.crossing_index or 0
    x, evaluation = cumulative_seconds(HEADLINE, record)[index], record.epochs[index]
    name = f"{seed_name(record)} reaches the target"
    look = plotly.STATES[state(record)]
    return plotly.points(name, [x], [evaluation.accuracy_percent], look, _HOVER, text=_texts([evaluation]))


def _texts(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"epoch {each.epoch:g}, {each.view}, {each.correct} of {each.total}" for each in evaluations]


def _rows(record: Record) -> Iterator[tuple[float | str | None, ...]]:
    for seconds, each in zip(cumulative_seconds(HEADLINE, record), record.epochs, strict=True):
        yield (
            each.epoch,
            each.view,
            None if math.isnan(seconds) else seconds,
            each.accuracy_percent,
            each.correct,
            each.total,
        )
