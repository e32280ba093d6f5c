"""Monitors one running trainer: reads its events, notices silence, and stops it."""

from __future__ import annotations

import json
import select
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench import protocol
from bench.launch.event_log import EventLog
from bench.launch.fifo import Fifo
from bench.launch.verifier import EventVerifier, Violation
from bench.record import STAMP_TOLERANCE_NS
from bench.system.signals import SignalPipe
from bench.telemetry.schedule import Clock


@dataclass(frozen=True)
class Limits:
    """How long a trainer may be silent before it counts as hanging.

    ``start_seconds``: until ``hello``, which comes after the framework's import, slow on a cold disk.
    ``silence_seconds``: between two events; an epoch of page24 takes about 10 minutes on a slow CPU. ``exit_seconds``:
    from ``done`` to the end of the process. ``grace_seconds``: from SIGTERM to SIGKILL. ``enough_epochs``: a run that
    has trained so many and lasted ``enough_seconds`` is ended with SIGTERM, its status then is ``cut_short``; 0
    epochs are reached with ``hello``.

    ``orphan_seconds``: what a trainer has started may take to end after it, as a pool's tracker does that waits for its
    pipe to close. ``most_events`` and ``most_event_bytes`` of one run: an honest one of 200 epochs that writes twenty
    events an epoch is far below both, and a flood ends within seconds, before it fills a disk.
    """

    start_seconds: float = 300.0
    silence_seconds: float = 3600.0
    exit_seconds: float = 60.0
    grace_seconds: float = 5.0
    enough_epochs: float | None = None
    enough_seconds: float = 0.0
    orphan_seconds: float = 1.0
    most_events: int = 100_000
    most_event_bytes: int = 64 << 20


class Process(Protocol):
    """What the monitor needs of the trainer's process and the group it leads."""

    def ended(self) -> bool:
        """Whether the process is over."""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if it is still there."""


class Observer(Protocol):
    """A display or a sampler; every call must return at once and raise nothing."""

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """An event that was received at ``received_ns``."""

    def tick(self, now_ns: int) -> int | None:
        """Do what is due, and return when to be called next (CLOCK_MONOTONIC), None for never.

        Called first when a run begins.
        """


@dataclass(frozen=True)
class Stop:
    """Why a trainer had to be stopped: the run's ``status``, a stable ``code``, and a ``reason`` for the person."""

    status: str
    code: str
    reason: str


