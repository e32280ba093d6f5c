"""A figure as plain data: what is drawn and in what words, with no library that draws.

The page draws it with plotly.js and a picture with matplotlib; both take their numbers from here, so they agree.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE, POINTS, BAR, INTERVAL = "line", "points", "bar", "interval"
#: What became of a run: it reached the target, finished below it, or did not finish.
HIT, MISS, UNFINISHED = "hit", "miss", "unfinished"


@dataclass(frozen=True)
class Series:
    """Values along one axis: ``y[i]`` at ``x[i]``, a position or the name of one; ``hover[i]`` says more about it.

    ``panel`` is the place of its panel. ``state``, ``side`` (its place among the compared) and ``phase`` say what its
    colour and its mark mean; each is empty or None where it has none. It is shown while ``choice`` is chosen, always
    where that is empty. ``low`` and ``high`` are the ends of an interval. ``legend`` is what a
    legend calls it together with others, where that is not its name.
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    kind: str = LINE
    panel: int = 0
    state: str = ""
    side: int | None = None
    phase: str = ""
    choice: str = ""
    hover: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    legend: str = ""


@dataclass(frozen=True)
class Target:
    """A horizontal line at a value, with its words."""

    value: float
    label: str


@dataclass(frozen=True)
class Panel:
    """One of the drawings that share a figure's horizontal axis; ``low`` and ``high`` bound it where they are given."""

    y_title: str
    targets: tuple[Target, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """A vertical line through all panels, with its words; empty where there is no room for them."""

    x: float
    label: str
    choice: str = ""


@dataclass(frozen=True)
class CloseUp:
    """A part of the figure worth a closer look; the vertical ends are None where they stay."""

    label: str
    x_low: float
    x_high: float
    y_low: float | None = None
    y_high: float | None = None
    choice: str = ""


@dataclass(frozen=True)
class Numbers:
    """The figure as a table, for those who cannot see it and those who want to copy it; None is not known."""

    header: tuple[str, ...]
    rows: tuple[tuple[float | str | None, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A figure with ``panels`` one above the other.

    ``empty`` says why there is nothing to draw, and is empty where there is. ``choices`` are what the reader may choose
    to see, the first one before they do. ``ticks`` give positions their names. A ``horizontal`` figure has its
    positions along the vertical axis; the bars of a ``stacked`` one stand on each other.
    """

    key: str
    title: str
    caption: str
    x_title: str
    panels: tuple[Panel, ...]
    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    choices: tuple[str, ...] = ()
    choice_title: str = ""
    close_ups: tuple[CloseUp, ...] = ()
    stacked: bool = False
    horizontal: bool = False
    numbers: Numbers = Numbers((), ())
    empty: str = ""
