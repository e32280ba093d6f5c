"""A picture of a campaign: accuracy against the headline clock, and how long each epoch took.

Drawn without a window and without global state. The same records give the same bytes.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.record import Evaluation, Record, replace_file
from bench.record.clocks import HEADLINE, cumulative_seconds
from bench.report.console import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
INK, MUTED, GRID = "#1f2933", "#66727f", "#e4e7eb"
#: Blue for a run that reached the target, orange for one that did not: two that colour-blind readers tell apart (Okabe
#: and Ito).
_HIT, _MISS = "#0072b2", "#d55e00"
#: More names than this do not fit beside the picture; the rest of the runs are drawn and counted.
_MOST_LABELS = 14
#: The inset shows this many points of accuracy below the target: the last epochs, where runs part.
_INSET_PERCENT = 2.0
#: Left, bottom, width, height as shares of the picture.
_INSET = (0.5, 0.12, 0.48, 0.55)
STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def write(records: Sequence[Record], path: Path, title: str = "") -> None:
    """Draw the runs into ``path``, whose ending says the format: svg, png or pdf.

    Raises UsageError for another ending or where no run has an evaluation to draw, EnvironmentProblem for a full disk.
    """
    form = path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(f"{path.name!r} tells no picture's format; give it one of the endings {endings}.")
    save(draw(records, title), path)


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format that the ending of ``path`` says; the same picture gives the same bytes.

    Raises EnvironmentProblem for a full disk.
    """
    import matplotlib

    form, out = path.suffix.lstrip(".").lower(), io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
    with matplotlib.rc_context({"svg.hashsalt": "bench"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A letter without a glyph is drawn as a box, which says enough.
        figure.savefig(out, format=form, dpi=160, metadata=undated)
    replace_file(path, out.getvalue())


def draw(records: Sequence[Record], title: str = "") -> Figure:
    """The picture: accuracy against time above, time of each epoch below. Raises UsageError where there is none."""
    drawn = [record for record in records if any(_is_drawn(each, record) for each in record.epochs)]
    if not drawn:
        raise UsageError("there is nothing to draw yet: no run of this campaign has finished an epoch.")
    import matplotlib
    from matplotlib.figure import Figure

    style: dict[Any, Any] = STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9, 6.2), facecolor="white", layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(3, 1))
        _draw_accuracy(above, drawn)
        _draw_epochs(below, drawn)
        above.set_title(title.replace("$", r"\$"), loc="left", fontsize=11.5, fontweight="bold", pad=12)
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=GRID, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(length=3)
    return figure


def _is_drawn(evaluation: Evaluation, record: Record) -> bool:
    return evaluation.view in ("plain", record.recipe.get("view", "plain"))


def _draw_accuracy(axes: Axes, records: Sequence[Record]) -> None:
    """Accuracy against the headline clock: every run, the target, and the last points below it once more, larger."""
    runs = [_curve(record) for record in records]
    furthest = max(times[-1] for times, _ in runs)
    lowest, highest = (end(end(accuracies) for _, accuracies in runs) for end in (min, max))
    targets = sorted({record.target_percent for record in records if record.target_percent is not None})
    _draw_curves(axes, records, targets)
    axes.set_xlim(0, furthest * 1.03 or 1)
    axes.set_ylim(max(0.0, 10 * math.floor((lowest - 2) / 10)), 101)
    for target in targets:
        axes.annotate(f"{target:g} %", (0.004, target + 0.7), xycoords=axes.get_yaxis_transform(), fontsize=9)
    axes.set_ylabel("test accuracy (%)")
    axes.set_xlabel(f"time on {HEADLINE.label} (s): loading, preprocessing and training, without evaluation")
    _draw_labels(axes, records)
    near = [
        at
        for times, accuracies in runs
        for at, accuracy in zip(times, accuracies, strict=True)
        if targets and accuracy >= targets[0] - _INSET_PERCENT
    ]
    if near and min(near) < furthest and _is_free(axes, runs):
        inset = axes.inset_axes(_INSET)
        _draw_curves(inset, records, targets)
        margin = 0.08 * (furthest - min(near))
        inset.set_xlim(min(near) - margin, furthest + margin)
        inset.set_ylim(targets[0] - _INSET_PERCENT, max(highest, targets[-1]) + 0.3)
        inset.grid(axis="y", color=GRID, linewidth=0.8)
        inset.tick_params(length=3, labelsize=8.5)
        inset.spines[:].set_color(GRID)


