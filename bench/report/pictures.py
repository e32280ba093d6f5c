"""The figures of the page as pictures, one file each, for who pastes them into a paper or an issue.

Drawn with matplotlib from the same data that the page draws, in its colours, without a window and without global
state. What the page shows on demand, another run or a closer look, is a file or a second column here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis.figures import BAR, INTERVAL, LINE, CloseUp, Figure, Panel, Series
from bench.errors import EnvironmentProblem, one_line
from bench.report import plots
from bench.system.files import make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

#: Pictures of one figure: who wants to see more of its runs has them on the page.
MOST_CHOICES = 12
_STATES = {"hit": "#0072b2", "miss": "#c44e00", "unfinished": "#6b7580"}
_STATE_NAMES = {"hit": "reached the target", "miss": "missed the target", "unfinished": "did not finish"}
_SIDES = ("#0072b2", "#c44e00", "#00805b", "#a8487f", "#8a6d00", "#4b4f9e")
_PHASES = {
    "import": "#8b96a1", "device_init": "#b7c0c9", "data_load": "#e69f00", "compile": "#cc79a7", "build": "#6f4e7c",
    "preprocess": "#f0e442", "train_k": "#0072b2", "wait": "#d55e00", "eval_k": "#009e73", "checkpoint_k": "#56b4e9",
    "final_eval": "#6cc5aa", "exit": "#3f4852",
}  # fmt: skip
_OTHER = "#7d8794"


def write(figures: Sequence[Figure], folder: Path, form: str, of_what: str = "") -> tuple[list[Path], list[str]]:
    """Draw every figure into ``folder`` as ``KEY.svg`` or ``KEY-CHOICE.svg``, or in another of ``plots.FORMATS``.

    The files, and what has no picture or not all of them, in sentences. Raises EnvironmentProblem where the disk does
    not take one.
    """
    try:
        make_folder(folder, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"cannot make {folder} ({error.strerror}); name another folder.") from None
    files, left_out = [], []
    for figure in figures:
        if figure.empty:
            left_out.append(f"{figure.title}: {figure.empty}")
            continue
        for choice in figure.choices[:MOST_CHOICES] or ("",):
            path = folder / f"{'-'.join(filter(None, (figure.key, _slug(choice))))}.{form}"
            plots.save(draw(figure, choice, of_what), path)
            files.append(path)
        more = len(figure.choices) - MOST_CHOICES
        if more > 0:
            left_out.append(f"{figure.title}: {more} more are on the page, report.html.")
    return files, left_out


def _slug(words: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))


def draw(figure: Figure, choice: str = "", of_what: str = "") -> Drawing:
    """One figure, as it is while ``choice`` is chosen; a part of it that is worth a closer look stands beside it."""
    import matplotlib
    from matplotlib.figure import Figure as Drawing

    close = next((each for each in figure.close_ups if each.choice in ("", choice)), None)
    width, height = (12 if close else 9), 1.3 + (3.7 if len(figure.panels) == 1 else 1.55 * len(figure.panels))
    # Names are a trainer's or a driver's own: a `$` in one begins no formula.
    style: dict[Any, Any] = {**plots.STYLE, "text.parse_math": False}
    with matplotlib.rc_context(style):
        drawing = Drawing(figsize=(width, height), facecolor="white", layout="constrained")
        rows = drawing.subplots(len(figure.panels), 2 if close else 1, squeeze=False, sharex="col")
        for place, (row, panel) in enumerate(zip(rows, figure.panels, strict=True)):
            shown = [each for each in figure.series if each.panel == place and each.choice in ("", choice)]
            for axes in row:
                _draw_panel(axes, figure, panel, shown, choice)
            _name(drawing, row[0], shown, beside=len(figure.panels) == 1)
            row[0].set_ylabel(figure.x_title if figure.horizontal else panel.y_title)
            if close:
                _look_closer(row[1], row[0], close)
        _label_marks(rows[0][-1], figure, choice)
        if close:
            rows[0][1].set_title(close.label, loc="left", fontsize=9.5)
        for axes in rows[-1]:
            axes.set_xlabel(figure.panels[-1].y_title if figure.horizontal else figure.x_title)
        what = ", ".join(filter(None, (one_line(of_what), choice)))
        drawing.suptitle("\n".join(filter(None, (figure.title, what))), x=0.01, ha="left", fontsize=11)
        caption = textwrap.fill(figure.caption, 180 if close else 135)
        drawing.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=plots.MUTED)
    return drawing


def _draw_panel(axes: Axes, figure: Figure, panel: Panel, shown: Sequence[Series], choice: str) -> None:
    names = list(dict.fromkeys(x for each in shown for x in each.x if isinstance(x, str)))
    ends: dict[float, float] = {}
    for number, each in enumerate(shown):
        places = [names.index(x) if isinstance(x, str) else x for x in each.x]
        colour = _colour(each, number)
        if each.kind == BAR:
            _draw_bars(axes, figure, each, places, ends, colour)
        elif each.kind == LINE:
            small: dict[str, Any] = {"marker": "o", "markersize": 2.2} if len(places) <= 60 else {}
            axes.plot(*_turned(figure, places, each.y), color=colour, linewidth=1.2, alpha=0.8, **small)
        else:
            _draw_points(axes, figure, each, places, colour)
    for target in panel.targets:
        line = axes.axvline if figure.horizontal else axes.axhline
        line(target.value, color=plots.INK, linewidth=0.9, linestyle=(0, (5, 4)))
    for mark in figure.marks:
        if mark.choice in ("", choice):
            axes.axvline(mark.x, color=plots.MUTED, linewidth=0.7, linestyle=":")
    _set_axes(axes, figure, panel, names)


def _draw_bars(
    axes: Axes, figure: Figure, series: Series, places: Sequence[float], ends: dict[float, float], colour: str
) -> None:
    width = 0.8 * min((b - a for a, b in zip(sorted(places), sorted(places)[1:], strict=False) if b > a), default=1.0)
    begins = [ends.get(place, 0.0) if figure.stacked else 0.0 for place in places]
    if figure.horizontal:
        axes.barh(places, series.y, width, begins, color=colour)
    else:
        axes.bar(places, series.y, width, begins, color=colour)
    ends.update({place: begin + y for place, begin, y in zip(places, begins, series.y, strict=True)})


def _draw_points(axes: Axes, figure: Figure, series: Series, places: Sequence[float], colour: str) -> None:
    mark = "D" if series.kind == INTERVAL else "o"
    along, across = _turned(figure, places, series.y)
    if series.low and series.high:
        # The ends are drawn as distances from the middle.
        below = [y - low for y, low in zip(series.y, series.low, strict=True)]
        above = [high - y for y, high in zip(series.y, series.high, strict=True)]
        reach: dict[str, Any] = {"xerr" if figure.horizontal else "yerr": [below, above]}
        axes.errorbar(along, across, fmt="none", ecolor=colour, elinewidth=1.6, capsize=4, **reach)
    axes.plot(along, across, mark, color=colour, markersize=6.5, markeredgecolor="white", zorder=5)


def _turned(figure: Figure, places: Sequence[float], values: Sequence[float]) -> tuple[Any, Any]:
    return (values, places) if figure.horizontal else (places, values)


def _set_axes(axes: Axes, figure: Figure, panel: Panel, names: Sequence[str]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if figure.horizontal else "y", color=plots.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
    ticks = [*figure.ticks] or [*enumerate(map(one_line, names))]
    if ticks:
        places, labels = [place for place, _ in ticks], [label for _, label in ticks]
        if figure.horizontal:
            axes.set_yticks(places, labels)
        else:
            axes.set_xticks(places, labels, rotation=30, ha="right", fontsize=8.5)
    if figure.horizontal:
        axes.invert_yaxis()  # The first one stands above, as in a table.
        axes.set_xlim(panel.low, panel.high)
    else:
        axes.set_ylim(panel.low, panel.high)


def _look_closer(axes: Axes, whole: Axes, close: CloseUp) -> None:
    axes.set_xlim(close.x_low, close.x_high)
    low, high = whole.get_ylim()
    axes.set_ylim(low if close.y_low is None else close.y_low, high if close.y_high is None else close.y_high)


def _label_marks(axes: Axes, figure: Figure, choice: str) -> None:
    for mark in figure.marks:
        if mark.label and mark.choice in ("", choice):
            axes.annotate(
                mark.label, (mark.x, 1), xytext=(2, -2), textcoords="offset points",
                xycoords=axes.get_xaxis_transform(), fontsize=8, color=plots.MUTED, va="top", annotation_clip=True,
            )  # fmt: skip


def _colour(series: Series, number: int) -> str:
    if series.phase:
        return _PHASES.get(series.phase, _OTHER)
    if series.side is not None:
        return _SIDES[series.side % len(_SIDES)]
    return _STATES.get(series.state) or _SIDES[number % len(_SIDES)]


def _name(drawing: Drawing, axes: Axes, shown: Sequence[Series], beside: bool) -> None:
    """A legend where colours mean something, ``beside`` all axes, where it hides nothing, or in its own."""
    from matplotlib.patches import Patch

    names = dict(_meanings(shown))
    if len(names) > 1 or any(each.state for each in shown):
        marks = [Patch(color=colour, label=one_line(name)) for name, colour in names.items()]
        if beside:
            drawing.legend(handles=marks, fontsize=8, frameon=False, loc="outside right upper")
        else:
            axes.legend(handles=marks, fontsize=8, frameon=False, loc="best")


def _meanings(shown: Sequence[Series]) -> Iterator[tuple[str, str]]:
    for number, each in enumerate(shown):
        yield _STATE_NAMES.get(each.state) or each.name, _colour(each, number)
