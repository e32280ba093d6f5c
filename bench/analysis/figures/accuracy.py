"""Test accuracy against the headline clock, a curve a run, with the target and where each run crossed it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis.figures.names import seed_name, state
from bench.analysis.figures.shape import LINE, POINTS, CloseUp, Figure, Numbers, Panel, Series, Target
from bench.record import Evaluation, Record
from bench.record.clocks import HEADLINE, cumulative_seconds

#: A closer look begins this many points of accuracy below the target: the last epochs, where runs part.
_CLOSE_PERCENT = 2.0
_X_TITLE = f"time on {HEADLINE.label} (s)"
_Y_TITLE = "test accuracy (%)"
_COUNTS = "Loading, preprocessing and training count, evaluation does not."
_NUMBERS = ("seed", "epoch", "view", "dawnbench_seconds", "accuracy_percent", "correct", "total")


def of_campaign(records: Sequence[Record]) -> Figure:
    """Every run's curve; of several evaluations of the same weights those in plain view and the recipe's own."""
    curves = [_curve(each, seed_name(each)) for each in records if _drawn(each)]
    marks = [_crossing(each, seed_name(each)) for each in records if each.crossing_index is not None and _drawn(each)]
    rows = [(each.seed, *row) for each in records for row in _rows(each)]
    return _figure(
        "Accuracy against time",
        f"A line a run; a large dot is the first evaluation at or above the target. {_COUNTS}",
        records,
        (*curves, *marks),
        Numbers(_NUMBERS, tuple(rows)),
    )


def of_sides(sides: Sequence[tuple[str, Sequence[Record]]]) -> Figure:
    """The curves of several campaigns, each by its name and records, in a colour a side."""
    series = [
        replace(_curve(each, f"{name}, {seed_name(each)}"), side=side, legend=name)
        for side, (name, records) in enumerate(sides)
        for each in records
        if _drawn(each)
    ]
    everything = [each for _, records in sides for each in records]
    rows = [(name, each.seed, *row) for name, records in sides for each in records for row in _rows(each)]
    return _figure(
        "Accuracy against time, by side",
        f"A line a run, in the colour of its side; open marks are of runs that did not reach the target. {_COUNTS}",
        everything,
        tuple(series),
        Numbers(("side", *_NUMBERS), tuple(rows)),
    )


def _figure(
    title: str, caption: str, records: Sequence[Record], series: tuple[Series, ...], numbers: Numbers
) -> Figure:
    targets = sorted({each.target_percent for each in records if each.target_percent is not None})
    lines = tuple(Target(each, f"target {each:g} %") for each in targets)
    return Figure(
        key="accuracy",
        title=title,
        caption=caption,
        x_title=_X_TITLE,
        panels=(Panel(_Y_TITLE, lines),),
        series=series,
        close_ups=tuple(_close_up(series, targets)),
        numbers=numbers,
        empty="" if series else "No run has finished an epoch yet, so there is no accuracy to draw.",
    )


def _close_up(series: Sequence[Series], targets: Sequence[float]) -> Iterator[CloseUp]:
    """The points near the lowest target and above, where there are some and not all of them are."""
    if not targets:
        return
    floor = targets[0] - _CLOSE_PERCENT
    points = [(x, y) for each in series for x, y in zip(each.x, each.y, strict=True) if isinstance(x, float)]
    near = [(x, y) for x, y in points if y >= floor]
    if near and len(near) < len(points):
        first, last = min(x for x, _ in near), max(x for x, _ in near)
        margin = 0.08 * (last - first) or 0.05 * last
        top = max(*(y for _, y in near), targets[-1]) + 0.3
        yield CloseUp("near the target", first - margin, last + margin, floor, top)


def _drawn(record: Record) -> list[tuple[float, Evaluation]]:
    pairs = zip(cumulative_seconds(HEADLINE, record), record.epochs, strict=True)
    known = [(seconds, each) for seconds, each in pairs if not math.isnan(seconds)]
    return [(seconds, each) for seconds, each in known if each.view in ("plain", record.recipe.get("view", "plain"))]


def _curve(record: Record, name: str) -> Series:
    points = _drawn(record)
    return Series(
        name=name,
        x=tuple(seconds for seconds, _ in points),
        y=tuple(each.accuracy_percent for _, each in points),
        kind=LINE,
        state=state(record),
        hover=tuple(_told(each) for _, each in points),
    )


def _crossing(record: Record, name: str) -> Series:
    index = record.crossing_index or 0
    return Series(
        name=f"{name} reaches the target",
        x=(cumulative_seconds(HEADLINE, record)[index],),
        y=(record.epochs[index].accuracy_percent,),
        kind=POINTS,
        state=state(record),
        hover=(_told(record.epochs[index]),),
    )


def _told(evaluation: Evaluation) -> str:
    return f"epoch {evaluation.epoch:g}, {evaluation.view}, {evaluation.correct} of {evaluation.total}"


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
