"""What a person claims of a campaign: who publishes it, on which machine, at which price."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Claims:
    """What only the person can say, for a DAWNBench entry; None where it was not said.

    ``cost_per_hour`` is in US dollars.
    """

    author: str | None = None
    email: str | None = None
    hardware: str | None = None
    cost_per_hour: float | None = None
    code_url: str | None = None

    def updated(self, newer: Claims) -> Claims:
        """These claims with what ``newer`` says in place of what was said before."""
        return replace(self, **{key: value for key, value in asdict(newer).items() if value is not None})


def is_price(value: object) -> bool:
    """Whether a value is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value > 0 and (isinstance(value, int) or math.isfinite(value))


def price(claims: Mapping[str, Any]) -> float | None:
    """The COST_PER_HOUR among a campaign's claims; None where there is none that could be one."""
    claimed = claims.get("cost_per_hour")
    return float(claimed) if claimed is not None and is_price(claimed) else None
