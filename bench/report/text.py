"""Numbers as text."""

from __future__ import annotations


def accuracy_text(correct: int, total: int) -> str:
    """Per cent with two places, rounded down, so that 93.999 % does not look like the 94 % it misses."""
    hundredths = 10_000 * correct // total
    return f"{hundredths // 100}.{hundredths % 100:02d} %"
