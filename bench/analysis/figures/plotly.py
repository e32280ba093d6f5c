"""Plotly figures as plain dictionaries: the traces, axes, lines and colours that the figures of this package share.

Attributes are those of https://plotly.com/javascript/reference/. The page hands ``data`` and ``layout`` to plotly.js,
``bench.report.pictures`` draws them with matplotlib. Names are not escaped here: a renderer of markup does that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: A trace, or a part of a layout.
Part = dict[str, Any]

#: Outcome of a run: it reached the target, finished below it, or did not finish.
HIT, MISS, UNFINISHED = "hit", "miss", "unfinished"
TRAIN, WAIT = "train_k", "wait"
INK, MUTED, GRID, PAPER, PANEL = "#1f2933", "#56616d", "#d5dae0", "#ffffff", "#f5f7f9"
#: Colour of a figure -> its colour on a dark page.
DARK = {
    INK: "#e6eaee", MUTED: "#a5b0bb", GRID: "#3a434d", PAPER: "#14191f", PANEL: "#1c232b",
    "#0072b2": "#56b4e9", "#c44e00": "#f0a050", "#6b7580": "#9aa5b0", "#00805b": "#3ecb9f", "#a8487f": "#e39cc6",
    "#8a6d00": "#e5d04a", "#4b4f9e": "#a9adf0", "#b7c0c9": "#5c6772", "#6f4e7c": "#a387b3", "#f0e442": "#e5d04a",
    "#d55e00": "#f07a2e", "#009e73": "#19b98b", "#56b4e9": "#8fd0f5", "#6cc5aa": "#8fdcc4", "#3f4852": "#c3cbd3",
    "#7d8794": "#9aa5b0",
}  # fmt: skip
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
_AXIS: Part = {
    "gridcolor": GRID, "linecolor": MUTED, "zerolinecolor": GRID, "tickcolor": MUTED, "tickfont": {"size": 12},
    "title": {"font": {"size": 12.5}, "standoff": 8}, "automargin": True,
}  # fmt: skip
_TEMPLATE: Part = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "family": _FONT, "size": 12.5}, "margin": {"l": 48, "r": 14, "t": 14, "b": 46},
        "hoverlabel": {"bgcolor": PANEL, "bordercolor": MUTED, "font": {"color": INK, "family": _FONT}},
        "hovermode": "closest", "showlegend": False, "xaxis": _AXIS, "yaxis": _AXIS,
    }
}  # fmt: skip
#: Pixels: height of a panel, gap between two, and the margins above and below all of them.
_PANEL_HEIGHT, _GAP, _AROUND = 130, 18, 70
#: A line of more points shows no mark at each of them.
_MOST_MARKS = 60
_MOST_LETTERS = 40
#: Digits enough for every time and accuracy, few enough to hide the last bit of a float.
_EXACT = ":.15~g"


@dataclass(frozen=True)
class Look:
    """Style of a series, and its entry in the legend, which series of the same style share; "" for no entry."""

    colour: str
    legend: str = ""
    dash: str = "solid"
    symbol: str = "circle"
    pattern: str = ""


#: Blue and orange, which colour-blind readers can distinguish (Okabe and Ito).
STATES = {
    HIT: Look("#0072b2", "reached the target"),
    MISS: Look("#c44e00", "missed the target", "dash", "x"),
    UNFINISHED: Look("#6b7580", "did not finish", "dot", "triangle-up-open"),
}
_SIDES = tuple(
    zip(
        ("#0072b2", "#c44e00", "#00805b", "#a8487f", "#8a6d00", "#4b4f9e"),
        ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot"),
        ("circle", "square", "diamond", "triangle-up", "cross", "star"),
        strict=True,
    )
)
#: Every phase of the contract in its order; what waited for input is a part of training.
PHASES = {
    "import": Look("#8b96a1", "import"),
    "device_init": Look("#b7c0c9", "device start", pattern="/"),
    "data_load": Look("#e69f00", "data loading"),
    "compile": Look("#cc79a7", "compilation"),
    "build": Look("#6f4e7c", "building", pattern="."),
    "preprocess": Look("#f0e442", "preprocessing", pattern="-"),
    TRAIN: Look("#0072b2", "training"),
    WAIT: Look("#d55e00", "training, waiting for input", pattern="/"),
    "eval_k": Look("#009e73", "evaluation"),
    "checkpoint_k": Look("#56b4e9", "checkpoint", pattern="\\"),
    "final_eval": Look("#6cc5aa", "final evaluation", pattern="x"),
    "exit": Look("#3f4852", "exit"),
}


def of_side(place: int, legend: str = "", hollow: bool = False) -> Look:
    """Return the look of the side at ``place`` among those that are compared; marks may be ``hollow``."""
    colour, dash, symbol = _SIDES[place % len(_SIDES)]
    return Look(colour, legend, dash, symbol + ("-open" if hollow else ""))


def of_phase(name: str) -> Look:
    """Return the look of a phase's bars."""
    return PHASES.get(name, Look("#7d8794", name))


