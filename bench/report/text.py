"""Numbers as text, the same in every format."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

UNKNOWN = "-"


def accuracy_text(correct: int, total: int) -> str:
    """Return per cent with two places, rounded down, so that 93.999 % does not look like the 94 % it misses."""
    hundredths = 10_000 * correct // total
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def counted(number: float, noun: str) -> str:
    """A number with its noun, in the plural save for 1."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


def seconds(value: Any, unit: str = " s") -> str:
    """Return a time as ``74.04 s``, ``3,412.5 s``, ``inf``, or ``-`` where it is not known."""
    if pd.isna(value):
        return UNKNOWN
    if value == math.inf:
        return "inf"
    return f"{value:.2f}{unit}" if value < 100 else f"{value:,.1f}{unit}"


def joules(value: float) -> str:
    """Return an energy, or its uncertainty, as ``16,100``, ``85.3``, ``0.4`` or ``inf``."""
    if math.isinf(value):
        return "inf"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def dollars(value: float) -> str:
    """Return a price to the nearest cent, as DAWNBench's board shows it; one below a cent in full."""
    if math.isinf(value):
        return "inf"
    return f"${value:,.2f}" if value >= 0.005 else f"${value:.2g}"
