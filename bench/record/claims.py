"""The claims on a campaign: author, machine, price."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Claims:
    """The user's claims for a DAWNBench entry; None for one not given.

    ``cost_per_hour`` is in US dollars.
    """

    author: str | None = None
    email: str | None = None
    hardware: str | None = None
    cost_per_hour: float | None = None
    code_url: str | None = None

    def updated(self, newer: Claims) -> Claims:
        """Return these claims with the values that ``newer`` gives."""
        return replace(self, **{key: value for key, value in asdict(newer).items() if value is not None})

    @property
    def price(self) -> float | None:
        """Return ``cost_per_hour`` if it is a price, else None."""
        return self.cost_per_hour if is_price(self.cost_per_hour) else None


def is_price(value: object) -> bool:
    """Return whether a value is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value > 0 and (isinstance(value, int) or math.isfinite(value))