def _is_free(axes: Axes, runs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> bool:
    """Whether the inset, and the numbers beside it, would lie below every curve."""
    (_, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    begin, top = right * (_INSET[0] - 0.1), low + (high - low) * (_INSET[1] + _INSET[3] + 0.03)
    segments = (pair for times, accuracies in runs for pair in pairwise(zip(times, accuracies, strict=True)))
    return all(min(before, after) > top for (_, before), (at, after) in segments if at >= begin)


def _curve(record: Record) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The headline clock in seconds and the accuracy in percent, at each evaluation that is drawn."""
    points = zip(cumulative_seconds(HEADLINE, record), record.epochs, strict=True)
    drawn = [(at, each.accuracy_percent) for at, each in points if _is_drawn(each, record)]
    return tuple(at for at, _ in drawn), tuple(accuracy for _, accuracy in drawn)


def _draw_curves(axes: Axes, records: Sequence[Record], targets: Sequence[float]) -> None:
    for target in targets:
        axes.axhline(target, color=INK, linewidth=0.9, linestyle=(0, (5, 4)))
    for record in records:
        axes.plot(*_curve(record), color=_colour(record), linewidth=1.3, alpha=0.7, marker="o", markersize=2.2)
    for record in records:
        if record.crossing_index is not None:
            at = cumulative_seconds(HEADLINE, record)[record.crossing_index]
            reached = record.epochs[record.crossing_index].accuracy_percent
            axes.plot(at, reached, "o", color=_HIT, markersize=7, markeredgecolor="white", zorder=5)


def _colour(record: Record) -> str:
    return _MISS if record.crossing_index is None else _HIT


def _label(record: Record) -> str:
    seed = "run" if record.seed is None else f"seed {record.seed}"
    if record.crossing_index is not None:
        return f"{seed}: {seconds(cumulative_seconds(HEADLINE, record)[record.crossing_index])}"
    last = f"{record.epochs[-1].accuracy_percent:.2f} %"
    return (
        f"{seed}: missed, {last}" if record.status == "done" else f"{seed}: {record.status.replace('_', ' ')}, {last}"
    )


def _draw_labels(axes: Axes, records: Sequence[Record]) -> None:
    """The runs' names right of the picture: what they are lies too close together there for names on the lines."""
    labels = [(_label(record), _colour(record)) for record in records]
    if len(labels) > _MOST_LABELS:
        labels = [*labels[: _MOST_LABELS - 1], (f"and {len(labels) - _MOST_LABELS + 1} more", MUTED)]
    for line, (text, colour) in enumerate(labels):
        axes.annotate(
            text, (1, 1), xytext=(10, -4 - 16 * line), textcoords="offset points", xycoords="axes fraction",
            color=colour, fontsize=9.5, va="top", annotation_clip=False,
        )  # fmt: skip


def _draw_epochs(axes: Axes, records: Sequence[Record]) -> None:
    """Training time of each epoch; the first one pays for what is used for the first time."""
    longest = 0.0
    for record in records:
        timed = [(each.epoch, each.train_seconds) for each in record.epochs if each.train_seconds is not None]
        if timed:
            epochs, durations = zip(*timed, strict=True)
            axes.plot(epochs, durations, color=_colour(record), linewidth=1.3, alpha=0.7, marker="o", markersize=2.2)
            longest = max(longest, *durations)
    axes.set_ylim(0, longest * 1.15 or 1)
    axes.set_xlim(left=0)
    axes.set_ylabel("training (s/epoch)")
    axes.set_xlabel("epoch")
