"""Campaigns that were made one after the other: how they lie in time, and how far two of one configuration may differ.

Runs of one campaign share its hour: the temperature of the room, the neighbours on the machine, the state of its
memory. Two campaigns differ by that as well, and their runs do not show how much. So unless runs were interleaved, or
each side has campaigns enough to be the unit, an *allowance* is added to both ends of the interval: measured from
repeated campaigns of one configuration on that machine, else the one that is stated.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from bench.analysis import differing, welch
from bench.analysis.fixed_work import Work
from bench.record import Record

#: Unless another is given: what two campaigns on one machine may differ by where nothing else does. Of the same order
#: as the clock and temperature effects that campaigns an hour apart show on shared and cloud machines.
ALLOWANCE_PERCENT = 2.0
#: Degrees of freedom (campaigns less configurations) from which the spread of campaigns is taken from them: Student's
#: factor is 12.7 at one, 3.2 at three.
LEAST_FREEDOM = 3
#: Boots whose times agree to this many seconds are one: clocks are set by less while a machine runs.
_ONE_BOOT_SECONDS = 60.0
#: What makes two campaigns those of one machine.
_MACHINE = ("cpu.model", "cpu.family", "cpu.model_number", "cpu.stepping", "cpu.cores", "gpu.name", "gpu.uuid_hash")


@dataclass(frozen=True)
class Allowance:
    """By how many per cent two campaigns may differ for no reason that is recorded, and where that is known from."""

    percent: float
    source: str


@dataclass(frozen=True)
class Timing:
    """How two sides lie in time: ``same_boot`` and ``minutes_apart`` (from the end of one to the start of the other)
    are None where the records do not tell.
    """

    interleaved: bool
    same_boot: bool | None = None
    minutes_apart: float | None = None

    def __str__(self) -> str:
        if self.interleaved:
            return "interleaved"
        boot = {True: "same boot", False: "not the same boot", None: "same boot or not: unknown"}[self.same_boot]
        return f"not interleaved, {boot}, {_apart(self.minutes_apart)}"


def _apart(minutes: float | None) -> str:
    if minutes is None:
        return "time between them unknown"
    if minutes < 0.5:
        return "less than a minute apart"
    if minutes < 120:
        return f"{minutes:.0f} min apart"
    return f"{minutes / 60:.0f} h apart" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days apart"


def timing(ours: Sequence[Record], theirs: Sequence[Record], interleaved: bool) -> Timing:
    """How the runs of two sides lie in time."""
    one, other = _span(ours), _span(theirs)
    if one is None or other is None:
        return Timing(interleaved)
    gap = max(one[0], other[0]) - min(one[1], other[1])
    boots = [boot for each in (*ours, *theirs) if (boot := _booted(each)) is not None]
    return Timing(interleaved, _machines(ours) == _machines(theirs) and max(boots) - min(boots) <= _ONE_BOOT_SECONDS,
                  max(0.0, gap) / 60)  # fmt: skip


def _span(records: Sequence[Record]) -> tuple[float, float] | None:
    """Begin and end of a side's runs, in seconds of UTC."""
    known = [(began, each.life_ns or 0) for each in records if (began := _utc(each)) is not None]
    if not known or len(known) < len(records) or any(each.spawned_ns is None for each in records):
        return None
    return min(began for began, _ in known), max(began + life / 1e9 for began, life in known)


def _utc(record: Record) -> float | None:
    try:
        return datetime.fromisoformat(record.utc).timestamp() if record.utc else None
    except ValueError:
        return None


def _booted(record: Record) -> float | None:
    """When the machine was started, in seconds of UTC: CLOCK_MONOTONIC counts from then."""
    began = _utc(record)
    return None if began is None or record.spawned_ns is None else began - record.spawned_ns / 1e9


def _machines(records: Sequence[Record]) -> set[tuple[str, ...]]:
    return {tuple(str(each.fingerprint.get(name)) for name in _MACHINE) for each in records}


def level(records: Iterable[Record], work: Work) -> float | None:
    """The level of a campaign: the median logarithm of its fixed-work times; None of no run that counts."""
    known = (work.seconds(each) for each in records if work.counts(each))
    logs = [math.log(each) for each in known if each is not None]
    return median(logs) if logs else None


def allowance(
    sides: Sequence[Sequence[Record]], work: Work, others: Sequence[Sequence[Record]], stated_percent: float
) -> Allowance:
    """What two sides may differ by, from ``others``, the campaigns that are not compared, where they tell it.

    Not from the compared ones: a slow run must not make the allowance it is held against larger. Pooled over the
    configurations that were repeated on a side's machine; the allowance is Student's 95 % bound on the difference of
    two campaigns.
    """
    shares = [_spread(side, work, others) for side in sides]
    if all(each is None for each in shares):
        return Allowance(stated_percent, "stated, not measured")
    stated = math.log1p(stated_percent / 100) / math.sqrt(2)
    halves = [stated if each is None else each[0] for each in shares]
    counted = " and ".join(sorted({f"{each[1]} campaigns" for each in shares if each is not None}))
    partly = "" if all(shares) else ", and stated for the other side"
    return Allowance(100 * math.expm1(math.hypot(*halves)), f"measured from {counted} on that machine{partly}")


def _spread(side: Sequence[Record], work: Work, others: Sequence[Sequence[Record]]) -> tuple[float, int] | None:
    """The 95 % bound of one campaign's level on a side's machine, and how many campaigns tell it."""
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for campaign in others:
        found = level(campaign, work)
        if found is not None and _machines(campaign) == _machines(side):
            groups[differing.must_match(campaign)].append(found)
    repeated = [levels for levels in groups.values() if len(levels) > 1]
    freedom = sum(len(levels) - 1 for levels in repeated)
    if freedom < LEAST_FREEDOM:
        return None
    pooled = math.fsum(welch.variance(levels) * (len(levels) - 1) for levels in repeated) / freedom
    return welch.quantile(freedom) * math.sqrt(pooled), sum(map(len, repeated))
