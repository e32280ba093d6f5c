"""The card that is sampled, across the runs of a campaign: opened once, and anew for the next run where it was lost.

A driver that fails ends the sampling of the card and nothing else: the run goes on, and its record says what happened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from bench.errors import one_line
from bench.probes.environment import hashed
from bench.probes.family import Family
from bench.probes.gpu import Counters, Gpu, GpuProblem, Sample, open_card
from bench.probes.gpu.energy import EnergyStep
from bench.probes.ownership import Owner

#: Of a sample, in the order of the columns of ``telemetry.csv``; the two about processes follow.
_VALUES = attrgetter(
    "gpu_utilisation_percent",
    "memory_utilisation_percent",
    "gpu_memory_bytes",
    "gpu_power_watts",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "event_reasons",
    "gpu_temperature_celsius",
)
_NO_VALUES: tuple[None, ...] = (None,) * 10
#: The first namespace of process numbers, in which they are those that the driver gives (include/linux/proc_ns.h).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


class Card(Protocol):
    """What is needed of ``bench.probes.gpu.Card``; every call may raise GpuLost."""

    @property
    def gpu(self) -> Gpu:
        """Which card this is."""

    @property
    def calls(self) -> Mapping[str, str]:
        """Each call with ``yes`` or why it gives nothing."""

    def sample(self, slow: bool = False) -> Sample:
        """What the card does now."""

    def counters(self) -> Counters:
        """Its counters."""

    def measure_energy_step(self) -> EnergyStep | None:
        """How coarse its energy counter is; takes a moment."""

    def close(self) -> None:
        """Leave the driver."""


@dataclass(frozen=True)
class Chosen:
    """The card to sample and its ``role``: it ``trains``, or is only ``watched`` while a CPU does."""

    uuid: str
    role: str = "trains"


class WatchedCard:
    """The chosen card, or none; ``why_none`` is one clause or sentence where nothing of a card is read.

    ``lost`` is what the driver said last, empty while all is well. No call raises anything.
    """

    def __init__(
        self,
        chosen: Chosen | None,
        why_none: str = "",
        open_card: Callable[[str], Card] = open_card,
        root: Path = Path("/"),
    ) -> None:
        self.why_none = why_none
        self.lost = ""
        self._chosen, self._open_card = chosen, open_card
        self._card: Card | None = None
        self._energy_step: EnergyStep | None = None
        self._told_by_pids = _sees_host_pids(root)
        #: Processes that were on the card before the trainer was started.
        self._earlier: frozenset[int] = frozenset()

    def prepare(self) -> dict[str, Any] | None:
        """Have the card open for a run: what ``harness_sampler`` says of it, None where there is none."""
        if self._chosen is None:
            return None
        try:
            if self._card is None:
                self._card = self._open_card(self._chosen.uuid)
                self._energy_step = self._energy_step or self._card.measure_energy_step()
            self.why_none = self.lost = ""
            self._earlier = _processes(self._card)
            return self._description(self._card, self._chosen.role)
        except Exception as error:  # whatever a driver does, it costs no run
            self._lose(error)
            self.why_none = self.lost
            return None

    def values(self, slow: bool, family: Family | None, young: bool) -> tuple[Any, ...]:
        """The card's cells of a row, empty where it is lost; ``young`` as long as the trainer cannot be on it yet."""
        if self._card is None:
            return _NO_VALUES
        try:
            sample = self._card.sample(slow)
        except Exception as error:
            self._lose(error)
            return _NO_VALUES
        on_card = sample.processes
        if on_card is None:
            return (*_VALUES(sample), None, None)
        return (*_VALUES(sample), len(on_card), self._foreign(on_card, family, young))

    def counters(self) -> Counters:
        """The counters now, all of them missing where the card is."""
        if self._card is None:
            return Counters()
        try:
            return self._card.counters()
        except Exception as error:
            self._lose(error)
            return Counters()

    def close(self) -> None:
        """Leave the driver."""
        card, self._card = self._card, None
        if card is not None:
            with suppress(Exception):  # of a lost card
                card.close()

    def _lose(self, error: Exception) -> None:
        said = str(error) if isinstance(error, GpuProblem) else f"{type(error).__name__}: {error}"
        self.lost = one_line(said)
        self.close()

    def _description(self, card: Card, role: str) -> dict[str, Any]:
        step = self._energy_step
        return {
            "name": card.gpu.name,
            "uuid_hash": hashed(card.gpu.uuid),
            "role": role,
            "calls": dict(card.calls),
            "energy_step_ms": None if step is None else step.period_ms,
            "energy_step_mj": None if step is None else step.step_mj,
            "processes": "pids" if self._told_by_pids else "counts",
        }

    def _foreign(self, on_card: tuple[int, ...], family: Family | None, young: bool) -> int | None:
        """How many of the card's processes are not the trainer's; None where that cannot be told."""
        if not self._told_by_pids:
            # In a namespace of our own the driver's numbers mean nothing to us, so they can only be counted.
            assert self._chosen is not None
            ours = 0 if young or self._chosen.role != "trains" else 1
            return max(0, len(on_card) - ours)
        if family is None:
            return len(on_card)
        strangers = set(on_card) - family.pids
        if strangers:  # perhaps a child born since the last look
            family.refresh()
            strangers -= family.pids
        owners = family.ownership.of(strangers)
        strangers = {pid for pid in strangers if owners[pid] is not Owner.TRAINER}
        foreign = {pid for pid in strangers if owners[pid] is Owner.SOMEBODY_ELSE or pid in self._earlier}
        if not strangers.issuperset(on_card):
            # Who may not be looked into could only be a trainer that a daemon started, and this one is on the card.
            foreign |= {pid for pid in strangers if owners[pid] is Owner.HIDDEN}
        return len(foreign) if foreign or not strangers else None


def _processes(card: Card) -> frozenset[int]:
    """Those on the card now; a card that does not answer is found lost with the next tick."""
    try:
        return frozenset(card.sample(slow=True).processes or ())
    except Exception:
        return frozenset()


def _sees_host_pids(root: Path) -> bool:
    try:
        return os.readlink(root / "proc/self/ns/pid") == _FIRST_PID_NAMESPACE
    except OSError:
        return False
