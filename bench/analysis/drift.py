"""Drift between campaigns: how they lie in time, and how far two of one configuration may differ.

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
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from bench.analysis import config_diff, welch
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
    are None if unknown.
    """

    interleaved: bool
    same_boot: bool | None = None
    minutes_apart: float | None = None

    def __str__(self) -> str:
        if self.interleaved:
            return "interleaved"
        boot = {True: "same boot", False: "different boots", None: "boots unknown"}[self.same_boot]
        return f"not interleaved, {boot}, {_apart(self.minutes_apart)}"


def _apart(minutes: float | None) -> str:
    if minutes is None:
        return "time between them unknown"
    if minutes == 0:
        return "at the same time"
    if minutes < 0.5:
        return "less than a minute apart"
    if minutes < 120:
        return f"{minutes:.0f} min apart"
    return f"{minutes / 60:.0f} h apart" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days apart"


def timing(ours: Sequence[Record], theirs: Sequence[Record], interleaved: bool) -> Timing:
    """How the runs of two sides lie in time; sides of which one ended before the other began were not interleaved."""
    one, other = _span(ours), _span(theirs)
    if one is None or other is None:
        return Timing(interleaved)
    gap = max(one[0], other[0]) - min(one[1], other[1])
    return Timing(interleaved and gap <= 0, _same_boot(ours, theirs), max(0.0, gap) / 60)


def _same_boot(ours: Sequence[Record], theirs: Sequence[Record]) -> bool | None:
    """Return whether two sides ran on one machine since one start; None if unknown.

    The clock of a run's stamps counts from the start of the machine: where it went back, the machine was started in
    between. Where it lags behind UTC, the machine may also have been suspended, or its clock set.
    """
    one, other = _machines(ours), _machines(theirs)
    if one is None or other is None:
        return None
    if one != other:
        return False
    stamps = [(began, each.spawned_ns / 1e9) for each in (*ours, *theirs)
              if (began := _utc(each)) is not None and each.spawned_ns is not None]  # fmt: skip
    boots = [began - stamp for began, stamp in stamps]
    if max(boots) - min(boots) <= _ONE_BOOT_SECONDS:
        return True
    return False if any(later[1] < earlier[1] for earlier, later in pairwise(sorted(stamps))) else None


def _span(records: Sequence[Record]) -> tuple[float, float] | None:
    """Return begin and end of a side's runs, in seconds of UTC."""
    known = [(began, each.life_ns or 0) for each in records if (began := _utc(each)) is not None]
    if not known or len(known) < len(records) or any(each.spawned_ns is None for each in records):
        return None
    return min(began for began, _ in known), max(began + life / 1e9 for began, life in known)


def _as_utc(time: datetime) -> datetime:
    """A time that names no zone is of UTC, as its field says, and not of the zone of the reader."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _utc(record: Record) -> float | None:
    try:
        return _as_utc(datetime.fromisoformat(record.utc)).timestamp() if record.utc else None
    except (ValueError, OverflowError):
        return None


def _machines(records: Sequence[Record]) -> set[tuple[str, ...]] | None:
    if any(each.fingerprint.get(_MACHINE[0]) is None for each in records):
        return None
    return {tuple(str(each.fingerprint.get(name)) for name in _MACHINE) for each in records}


def identity(record: Record) -> tuple[object, ...] | None:
    """Return the identity of a run, independent of folder and seed; None if unknown.

    Two processes never begin and end in the same nanoseconds.
    """
    if record.spawned_ns is None or record.utc is None:
        return None
    return record.utc, record.spawned_ns, record.exited_ns


def level(records: Iterable[Record], work: Work) -> float | None:
    """The level of a campaign: the median logarithm of its fixed-work times; None of no run that counts."""
    known = (work.seconds(each) for each in records if work.counts(each))
    logs = [math.log(each) for each in known if each is not None]
    return median(logs) if logs else None


def allowance(
    sides: Sequence[Sequence[Record]], work: Work, others: Sequence[Sequence[Record]], stated_percent: float
) -> Allowance:
    """Return what two sides may differ by, measured from ``others``, the campaigns not compared, if possible.

    Not from the compared ones, or copies of them: a slow run must not make the allowance it is held against larger. Nor
    from a campaign and its copy, as a copy always agrees. Pooled over the configurations that were repeated on a side's
    machine; the allowance is Student's 95 % bound on the difference of two campaigns.
    """
    others = _distinct(others, {identity(each) for side in sides for each in side})
    shares = [_spread(side, work, others) for side in sides]
    if all(each is None for each in shares):
        return Allowance(stated_percent, "stated, not measured")
    stated = math.log1p(stated_percent / 100) / math.sqrt(2)
    halves = [stated if each is None else each[0] for each in shares]
    counted = " and ".join(sorted({f"{each[1]} campaigns" for each in shares if each is not None}))
    partly = "" if all(shares) else ", and stated for the other side"
    return Allowance(100 * math.expm1(math.hypot(*halves)), f"measured from {counted} on that machine{partly}")


def _distinct(campaigns: Sequence[Sequence[Record]], seen: set[tuple[object, ...] | None]) -> list[Sequence[Record]]:
    """The campaigns without those that hold a run which was ``seen``, or which an earlier one of them holds."""
    found, known = [], seen - {None}
    for campaign in campaigns:
        runs = {identity(each) for each in campaign} - {None}
        if runs.isdisjoint(known):
            found.append(campaign)
        known |= runs
    return found


def _spread(side: Sequence[Record], work: Work, others: Sequence[Sequence[Record]]) -> tuple[float, int] | None:
    """Return the 95 % bound of one campaign's level on a side's machine, and the number of campaigns used."""
    groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
    machines = _machines(side)
    for campaign in others if machines is not None else ():
        found = level(campaign, work)
        if found is not None and _machines(campaign) == machines:
            groups[config_diff.matching_facts(campaign)].append(found)
    repeated = [levels for levels in groups.values() if len(levels) > 1]
    freedom = sum(len(levels) - 1 for levels in repeated)
    if freedom < LEAST_FREEDOM:
        return None
    pooled = math.fsum(welch.variance(levels) * (len(levels) - 1) for levels in repeated) / freedom
    return welch.quantile(freedom) * math.sqrt(pooled), sum(map(len, repeated))
