"""The card that is sampled, across the runs of a campaign: opened once, and again for the next run after it was lost.

A driver that fails, or does not answer, ends the sampling of the card and nothing else: the run goes on, and its record
says what happened. While a run lasts, calls of the driver are made in a thread and their results collected later.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import one_line
from bench.probes.gpu import (
    DRIVER,
    Before,
    Call,
    Card,
    Counters,
    DriverHangs,
    DriverThread,
    GpuProblem,
    Sample,
    open_card,
)
from bench.probes.gpu.energy import EnergyStep
from bench.probes.ownership import Owner
from bench.probes.process_tree import ProcessTree
from bench.system.env_snapshot import hashed
from bench.telemetry.schedule import Clocks

#: A call that takes longer costs the card: far beyond the 0.08 s that a tick beside an H200 in use took at most, and
#: short beside a run.
DEADLINE_SECONDS = 2.0
#: How long closing a lost card may take, as events may arrive meanwhile.
_MOMENT_SECONDS = 0.01

T = TypeVar("T")

#: The first namespace of process numbers, in which they are those that the driver gives (include/linux/proc_ns.h).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True)
class GpuSelection:
    """The card to sample and its ``role``: it ``trains``, or is only ``watched`` while a CPU does."""

    uuid: str
    role: str = "trains"


class GpuSource:
    """The chosen card, or none; ``why_none`` is one clause or sentence where nothing of a card is read.

    ``lost`` is the driver's error, empty while the card answers. No method raises, and only ``prepare`` and ``close``
    wait for the driver.
    """

    def __init__(
        self,
        chosen: GpuSelection | None,
        why_none: str = "",
        open_card: Callable[[str], Card] = open_card,
        root: Path = Path("/"),
        clocks: Clocks = Clocks(),  # noqa: B008 (frozen)
        driver: DriverThread = DRIVER,
    ) -> None:
        self.why_none = why_none
        self.lost = ""
        self._chosen, self._open_card, self._clocks, self._driver = chosen, open_card, clocks, driver
        self._sampling: Call[Sample] | None = None
        self._card: Card | None = None
        self._energy_step: EnergyStep | None = None
        self._sees_host_pids = _in_first_pid_namespace(root)
        #: The card before the trainer was started, None where it did not answer.
        self._before: Before | None = None
        #: Processes that were on it at that time.
        self._earlier: frozenset[int] = frozenset()
        #: The list of processes has shown the trainer in this run, so it can be trusted to be complete.
        self._shows_trainer = False
        self._impossible: Counter[str] = Counter()

    def prepare(self) -> dict[str, Any] | None:
        """Open the card for a run and return its table of ``harness_sampler``, None where there is no card."""
        if self._chosen is None:
            return None
        chosen = self._chosen
        try:
            self._card = self._driver.call(lambda: self._opened(chosen.uuid), "opening the GPU")
            self.why_none = self.lost = ""
            self._sampling = None
            self.take_impossible()
            return self._description(self._card, chosen.role)
        except Exception as error:  # whatever a driver does, it costs no run
            self._lose(error)
            self.why_none = self.lost
            return None

    def _opened(self, uuid: str) -> Card:
        """Open the card unless it is open, and note its processes; waits for the driver."""
        card = self._card
        if card is None:
            card = self._open_card(uuid)
            self._energy_step = self._energy_step or card.measure_energy_step()
        self._before = _before(card)
        self._earlier = frozenset((self._before and self._before.processes) or ())
        self._shows_trainer = False
        return card

    @property
    def idle(self) -> bool:
        """Whether all calls have returned, so that the next one starts at once."""
        return self._driver.idle

    def start_sample(self, slow: bool) -> Call[Sample] | None:
        """Start a reading, or return the one still going on; None without a card.

        The card is lost once a reading has gone on for longer than DEADLINE_SECONDS.
        """
        if self._sampling is not None and not self._sampling.done():
            waited_seconds = (self._clocks.now() - self._sampling.given_ns) / 1e9
            if waited_seconds <= DEADLINE_SECONDS:
                return self._sampling
            self._driver.abandon(self._sampling)
            self._lose(DriverHangs(f"The NVIDIA driver did not answer within {DEADLINE_SECONDS:g} s."))
        card = self._card
        self._sampling = None if card is None else self._submit(lambda: card.sample(slow))
        return self._sampling

    def start_counters(self, until_ns: int) -> Call[Counters] | None:
        """Start a reading of the counters, not begun after ``until_ns``; None without a card."""
        card = self._card
        return None if card is None else self._submit(card.counters, until_ns)

    def _submit(self, function: Callable[[], T], until_ns: int | None = None) -> Call[T]:
        return self._driver.submit(function, self._clocks.now, self._clocks.cpu, until_ns)

    def values(
        self, reading: Call[Sample] | None, family: ProcessTree | None, before_start: bool
    ) -> Mapping[str, float | None]:
        """Return the card's cells of a row by column, none without a result; ``before_start`` while the trainer cannot
        be on the card yet.
        """
        sample = self._answer(reading) or Sample()
        if sample.processes is None:
            return sample.numbers
        foreign = self._foreign(sample.processes, family, before_start)
        return {**sample.numbers, "gpu_processes": len(sample.processes), "foreign_processes": foreign}

    def counters(self, reading: Call[Counters] | None) -> Counters:
        """Return the counters that were read, all of them None without a result."""
        return self._answer(reading) or Counters()

    def _answer(self, reading: Call[T] | None) -> T | None:
        """Return the result of a reading, None without one; an error of the driver makes the card lost."""
        if reading is None or not reading.done():
            return None
        try:
            return reading.answer()
        except DriverHangs:  # not begun in time, behind another call
            return None
        except Exception as error:
            if self._card is not None:
                self._lose(error)
            return None

    def rest(self) -> None:
        """End a run: abandon a reading that has not returned."""
        if self._sampling is not None:
            self._driver.abandon(self._sampling)

    def take_impossible(self) -> Counter[str]:
        """Return how many impossible numbers the card gave since the last call, by column or counter."""
        found, self._impossible = self._impossible, Counter()
        if self._card is not None:
            found.update(self._card.take_impossible())
        return found

    def close(self) -> None:
        """Leave the driver."""
        card, self._card = self._card, None
        if card is not None:
            with suppress(Exception):  # of a lost card, or of a driver that does not answer
                self._driver.call(card.close, "leaving it", DEADLINE_SECONDS)

    def _lose(self, error: Exception) -> None:
        self.lost = one_line(str(error) if isinstance(error, GpuProblem) else f"{type(error).__name__}: {error}")
        card, self._card = self._card, None
        if card is not None:
            self._impossible.update(card.take_impossible())
            left = self._driver.submit(card.close)
            left.done(_MOMENT_SECONDS)
            self._driver.abandon(left)

    def _description(self, card: Card, role: str) -> dict[str, Any]:
        step = self._energy_step
        return {
            "name": card.gpu.name,
            "uuid_hash": hashed(card.gpu.uuid),
            "role": role,
            "calls": dict(card.calls),
            "energy_step_ms": None if step is None else step.period_ms,
            "energy_step_mj": None if step is None else step.step_mj,
            "processes": "pids" if self._sees_host_pids else "counts",
            "before": {
                "utilisation_percent": self._before and self._before.utilisation_percent,
                "memory_bytes": self._before and self._before.memory_bytes,
            },
        }

    def _foreign(self, on_card: tuple[int, ...], family: ProcessTree | None, before_start: bool) -> int | None:
        """Count the card's processes that are not the trainer's; None where that is not known, as of a list that never
        had the trainer on it.
        """
        if not self._sees_host_pids:
            # In a PID namespace of our own the driver's numbers name no process, so they can only be counted.
            ours = 0 if before_start or not self._trains or self._earlier.issuperset(on_card) else 1
            self._shows_trainer = self._shows_trainer or bool(ours)
            return len(on_card) - ours if on_card else self._none
        if family is None:
            return len(on_card) or self._none
        strangers = set(on_card) - family.pids
        if strangers:  # perhaps a child started since the last refresh
            family.refresh()
            strangers -= family.pids
        owners = family.ownership.of(strangers)
        strangers = {pid for pid in strangers if owners[pid] is not Owner.TRAINER}
        foreign = {pid for pid in strangers if owners[pid] is Owner.SOMEBODY_ELSE or pid in self._earlier}
        if not strangers.issuperset(on_card):
            # A process that cannot be inspected could only be a trainer started by a daemon, but ours is on the card.
            foreign |= {pid for pid in strangers if owners[pid] is Owner.HIDDEN}
            self._shows_trainer = True
        if foreign:
            return len(foreign)
        return None if strangers else self._none

    @property
    def _trains(self) -> bool:
        return self._chosen is not None and self._chosen.role == "trains"

    @property
    def _none(self) -> int | None:
        """The count where nobody else is listed: unknown as long as the trainer that should be listed is not."""
        return 0 if self._shows_trainer or not self._trains else None


def _before(card: Card) -> Before | None:
    """What the card does now; one that does not answer is lost with the next tick."""
    try:
        return card.look_before()
    except Exception:
        return None


def _in_first_pid_namespace(root: Path) -> bool:
    try:
        return os.readlink(root / "proc/self/ns/pid") == _FIRST_PID_NAMESPACE
    except OSError:
        return False