class TrainerMonitor:
    """Follows one trainer until its process ends.

    ``stopped`` is set where the trainer had to be stopped, ``error`` is its last ``error`` event, ``false_claim`` an
    accuracy that its predictions do not give, ``epoch`` the last one announced.
    """

    def __init__(
        self, process: Process, fifo: Fifo, signals: SignalPipe, event_log: EventLog, verifier: EventVerifier,
        observers: Sequence[Observer], limits: Limits, clock: Clock,
    ) -> None:  # fmt: skip
        self._process, self._fifo, self._signals = process, fifo, signals
        self._event_log, self._verifier, self._limits, self._clock = event_log, verifier, limits, clock
        self._began_ns = self._last_event_ns = clock()
        self._kill_ns: int | None = None
        self._killed = False
        self._observers = [(observer, observer.tick(self._began_ns)) for observer in observers]
        self._poller = select.poll()
        #: When the FIFO was last read, and since then, when the harness slept on it again and when it was to wake up.
        self._read_ns = self._began_ns
        self._asleep_ns: int | None = None
        self._wake_ns: int | None = None
        self._event_bytes = 0
        self._flooded = False
        self.events = 0
        self.stopped: Stop | None = None
        self.error: protocol.Error | None = None
        self.false_claim: Violation | None = None
        self.epoch: float | None = None

    @property
    def done(self) -> bool:
        """Whether the trainer wrote ``done``."""
        return self._verifier.done

    def wait_until_exit(self) -> int:
        """Sleep and read events until the process has ended; return when that was noticed (CLOCK_MONOTONIC)."""
        self._poller.register(self._fifo, select.POLLIN)
        self._poller.register(self._signals, select.POLLIN)
        try:
            while not self._process.ended():
                milliseconds, self._asleep_ns = self._milliseconds_to_sleep(), self._clock()
                self._wake_ns = None if milliseconds is None else self._asleep_ns + 1_000_000 * (milliseconds + 1)
                self._poller.poll(milliseconds)
                self._receive(self._fifo.read_lines())
                self._check_signals()
                self._check_limits()
                self._call_observers()
        except KeyboardInterrupt:
            # A second Ctrl-C came while the first was handled.
            self._stop("interrupted", "interrupted", "stopped by Ctrl-C")
            self._kill()
        return self._clock()

    def wait_for_orphans(self, orphans: Callable[[], Sequence[object]]) -> None:
        """Sleep until ``orphans`` returns nothing, at most ``orphan_seconds``; it is called after every SIGCHLD.

        An interruption ends the wait.
        """
        until_ns = self._clock() + round(self._limits.orphan_seconds * 1e9)
        ended = select.poll()
        ended.register(self._signals, select.POLLIN)
        while orphans() and (left_ns := until_ns - self._clock()) > 0:
            ended.poll(-(-left_ns // 1_000_000))
            self._check_signals()
            if self._interrupted:
                return

    def drain_events(self) -> None:
        """Read what is left in the FIFO, once every process that could write to it has ended."""
        self._check_signals()
        self._receive(self._fifo.drain())

    def _receive(self, lines: list[bytes]) -> None:
        # One stamp for all that came in one read: the poll woke for it, and nothing was done since.
        received_ns = self._clock()
        busy = self._busy(received_ns)
        for line in lines:
            if self._flooded:
                return
            self._event_bytes += len(line)
            try:
                event = protocol.decode(line)
                if busy and received_ns - event.t_ns > STAMP_TOLERANCE_NS:
                    for begin_ns, end_ns in busy:
                        line_of_ours = {"event": "harness_busy", "begin_ns": begin_ns, "end_ns": end_ns}
                        self._event_log.write(line_of_ours, received_ns)
                    busy = []
                self._event_log.write_told(json.loads(line), received_ns)
            except ValueError as error:
                self._refuse(line, str(error), received_ns)
            else:
                self._take(event, received_ns)
            self._check_flood()

    def _busy(self, received_ns: int) -> list[tuple[int, int]]:
        """When the harness did not listen since it read the FIFO the last time: after that, until it slept on it, and
        after the time at which it should have woken up.
        """
        read_ns, asleep_ns, wake_ns = self._read_ns, self._asleep_ns, self._wake_ns
        self._read_ns, self._asleep_ns, self._wake_ns = received_ns, None, None
        if asleep_ns is None:
            return [(read_ns, received_ns)]
        spans = [(read_ns, asleep_ns), (received_ns if wake_ns is None else wake_ns, received_ns)]
        return [(begin_ns, end_ns) for begin_ns, end_ns in spans if begin_ns < end_ns]

    def _check_flood(self) -> None:
        limits = self._limits
        if self.events > limits.most_events:
            excess = f"more than {limits.most_events:,} events"
        elif self._event_bytes > limits.most_event_bytes:
            excess = f"events of more than {limits.most_event_bytes / 1e6:,.0f} MB"
        else:
            return
        # Nothing is read any more: the trainer blocks on a full FIFO until it is ended.
        self._flooded = True
        self._poller.unregister(self._fifo)
        self._stop("failed", "too-many-events", f"the trainer wrote {excess}")

    def _refuse(self, line: bytes, why: str, received_ns: int) -> None:
        # The first is enough, and a process that is being stopped may end within a line.
        if self.stopped is None:
            self._event_log.write_malformed(line, why, received_ns)
            self._stop("failed", "malformed-line", f"the trainer wrote a line that is no event: {why}")

    def _take(self, event: protocol.Event, received_ns: int) -> None:
        self.events += 1
        self._last_event_ns = received_ns
        violation = self._verifier.violation(event)
        if violation is not None:
            self._stop("failed", violation.code, violation.message)
            return
        recount = self._verifier.recount(event)
        if recount is not None:
            found = {"epoch": recount.epoch, "correct": recount.correct, "total": recount.total}
            digest = {} if recount.sha256 is None else {"predictions_sha256": recount.sha256}
            self._event_log.write({"event": "harness_recount", **found, **digest}, self._clock())
            self.false_claim = self.false_claim or recount.violation
        if isinstance(event, protocol.Epoch):
            self.epoch = event.epoch
            self._check_enough(event.epoch)
        elif isinstance(event, protocol.Hello):
            self._check_enough(0)
        elif isinstance(event, protocol.Error):
            self.error = event
        for observer, _ in self._observers:
            observer.event(event, received_ns)

    def _check_enough(self, epoch: float) -> None:
        limits, lasted_seconds = self._limits, (self._clock() - self._began_ns) / 1e9
        if limits.enough_epochs is None or epoch < limits.enough_epochs or lasted_seconds < limits.enough_seconds:
            return
        self._stop("cut_short", "enough", f"{epoch:g} epochs and {lasted_seconds:.0f} s were asked for and no more")

    def _check_signals(self) -> None:
        for number in self._signals.take():
            if number == signal.SIGINT and self._interrupted:
                self._kill()
            by = "Ctrl-C" if number == signal.SIGINT else number.name
            self._stop("interrupted", "interrupted", f"stopped by {by}")

    def _check_limits(self) -> None:
        deadline_ns = self._deadline_ns()
        if deadline_ns is None or self._clock() < deadline_ns:
            return
        if self._kill_ns is not None:
            self._kill()
        elif self._verifier.done:
            reason = f"the trainer wrote done and did not end within {self._limits.exit_seconds:g} s"
            self._stop("timed_out", "exit-timeout", reason)
        elif self._verifier.hello_received:
            after = "" if self.epoch is None else f" after epoch {self.epoch:g}"
            reason = f"the trainer wrote no event for {self._limits.silence_seconds:g} s{after}"
            self._stop("timed_out", "event-timeout", reason)
        else:
            reason = f"the trainer wrote no hello within {self._limits.start_seconds:g} s"
            self._stop("timed_out", "hello-timeout", reason)

    def _deadline_ns(self) -> int | None:
        """When the next limit is reached; None after SIGKILL."""
        if self._killed:
            return None
        if self._kill_ns is not None:
            return self._kill_ns
        if not self._verifier.hello_received:
            return self._began_ns + round(self._limits.start_seconds * 1e9)
        seconds = self._limits.exit_seconds if self._verifier.done else self._limits.silence_seconds
        return self._last_event_ns + round(seconds * 1e9)

    @property
    def _interrupted(self) -> bool:
        return self.stopped is not None and self.stopped.status == "interrupted"

    def _stop(self, status: str, code: str, reason: str) -> None:
        """Send SIGTERM. The first reason stands, except that an interruption replaces a failure."""
        if self.stopped is None or (status == "interrupted" and not self._interrupted):
            self.stopped = Stop(status, code, reason)
        if self._kill_ns is None:
            self._kill_ns = self._clock() + round(self._limits.grace_seconds * 1e9)
            self._process.signal(signal.SIGTERM)

    def _kill(self) -> None:
        self._killed = True
        self._process.signal(signal.SIGKILL)

    def _call_observers(self) -> None:
        now_ns = self._clock()
        self._observers = [
            (observer, observer.tick(now_ns) if due_ns is not None and now_ns >= due_ns else due_ns)
            for observer, due_ns in self._observers
        ]

    def _milliseconds_to_sleep(self) -> int | None:
        """Until the next thing is due, rounded up so that waking early does not turn the sleep into a spin."""
        due = [due_ns for _, due_ns in self._observers if due_ns is not None]
        deadline_ns = self._deadline_ns()
        if deadline_ns is not None:
            due.append(deadline_ns)
        return max(0, -((self._clock() - min(due)) // 1_000_000)) if due else None
