"""The position of a value among those of others, lowest first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Values are compared as whole millionths, a microsecond or a ten thousandth of a cent: what the floats of hours and
#: prices add to a tie is smaller, and nothing on a board is finer.
TIE_DECIMALS = 6


@dataclass(frozen=True)
class Position:
    """A value's ``rank`` (1 is best) ``of`` so many values, itself included, ``tied`` with so many others."""

    value: float
    rank: int
    of: int
    tied: int


def position(value: float, others: Iterable[float | None]) -> Position:
    """Return the position of a finite value among ``others``, of which None has no value."""
    if not math.isfinite(value):
        raise ValueError(f"only a finite value has a place, not {value}")
    known, mine = [round(each, TIE_DECIMALS) for each in others if each is not None], round(value, TIE_DECIMALS)
    return Position(value, 1 + sum(each < mine for each in known), 1 + len(known), known.count(mine))
