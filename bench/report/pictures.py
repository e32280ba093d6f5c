"""The figures of the page as pictures, one file each, for papers and issues.

Drawn with matplotlib from the Plotly figures of the page, without a window and without global state. Each run that the
page can select is a file here, and each close-up a second column. The same figure gives the same bytes.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis.figures import CloseUp, Figure, Part
from bench.errors import EnvironmentProblem, UsageError, one_line
from bench.record import replace_file
from bench.system.files import make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

FORMATS = ("svg", "png", "pdf")
#: Most pictures of one figure; the page has the other runs.
MOST_CHOICES = 12
_INK, _MUTED, _GRID = "#1f2933", "#66727f", "#e4e7eb"
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 10, "text.color": _INK, "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED, "xtick.color": _MUTED, "ytick.color": _MUTED,
    # Names come from trainers and drivers: a `$` in one does not begin a formula.
    "text.parse_math": False,
}  # fmt: skip
_MARKS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "cross": "P", "star": "*", "x": "X"}
_DASHES: dict[str, Any] = {
    "solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (5, 4)), "longdashdot": (0, (8, 3, 2, 3)),
}  # fmt: skip
_HATCHES = {"/": "///", "\\": "\\\\\\", ".": "..", "x": "xx", "-": "--"}


def write(figures: Sequence[Figure], folder: Path, form: str, of_what: str = "") -> tuple[list[Path], list[str]]:
    """Draw every figure into ``folder`` as ``KEY.svg`` or ``KEY-CHOICE.svg``, or in another of ``FORMATS``.

    Return the files, and what has no picture or not all of them, in sentences. Raises EnvironmentProblem where the disk
    does not take one.
    """
    try:
        make_folder(folder, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"cannot make {folder} ({error.strerror})", "name another folder") from None
    files, left_out = [], []
    for figure in figures:
        if figure.empty:
            left_out.append(f"{figure.title}: {figure.empty}")
            continue
        for choice in figure.choices[:MOST_CHOICES] or ("",):
            path = folder / f"{'-'.join(filter(None, (figure.key, _slug(choice))))}.{form}"
            write_one(figure, path, of_what, choice)
            files.append(path)
        more = len(figure.choices) - MOST_CHOICES
        if more > 0:
            left_out.append(f"{figure.title}: {more} more are on the page, report.html.")
    return files, left_out


def _slug(words: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", words.lower()))


def write_one(figure: Figure, path: Path, of_what: str = "", choice: str = "") -> None:
    """Draw a figure into ``path``, whose ending says the format, one of ``FORMATS``.

    Raises UsageError for another ending or where there is nothing to draw, EnvironmentProblem for a full disk.
    """
    form, out = path.suffix.lstrip(".").lower(), io.BytesIO()
    if form not in FORMATS:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(f"{path.name!r} names no picture format", f"use one of the endings {endings}")
    if figure.empty:
        raise UsageError(f"There is nothing to draw. {figure.empty}")
    import matplotlib

    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
    with matplotlib.rc_context({"svg.hashsalt": "bench"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A letter without a glyph is drawn as a box.
        draw(figure, choice, of_what).savefig(out, format=form, dpi=160, metadata=undated)
    replace_file(path, out.getvalue())


def draw(figure: Figure, choice: str = "", of_what: str = "") -> Drawing:
    """Return a figure as it is while ``choice`` is chosen, with its close-up next to it."""
    import matplotlib
    from matplotlib.figure import Figure as Drawing

    data = [each for each in figure.data if each.get("meta", {}).get("choice", choice) == choice]
    panels = [name.replace("axis", "") for name in figure.layout if name.startswith("yaxis")]
    close = next((each for each in figure.close_ups if each.choice in ("", choice)), None)
    width, height = (12 if close else 9), 1.3 + (3.7 if len(panels) == 1 else 1.55 * len(panels))
    with matplotlib.rc_context(_STYLE):
        drawing = Drawing(figsize=(width, height), facecolor="white", layout="constrained")
        grid = drawing.subplots(len(panels), 2 if close else 1, squeeze=False, sharex="col")
        for panel, row in zip(panels, grid, strict=True):
            for axes in row:
                _draw_panel(axes, figure.layout, panel, [each for each in data if each["yaxis"] == panel], choice)
            row[0].set_ylabel(_axis(figure.layout, panel)["title"]["text"])
            if close:
                _zoom(row[1], row[0], close)
        if close:
            grid[0][1].set_title(close.label, loc="left", fontsize=9.5, pad=14)  # Room for words.
        for axes in grid[-1]:
            axes.set_xlabel(figure.layout["xaxis"]["title"]["text"])
        _add_labels(grid, figure.layout, choice)
        _add_legend(drawing, data)
        what = ", ".join(filter(None, (one_line(of_what), choice)))
        drawing.suptitle("\n".join(filter(None, (figure.title, what))), x=0.01, ha="left", fontsize=11)
        caption = textwrap.fill(figure.caption, 180 if close else 135)
        drawing.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=_MUTED)
    return drawing


def _axis(layout: Part, name: str) -> Part:
    """Return an axis by its name in traces and shapes, such as ``y2``."""
    found: Part = layout[f"{name[0]}axis{name[1:]}"]
    return found


def _shown(parts: Sequence[Part], choice: str) -> list[Part]:
    return [each for each in parts if each.get("name", "") in ("", choice)]


def _draw_panel(axes: Axes, layout: Part, panel: str, data: Sequence[Part], choice: str) -> None:
    upright = _axis(layout, panel)
    ends: dict[Any, float] = {}
    for along, axis, drawn in (("x", layout["xaxis"], axes.xaxis), ("y", upright, axes.yaxis)):
        if axis.get("type") == "category":
            names = list(dict.fromkeys(value for each in data for value in each[along]))
            drawn.set_ticks(range(len(names)), [*map(one_line, names)])
            data = [{**each, along: [names.index(value) for value in each[along]]} for each in data]
        elif "tickvals" in axis:
            turned: Part = {"rotation": 30, "ha": "right", "fontsize": 8.5} if along == "x" else {}
            drawn.set_ticks(axis["tickvals"], [*map(one_line, axis["ticktext"])], **turned)
    for each in data:
        _draw_bars(axes, each, ends) if each["type"] == "bar" else _draw_line(axes, each)
    for shape in _shown(layout["shapes"], choice):
        stroke = shape["line"]
        style = {"color": stroke["color"], "linestyle": _DASHES[stroke["dash"]], "linewidth": 0.75 * stroke["width"]}
        if shape["yref"] == panel:
            axes.axhline(shape["y0"], **style)
        elif shape["xref"] == "x":
            axes.axvline(shape["x0"], **style)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if "tickvals" in upright or "type" in upright else "y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
    _limit(axes.set_xlim, axes.get_xlim(), layout["xaxis"])
    _limit(axes.set_ylim, axes.get_ylim(), upright)


def _limit(limit: Callable[..., object], ends: tuple[float, float], axis: Part) -> None:
    if "range" in axis:
        limit(*axis["range"])
    elif axis.get("rangemode") == "tozero":
        limit(0, 1.05 * ends[1] or 1)
    elif axis.get("autorange") == "reversed":
        limit(*reversed(ends))


def _draw_bars(axes: Axes, trace: Part, ends: dict[Any, float]) -> None:
    """Draw bars on top of those at the same places, and update ``ends``, the end of the last bar by place."""
    horizontal = trace.get("orientation") == "h"
    places, sizes = (trace["y"], trace["x"]) if horizontal else (trace["x"], trace["y"])
    begins = [ends.get(place, 0.0) for place in places]
    style = {"color": trace["marker"]["color"], "hatch": _HATCHES.get(trace["marker"]["pattern"]["shape"])}
    draw_them: Any = axes.barh if horizontal else axes.bar
    draw_them(places, sizes, 0.8, begins, edgecolor="white", linewidth=0, **style)
    ends.update({place: begin + size for place, begin, size in zip(places, begins, sizes, strict=True)})


def _draw_line(axes: Axes, trace: Part) -> None:
    marker, alone = trace["marker"], trace["mode"] == "markers"
    style: Part = {"color": marker["color"], "zorder": 5} if alone else {"color": marker["color"], "alpha": 0.8}
    if "markers" in trace["mode"]:
        hollow = marker["symbol"].endswith("-open")
        style |= {"marker": _MARKS[marker["symbol"].replace("-open", "")], "markersize": 0.6 * marker["size"]}
        style |= {"markeredgecolor": "white" if alone else marker["color"], "markeredgewidth": int(alone or hollow)}
        style |= {"markerfacecolor": "none"} if hollow else {}
    dashes = "none" if alone else _DASHES[trace["line"]["dash"]]
    axes.plot(trace["x"], trace["y"], linestyle=dashes, linewidth=1.2, **style)
    if "error_x" in trace:
        reach = [trace["error_x"]["arrayminus"], trace["error_x"]["array"]]
        bar: Part = {"ecolor": marker["color"], "elinewidth": 1.6, "capsize": 4}
        axes.errorbar(trace["x"], trace["y"], fmt="none", xerr=reach, **bar)


def _zoom(axes: Axes, whole: Axes, close: CloseUp) -> None:
    axes.set_xlim(close.x)
    axes.set_ylim(*(end if given is None else given for given, end in zip(close.y, whole.get_ylim(), strict=True)))


def _add_labels(grid: Any, layout: Part, choice: str) -> None:
    """Label horizontal lines in the first column and vertical ones in the last, above all panels."""
    for words in _shown(layout["annotations"], choice):
        axes = grid[0][-1] if words["xref"] == "x" else grid[0][0]
        coordinates = axes.get_xaxis_transform() if words["xref"] == "x" else axes.get_yaxis_transform()
        axes.annotate(
            one_line(words["text"]), (words["x"], words["y"]), xytext=(2, 2), textcoords="offset points",
            xycoords=coordinates, fontsize=8, color=_MUTED, va="bottom", annotation_clip=True,
        )  # fmt: skip


def _add_legend(drawing: Drawing, data: Sequence[Part]) -> None:
    from matplotlib.patches import Patch

    names = {each["legendgroup"]: each for each in reversed(data) if "legendgroup" in each}
    marks = [
        Patch(
            facecolor=each["marker"]["color"], edgecolor="white", linewidth=0, label=one_line(name),
            hatch=_HATCHES.get(each["marker"].get("pattern", {}).get("shape", "")),
        )
        for name, each in reversed(names.items())
    ]  # fmt: skip
    if marks:
        drawing.legend(handles=marks, fontsize=8, frameon=False, loc="outside right upper")
