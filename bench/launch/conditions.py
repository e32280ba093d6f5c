"""The thermal and cache protocol of a campaign: what is run before its runs, how long it rests between two, and what
the driver still knows from earlier ones. Fixed for a campaign, as a card's temperature and clocks depend on it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import asdict, dataclass, replace
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
class RunConditions:
    """How the runs of a campaign are made; runs made otherwise are not put together with them.

    ``warm_up`` runs are made and discarded before the first seed each time a command starts; ``idle_seconds`` lie at
    least between the end of a run and the start of the next; ``kernel_cache`` is ``kept``, or ``cold`` for an empty one
    at each run; ``telemetry`` says whether the machine is sampled meanwhile.
    """

    warm_up: int = 1
    idle_seconds: float = 0.0
    kernel_cache: str = "kept"
    telemetry: bool = True

    def differences(self, other: RunConditions) -> list[str]:
        """The keys in which ``other`` is not this, each with both values."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{key} {theirs[key]!r} instead of {mine[key]!r}" for key in mine if mine[key] != theirs[key]]

    def sentence(self, warmed: str = "") -> str:
        """The protocol in words, for the line that a campaign begins with; ``warmed`` says of what a warm-up run is."""
        runs = {0: "no warm-up run", 1: "1 warm-up run"}.get(self.warm_up, f"{self.warm_up} warm-up runs")
        cache = "kernel cache empty at each run" if self.kernel_cache == "cold" else "kernel cache kept"
        off = "" if self.telemetry else ", telemetry off"
        of = f" of {warmed}" if warmed and self.warm_up else ""
        return f"{runs}{of} first, {self.idle_seconds:g} s idle between runs, {cache}{off}"


#: What a campaign that states no protocol was made under, before there was one.
UNSTATED = RunConditions(warm_up=0, idle_seconds=0.0, kernel_cache="unstated", telemetry=False)


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
