"""The figures as JSON inside a page: short, exact, and nothing that a parser of HTML would take for its own."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from bench.analysis.figures import Figure, Mark, Panel, Series

#: What could end a script, begin a comment or an entity, or end a line of JavaScript in an older reader.
_ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def script_json(body: Any) -> str:
    """JSON for a ``<script type="application/json">``. Raises ValueError for a number that JSON has no word for."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half a character, which a damaged name may hold, has no bytes in UTF-8.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.translate(_ESCAPED)


def of_figure(figure: Figure) -> dict[str, Any]:
    """What page.js draws a figure from. Series at the same places share them: ``x`` is an index into ``xs``."""
    xs: dict[tuple[float | str, ...], int] = {}
    series = [_series(each, xs.setdefault(each.x, len(xs))) for each in figure.series]
    return {
        "key": figure.key,
        "title": figure.title,
        "xTitle": figure.x_title,
        "panels": [_panel(each) for each in figure.panels],
        "xs": [[_number(value) for value in values] for values in xs],
        "series": series,
        "marks": [_mark(each) for each in figure.marks],
        "ticks": figure.ticks,
        "choices": figure.choices,
        "closeUps": [
            {"choice": each.choice, "x": [each.x_low, each.x_high], "y": [each.y_low, each.y_high]}
            for each in figure.close_ups
        ],
        "stacked": figure.stacked,
        "horizontal": figure.horizontal,
    }


def _series(series: Series, x: int) -> dict[str, Any]:
    body = {
        "name": series.name,
        "x": x,
        "y": [_number(each) for each in series.y],
        "kind": series.kind,
        "panel": series.panel,
        "state": series.state,
        "side": series.side,
        "phase": series.phase,
        "choice": series.choice,
        "hover": series.hover,
        "low": series.low,
        "high": series.high,
        "legend": series.legend,
    }
    return {key: value for key, value in body.items() if value not in ("", None, ())}


def _panel(panel: Panel) -> dict[str, Any]:
    targets = [{"value": each.value, "label": each.label} for each in panel.targets]
    return {"title": panel.y_title, "targets": targets, "low": panel.low, "high": panel.high}


def _mark(mark: Mark) -> Sequence[Any]:
    return mark.x, mark.label, mark.choice


def _number(value: float | str) -> float | int | str | None:
    """A number in as few characters as tell it; None, which draws nothing, for one that is not finite."""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1e15 else value
