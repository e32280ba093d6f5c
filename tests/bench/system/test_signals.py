from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest

from bench.system import signals
from bench.system.signals import SignalPipe


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
    with pytest.raises(KeyboardInterrupt), signals.interrupt_on_stop_signals():
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
    with pytest.raises(KeyboardInterrupt), signals.interrupt_on_stop_signals():
        interrupted_import()


def test_an_error_without_an_interrupt_is_itself(mine: list[int]) -> None:
    with pytest.raises(SystemError), signals.interrupt_on_stop_signals():
        raise SystemError("a bug")


def test_what_is_ignored_stays_ignored(mine: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.interrupt_on_stop_signals(), SignalPipe() as pipe:
        os.kill(os.getpid(), signal.SIGHUP)
        assert pipe.take() == []
    os.kill(os.getpid(), signal.SIGHUP)

    assert mine == []


def press(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_a_second_ctrl_c_ends_what_is_busy() -> None:
    with SignalPipe() as pipe:
        press()
        pipe.take()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_one_ctrl_c_after_other_signals_is_the_first() -> None:
    with SignalPipe() as pipe:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            press(number)
        assert pipe.take() == [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def test_who_attends_to_signals_is_given_the_second_ctrl_c_too() -> None:
    with SignalPipe(attended=True) as pipe:
        for _ in range(3):
            press()
            assert pipe.take() == [signal.SIGINT]


def test_who_does_not_attend_after_all_is_interrupted() -> None:
    with SignalPipe(attended=True) as pipe:
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        assert pipe.take() == [signal.SIGINT, signal.SIGINT]


def test_a_ctrl_c_that_an_inner_pipe_has_taken_counts_for_the_outer_one() -> None:
    with SignalPipe() as outer:
        with SignalPipe(attended=True) as inner:
            press()
            inner.take()
            press()  # It has stopped, so this meant the same.
        assert outer.take() == []
        with pytest.raises(KeyboardInterrupt):
            press()


@pytest.mark.parametrize("number", signals.STOPPING)
def test_a_wish_that_came_too_late_for_an_inner_pipe_is_the_outer_ones(number: signal.Signals) -> None:
    with SignalPipe() as outer:
        with SignalPipe(attended=True):
            press(number)
        assert outer.take() == [number]


def test_a_wish_that_nobody_has_taken_is_obeyed_afterwards(mine: list[int]) -> None:
    with SignalPipe():
        press(signal.SIGTERM)
    assert mine == [signal.SIGTERM]
