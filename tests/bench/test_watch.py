from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import protocol
from bench.fifo import Fifo
from bench.journal import Journal
from bench.referee import Asked, Referee
from bench.signals import SignalPipe
from bench.watch import Limits, Watch


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
def parts(tmp_path: Path) -> Iterator[tuple[Fifo, SignalPipe, Journal, Referee]]:
    with (
        closing(Fifo(tmp_path)) as fifo,
        SignalPipe() as signals,
        closing(Journal(tmp_path / "events.jsonl")) as journal,
    ):
        yield fifo, signals, journal, Referee(Asked(0, 94.0), tmp_path)


def watched(parts: tuple[Fifo, SignalPipe, Journal, Referee], process: Wedged, limits: Limits) -> Watch:
    fifo, signals, journal, referee = parts
    watch = Watch(process, fifo, signals, journal, referee, [Wakes()], limits, time.monotonic_ns)
    watch.until_ended()
    return watch


def test_a_process_that_survives_its_kill_is_waited_for_asleep(
    parts: tuple[Fifo, SignalPipe, Journal, Referee],
) -> None:
    process = Wedged(0.3)

    watch = watched(parts, process, Limits(start_seconds=0.01, grace_seconds=0.01))

    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert watch.stopped == ("timed_out", "the trainer did not say hello within 0.01 s")
    assert process.asked < 40


def test_the_sleep_is_never_cut_short_of_what_is_due(parts: tuple[Fifo, SignalPipe, Journal, Referee]) -> None:
    process = Wedged(0.3)

    watched(parts, process, Limits())

    assert process.asked <= 0.3 / 0.02 + 5
