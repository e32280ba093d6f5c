"""Campaigns compared: the fixed-work time of every run, and the time of each epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from bench.analysis.censored import median_range
from bench.analysis.comparison import Side
from bench.analysis.figures import plotly
from bench.analysis.figures.names import seed_name, state
from bench.analysis.figures.plotly import Figure, Numbers, Part
from bench.record import Record

#: What sides of different recipes are compared by.
OWN_WORK = "each one's own schedule, which is not the same work"
_ENDED = {plotly.HIT: "reached the target", plotly.MISS: "missed the target"}
#: How far from the middle of its side the outermost dots lie, and the median, where sides are 1 apart.
_DOTS, _MEDIAN = 0.12, 0.3
#: In epochs: the epoch of an evaluation is a sum of floats.
_WHOLE_TOLERANCE = 1e-6


def same_work(sides: Sequence[Side]) -> bool:
    """Whether no two sides are known to have trained different recipes."""
    known = {str(each.recipe["sha256"]) for side in sides for each in side.records if each.recipe.get("sha256")}
    return len(known) < 2


def fixed_work(sides: Sequence[Side]) -> Figure:
    """Return the fixed-work time of each compared run as a dot, and the median of each side with its interval."""
    work = str(sides[0].work) if sides else ""
    title = f"time on {work} (s)"
    hover = (plotly.value(title, "x"),)
    data: list[Part] = []
    for place, side in enumerate(sides):
        if side.seconds:
            dots, look = len(side.seconds), plotly.of_side(place, side.name)
            positions = [place + _offset(number, dots) for number in range(dots)]
            runs = [f"{seed_name(each)}, {_ENDED.get(state(each), each.status)}" for each in side.counted]
            data.append(plotly.points(side.name, side.seconds, positions, look, hover, text=runs))
            data.append(_median(side, place, hover))
    rows = [
        (side.name, record.seed, seconds)
        for side in sides
        for record, seconds in zip(side.counted, side.seconds, strict=True)
    ]
    names = plotly.ticks(range(len(sides)), [each.name for each in sides])
    across = plotly.axis("", len(sides) - 0.4, -0.6, **names)
    done = "the same work" if same_work(sides) else OWN_WORK
    return Figure(
        key="fixed-work",
        title="Fixed work, one dot per run",
        caption=(
            f"The time of {done} ({work}), target or not, of every compared run. The diamond is the median; its bar is "
            "the rank interval of the median, which spans fastest to slowest with fewer than six runs."
        ),
        data=tuple(data),
        layout=plotly.layout(plotly.axis(title), across, height=max(160, 90 * len(sides) + 70)),
        numbers=Numbers(("side", "seed", "seconds"), tuple(rows)),
        empty="" if data else "No run has done all of the work yet, so there is no time to compare.",
    )


def epoch_times(sides: Sequence[Side]) -> Figure:
    """Return the training time of each epoch: the median over the compared runs of each side."""
    title = "training (s/epoch)"
    hover = (plotly.value("epoch", "x"), plotly.value(title))
    data = []
    rows: list[tuple[float | str | None, ...]] = []
    for place, side in enumerate(sides):
        found = _epochs(side.counted)
        if found:
            medians = tuple((epoch, median(found[epoch])) for epoch in sorted(found))
            counts = [f"median of {len(found[epoch])}" for epoch, _ in medians]
            epochs, seconds = zip(*medians, strict=True)
            look = plotly.of_side(place, side.name)
            data.append(plotly.line(side.name, epochs, seconds, look, hover, text=counts))
            rows += [(side.name, epoch, value, len(found[epoch])) for epoch, value in medians]
    return Figure(
        key="epoch-times",
        title="Training time of each epoch, by side",
        caption=(
            "The median over the compared runs of a side, without evaluation. Left out: evaluations after less or more "
            "than one whole epoch, such as the last part of a schedule that ends within an epoch."
        ),
        data=tuple(data),
        layout=plotly.layout(plotly.axis("epoch", low=0), plotly.axis(title, low=0)),
        numbers=Numbers(("side", "epoch", "train_seconds", "runs"), tuple(rows)),
        empty="" if data else "No run that counts was evaluated after each epoch, so none has a time to compare.",
    )


def _median(side: Side, place: int, hover: tuple[str, ...]) -> Part:
    found, middle = median_range(side.seconds), side.median_seconds
    look = plotly.of_side(place, side.name)
    more: Part = {}
    if not math.isnan(found.low):
        more["text"] = [f"{found.confidence_percent:.4g} % interval {found.low:.15g} to {found.high:.15g}"]
        more["error_x"] = plotly.reach(middle - found.low, found.high - middle, look)
    made = plotly.points(f"{side.name}, median", [middle], [place + _MEDIAN], look, hover, **more)
    made["marker"] |= {"symbol": "diamond", "size": 13}
    return made


def _epochs(records: Sequence[Record]) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for record in records:
        before = 0.0
        for each in record.epochs:
            whole = abs(each.epoch - before - 1) <= _WHOLE_TOLERANCE
            before = each.epoch
            if whole and each.train_seconds is not None:
                found.setdefault(each.epoch, []).append(each.train_seconds)
    return found


def _offset(number: int, dots: int) -> float:
    """Return a fixed small offset, so that dots of similar times do not hide each other."""
    return 0.0 if dots == 1 else 2 * _DOTS * (number / (dots - 1) - 0.5)
