"""Numbers as text."""

from __future__ import annotations


def accuracy_text(correct: int, total: int) -> str:
    """Per cent with two places, rounded down, so that 93.999 % does not look like the 94 % it misses."""
    hundredths = 10_000 * correct // total
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def counted(number: float, noun: str) -> str:
    """A number with its noun, in the plural save for 1."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"
