from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest

from bench import signals
from bench.signals import SignalPipe


@pytest.fixture
def mine() -> Iterator[list[int]]:
    """Handlers of the test's own for every signal that stops, which note what they get."""
    noted: list[int] = []
    before = {number: signal.signal(number, lambda got, _: noted.append(got)) for number in signals.STOPPING}
    yield noted
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_ends_a_poll_and_is_told_instead_of_obeyed(mine: list[int]) -> None:
    with SignalPipe() as pipe:
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        assert poller.poll(0) == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

        assert poller.poll(10_000)
        assert pipe.take() == [signal.SIGTERM, signal.SIGINT]
        assert pipe.take() == []
    assert mine == []


def test_the_end_of_a_child_wakes_and_is_no_wish_to_stop() -> None:
    with SignalPipe() as pipe:
        os.kill(os.getpid(), signal.SIGCHLD)
        poller = select.poll()
        poller.register(pipe, select.POLLIN)

        assert poller.poll(10_000)
        assert pipe.take() == []


def test_afterwards_everything_is_as_it_was(mine: list[int]) -> None:
    with SignalPipe():
        pass
    os.kill(os.getpid(), signal.SIGHUP)

    assert mine == [signal.SIGHUP]
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("number", signals.STOPPING)
def test_between_runs_a_wish_to_stop_is_an_interrupt(mine: list[int], number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), signals.asked_politely():
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)

    assert mine == [number]


def interrupted_import() -> None:
    """What an import of compiled code makes of an interrupt in its middle."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        raise SystemError("returned a result with an exception set") from None


def test_an_error_that_an_interrupt_left_behind_is_the_interrupt(mine: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), signals.asked_politely():
        interrupted_import()


def test_an_error_without_an_interrupt_is_itself(mine: list[int]) -> None:
    with pytest.raises(SystemError), signals.asked_politely():
        raise SystemError("a bug")


def test_what_is_ignored_stays_ignored(mine: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.asked_politely(), SignalPipe() as pipe:
        os.kill(os.getpid(), signal.SIGHUP)
        assert pipe.take() == []
    os.kill(os.getpid(), signal.SIGHUP)

    assert mine == []
