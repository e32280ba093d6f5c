"""A column of a CSV file that the harness writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "whole", "number"]


@dataclass(frozen=True)
class Column:
    """One column: ``kind`` is what its cells are when known; ``unit`` is empty where there is none.

    ``below``: a number that is not below it, or not above its negative, cannot be and is a missing value.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    below: float = 2.0**63

    def holds(self, value: float) -> bool:
        """Return whether the column can hold a number: finite, within its bounds, an int in whole columns."""
        return -self.below < value < self.below and (self.kind != "whole" or isinstance(value, int))