@dataclass(frozen=True)
class CloseUp:
    """A part of the figure to zoom to: both ends of each axis, None where an end stays."""

    label: str
    x: tuple[float, float]
    y: tuple[float | None, float | None] = (None, None)
    choice: str = ""


@dataclass(frozen=True)
class Numbers:
    """The figure as a table, to read without seeing it or to copy; None for an unknown value."""

    header: tuple[str, ...]
    rows: tuple[tuple[float | str | None, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A Plotly figure (``data``, ``layout``) with its title, caption and table.

    ``empty`` says why there is nothing to draw; otherwise it is "". The reader selects one of ``choices``, by default
    the first. A trace is shown if its ``meta.choice`` is selected, a shape or an annotation if its ``name`` is; those
    without one are always shown.
    """

    key: str
    title: str
    caption: str
    data: tuple[Part, ...] = ()
    layout: Part = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    choice_title: str = ""
    close_ups: tuple[CloseUp, ...] = ()
    numbers: Numbers = Numbers((), ())
    empty: str = ""

    def json(self) -> Part:
        """Return what the page draws: the Plotly figure with its key and its close-ups."""
        close_ups = [asdict(each) for each in self.close_ups]
        return {"key": self.key, "data": self.data, "layout": self.layout, "closeUps": close_ups}


def line(name: str, x: Sequence[Any], y: Sequence[float], look: Look, hover: Sequence[str], **more: Any) -> Part:
    """Return a line; ``more`` as of ``_trace``. Its points have marks where they are few and in one panel."""
    mode = "lines+markers" if len(x) <= _MOST_MARKS and ("panel" not in more or len(x) == 1) else "lines"
    hollow = look.symbol.endswith("-open")
    edge = {"width": 1.5 if hollow else 0, "color": look.colour}
    marker = {"color": look.colour, "symbol": look.symbol, "size": 5 if look.symbol == "circle" else 7, "line": edge}
    stroke = {"color": look.colour, "width": 1.7, "dash": look.dash}
    return _trace(name, x, y, look, hover, type="scatter", mode=mode, line=stroke, marker=marker, **more)


def points(name: str, x: Sequence[Any], y: Sequence[float], look: Look, hover: Sequence[str], **more: Any) -> Part:
    """Return points without a line, large; ``more`` as of ``_trace``."""
    marker = {"color": look.colour, "symbol": look.symbol, "size": 11, "line": {"color": PAPER, "width": 1}}
    return _trace(name, x, y, look, hover, type="scatter", mode="markers", marker=marker, cliponaxis=False, **more)


def reach(below: float, above: float, look: Look) -> Part:
    """Return the ``error_x`` of a point whose interval reaches this far to either side."""
    ends = {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below]}
    return {**ends, "color": look.colour, "thickness": 2.5, "width": 8}


def bars(name: str, x: Sequence[Any], y: Sequence[Any], look: Look, hover: Sequence[str], **more: Any) -> Part:
    """Return bars; ``more`` as of ``_trace``."""
    pattern = {"shape": look.pattern, "size": 6, "solidity": 0.25, "fgcolor": PAPER, "fillmode": "overlay"}
    marker = {"color": look.colour, "line": {"color": PAPER, "width": 0.5}, "pattern": pattern}
    return _trace(name, x, y, look, hover, type="bar", textposition="none", marker=marker, **more)


def value(title: str, axis: str = "y") -> str:
    """Return a line of a hover label: the title of an axis with the exact value along it."""
    return f"{title}: %{{{axis}{_EXACT}}}"


def _trace(
    name: str, x: Sequence[Any], y: Sequence[Any], look: Look, hover: Sequence[str], *,
    text: Sequence[str] = (), panel: int = 0, choice: str = "", **more: Any,
) -> Part:  # fmt: skip
    """Return a trace in the panel of this place with ``more`` attributes.

    ``hover`` are the lines of its label after its name, templates of Plotly; ``text`` is one line more for each point.
    """
    lines = ("%{fullData.name}", *hover, *(["%{text}"] if text and "%{text}" not in hover else []))
    made: Part = {
        "name": name,
        "x": _finite(x),
        "y": _finite(y),
        "hovertemplate": f"{'<br>'.join(lines)}<extra></extra>",
    }
    made |= {"yaxis": f"y{panel + 1}" if panel else "y", **more}
    if text:
        made["text"] = list(text)
    if look.legend:
        made["legendgroup"] = look.legend
    if choice:
        made["meta"] = {"choice": choice}
    return made


def _finite(values: Sequence[Any]) -> list[Any]:
    """Return the values with None, which draws nothing, for a number that JSON has no word for."""
    return [None if isinstance(each, float) and not math.isfinite(each) else each for each in values]


def layout(x: Part, *panels: Part, lines: Iterable[tuple[Part, Part]] = (), height: int = 380, **more: Any) -> Part:
    """Return a layout of vertical axes one above the other over one horizontal axis, with ``lines`` through them."""
    lines, count = tuple(lines), len(panels)
    if count > 1:
        height = _PANEL_HEIGHT * count + _AROUND
    gap = _GAP / (height - _AROUND)
    size = (1 - gap * (count - 1)) / count
    made: Part = {"template": _TEMPLATE, "height": height, "xaxis": {**x, "anchor": f"y{count}" if count > 1 else "y"}}
    for place, panel in enumerate(panels):
        top = 1 - place * (size + gap)
        made[f"yaxis{place + 1 if place else ''}"] = {**panel, "domain": [max(0.0, top - size), top]}
    words = [annotation for _, annotation in lines if annotation["text"]]
    return {**made, "shapes": [shape for shape, _ in lines], "annotations": words, **more}


def axis(title: str, low: float | None = None, high: float | None = None, **more: Any) -> Part:
    """Return an axis with its title; it ends at ``low`` and ``high`` where both are given, and begins at 0 for 0."""
    made: Part = {"title": {"text": title}, **more}
    if low is not None and high is not None:
        made["range"] = [low, high]
    elif low == 0:
        made["rangemode"] = "tozero"
    return made


def ticks(positions: Sequence[float], names: Sequence[str]) -> Part:
    """Return the attributes of an axis whose positions have names; long names are shortened."""
    cut = [each if len(each) <= _MOST_LETTERS else f"{each[: _MOST_LETTERS - 1]}…" for each in names]
    return {"tickmode": "array", "tickvals": list(positions), "ticktext": cut}


def target(percent: float) -> tuple[Part, Part]:
    """Return the horizontal line of a target, and its label."""
    shape = {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": percent, "y1": percent,
        "line": {"color": INK, "width": 1.2, "dash": "longdash"},
    }  # fmt: skip
    where = {"x": 0.005, "xref": "paper", "xanchor": "left", "y": percent, "yref": "y", "yanchor": "bottom"}
    return shape, {"text": f"target {percent:g} %", "showarrow": False, **where, "font": {"size": 11.5, "color": INK}}


def mark(x: float, label: str, choice: str = "", quiet: bool = False) -> tuple[Part, Part]:
    """Return a vertical line through all panels, and its label, which is shown after zooming in if ``quiet``."""
    stroke: Part = (
        {"color": MUTED, "width": 0.6, "dash": "dot"} if quiet else {"color": INK, "width": 1.8, "dash": "dash"}
    )
    shape = {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": stroke}
    words: Part = {"text": label, "showarrow": False, "x": x, "xref": "x", "y": 1, "yref": "paper", "name": choice}
    if quiet:
        words |= {"visible": False, "xanchor": "right", "yanchor": "bottom", "font": {"size": 10.5, "color": MUTED}}
    else:
        words |= {"xanchor": "left", "xshift": 4, "yanchor": "top", "font": {"size": 12, "color": INK}}
    return {**shape, "layer": "below" if quiet else "above", "name": choice}, words
