"""A column of a CSV file that the harness writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "whole", "number"]


@dataclass(frozen=True)
class Column:
    """One column: ``kind`` is what its cells are when known; ``unit`` is empty where there is none."""

    name: str
    kind: Kind
    unit: str
    meaning: str
