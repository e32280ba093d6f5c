"""The thermal and cache protocol of a campaign: what is run before its runs, how long it rests between two, and what
the driver still knows from earlier ones. Fixed for a campaign, as a card's temperature and clocks depend on it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from itertools import count

from bench.launch.monitor import Limits

#: Where a warm-up run is, in the campaign's folder.
WARM_UP_FOLDER = "warm-up"
#: A warm-up ends itself after one epoch and a minute, whichever is later: a card of the size of a V100 is then within a
#: few degrees of where it stays, everything on disk has been read once, and a recipe of hours on a CPU is not paid for.
WARM_UP_EPOCHS, WARM_UP_SECONDS = 1.0, 60.0
#: Larger than the seeds that people choose, and small enough for a trainer that keeps them in 31 bits.
_FIRST_SEED = 1_000_000_000


@dataclass(frozen=True)
class WarmUp:
    """A run made before those that count; ``number`` tells several apart, ``campaign`` whose recipe it has."""

    number: int = 1
    campaign: str = ""

    def __str__(self) -> str:
        return "the warm-up" if self.number == 1 else f"warm-up {self.number}"


def warm_up_limits(limits: Limits) -> Limits:
    """The limits of a warm-up run: those of the others, and an end."""
    return replace(limits, enough_epochs=WARM_UP_EPOCHS, enough_seconds=WARM_UP_SECONDS)


def warm_up_seed(counted: Container[int]) -> int:
    """The seed of a warm-up run: 1,000,000,000, or the next that is none of those ``counted``."""
    return next(seed for seed in count(_FIRST_SEED) if seed not in counted)
