"""A person's claims about a campaign: who publishes it, on which machine, at which price."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Claims:
    """What only a person knows, for a DAWNBench entry; None where it was not given.

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
        """``cost_per_hour`` where it is a price, else None."""
        return self.cost_per_hour if is_price(self.cost_per_hour) else None


def is_price(value: object) -> bool:
    """Whether a value is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value > 0 and (isinstance(value, int) or math.isfinite(value))
