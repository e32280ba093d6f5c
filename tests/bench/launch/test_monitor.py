from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import protocol
from bench.launch.event_log import EventLog
from bench.launch.fifo import Fifo
from bench.launch.monitor import Limits, TrainerMonitor
from bench.launch.verifier import EventVerifier
from bench.record.expected_run import ExpectedRun
from bench.system.signals import SignalPipe
from tests.bench.launch.test_verifier import epoch, hello


class Wedged:
    """A process that no signal ends, as one whose driver hangs, until ``seconds`` have passed; it counts who asks."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.asked = 0
        self.signals: list[signal.Signals] = []

    def ended(self) -> bool:
        self.asked += 1
        return time.monotonic() > self._until

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)


class Wakes:
    """An observer that wakes the harness every 20 ms."""

    def event(self, event: protocol.Event, received_ns: int) -> None:
        raise AssertionError("nobody writes an event here")

    def tick(self, now_ns: int) -> int:
        return now_ns + 20_000_000


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Fifo, SignalPipe, EventLog, EventVerifier]]:
    with (
        closing(Fifo(tmp_path)) as fifo,
        SignalPipe() as signals,
        closing(EventLog(tmp_path / "events.jsonl")) as journal,
    ):
        yield fifo, signals, journal, EventVerifier(ExpectedRun(0, 94.0), tmp_path)


def watched(parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier], process: Wedged, limits: Limits) -> TrainerMonitor:
    fifo, signals, journal, referee = parts
    watch = TrainerMonitor(process, fifo, signals, journal, referee, [Wakes()], limits, time.monotonic_ns)
    watch.wait_until_exit()
    return watch


def test_a_process_that_survives_its_kill_is_waited_for_asleep(
    parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier],
) -> None:
    process = Wedged(0.3)

    watch = watched(parts, process, Limits(start_seconds=0.01, grace_seconds=0.01))

    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert watch.stopped is not None
    assert (watch.stopped.status, watch.stopped.code) == ("timed_out", "hello-timeout")
    assert process.asked < 40


def test_the_sleep_is_never_cut_short_of_what_is_due(parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier]) -> None:
    process = Wedged(0.3)

    watched(parts, process, Limits())

    assert process.asked <= 0.3 / 0.02 + 5


# Enough of a run


class Obedient:
    """A process that ends when it is asked to."""

    def __init__(self) -> None:
        self.signals: list[signal.Signals] = []

    def ended(self) -> bool:
        return bool(self.signals)

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)


class Passes:
    """A clock on which ``seconds`` pass after every event."""

    def __init__(self, seconds: int) -> None:
        self._seconds, self._now_ns = seconds, 0

    def __call__(self) -> int:
        return self._now_ns

    def event(self, event: protocol.Event, received_ns: int) -> None:
        self._now_ns += self._seconds * 1_000_000_000

    def tick(self, now_ns: int) -> None:
        return None


@pytest.mark.parametrize(
    ("enough_epochs", "enough_seconds", "trained"),
    [(2, 0, 2), (1, 25, 3), (2.5, 0, 3)],
)
def test_a_run_is_ended_at_the_first_epoch_with_which_both_are_enough(
    parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier], enough_epochs: float, enough_seconds: float, trained: int
) -> None:
    fifo, signals, journal, referee = parts
    process, clock = Obedient(), Passes(10)
    with open(fifo.path, "w") as stream:
        events = (hello(epochs=9), *(epoch(number, 1) for number in (1, 2, 3, 4)))
        stream.write("".join(protocol.encode(event) + "\n" for event in events))
    limits = Limits(grace_seconds=1000, enough_epochs=enough_epochs, enough_seconds=enough_seconds)
    watch = TrainerMonitor(process, fifo, signals, journal, referee, [clock], limits, clock)

    watch.wait_until_exit()

    assert watch.stopped is not None
    assert (watch.stopped.status, watch.stopped.code) == ("cut_short", "enough")
    assert watch.stopped.reason.startswith(f"{trained} epochs")
    assert process.signals == [signal.SIGTERM]


def test_a_wish_to_stop_says_more_than_that_enough_was_seen(
    parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier],
) -> None:
    fifo, signals, journal, referee = parts
    process, clock = Obedient(), Passes(10)
    with open(fifo.path, "w") as stream:
        stream.write(protocol.encode(hello()) + "\n" + protocol.encode(epoch(1, 1)) + "\n")
    watch = TrainerMonitor(process, fifo, signals, journal, referee, [clock], Limits(enough_epochs=1), clock)
    signal.raise_signal(signal.SIGINT)

    watch.wait_until_exit()

    assert watch.stopped is not None and watch.stopped.status == "interrupted"


# Late because of us


class Dawdles:
    """An observer, and the clock: its first tick takes 200 ms, in the middle of which the trainer writes an event."""

    def __init__(self, fifo: Fifo) -> None:
        self.now_ns = 1_000_000_000
        self._fifo, self._ticks = fifo, 0

    def __call__(self) -> int:
        return self.now_ns

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Hear it."""

    def tick(self, now_ns: int) -> int:
        self._ticks += 1
        if self._ticks == 2:
            self.now_ns += 100_000_000
            with open(self._fifo.path, "w") as stream:
                body = json.loads(protocol.encode(hello(epochs=1)))
                stream.write(json.dumps({**body, "t_ns": self.now_ns}) + "\n")
            self.now_ns += 100_000_000
        return self.now_ns


def test_what_came_while_the_harness_was_busy_is_written_down_as_its_own_lateness(
    parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier],
) -> None:
    fifo, signals, journal, referee = parts
    clock = Dawdles(fifo)
    watch = TrainerMonitor(Obedient(), fifo, signals, journal, referee, [clock], Limits(enough_epochs=0), clock)

    watch.wait_until_exit()

    busy, heard = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert (busy["event"], heard["event"]) == ("harness_busy", "hello")
    assert (busy["begin_ns"], busy["end_ns"]) == (1_000_000_000, 1_200_000_000)
    assert heard["received_ns"] - heard["t_ns"] == 100_000_000


def test_event_that_comes_late_to_a_harness_that_listens_is_written_down_alone(
    parts: tuple[Fifo, SignalPipe, EventLog, EventVerifier],
) -> None:
    fifo, signals, journal, referee = parts
    clock = Dawdles(fifo)
    with open(fifo.path, "w") as stream:
        body = json.loads(protocol.encode(hello(epochs=1)))
        stream.write(json.dumps({**body, "t_ns": clock.now_ns - 100_000_000}) + "\n")
    watch = TrainerMonitor(Obedient(), fifo, signals, journal, referee, [clock], Limits(enough_epochs=0), clock)

    watch.wait_until_exit()

    assert [json.loads(line)["event"] for line in journal.path.read_text().splitlines()] == ["hello"]
