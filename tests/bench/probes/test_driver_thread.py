"""Calls of the driver that are made where they can be abandoned."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bench.probes import gpu
from bench.probes.gpu import DriverHangs, DriverThread
from bench.system import signals
from tests.support.scripted_runs import ROOT


class Hang:
    """A call that comes back when it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self) -> str:
        self.let_go.wait()
        return "late"


@pytest.fixture
def hang() -> Iterator[Hang]:
    made = Hang()
    yield made
    made.let_go.set()


def test_an_answer_or_an_error_is_that_of_the_call() -> None:
    driver = DriverThread()

    assert driver.call(lambda: 7, "counting") == 7
    with pytest.raises(ZeroDivisionError):
        driver.call(lambda: 1 // 0, "dividing")
    assert driver.idle and not driver.hangs


def test_a_call_within_a_call_is_made_at_once() -> None:
    driver = DriverThread()

    assert driver.call(lambda: driver.call(lambda: 7, "inside"), "outside") == 7


def test_a_call_that_does_not_come_back_is_given_up(hang: Hang) -> None:
    with pytest.raises(DriverHangs, match=r"did not answer within 0\.01 s while reading"):
        DriverThread().call(hang, "reading", 0.01)


def test_after_a_call_that_was_given_up_others_fail_at_once_until_it_comes_back(hang: Hang) -> None:
    driver = DriverThread()
    with pytest.raises(DriverHangs):
        driver.call(hang, "reading", 0.01)

    with pytest.raises(DriverHangs, match="has not come back"):
        driver.call(lambda: 7, "reading again", 3600.0)

    hang.let_go.set()
    while driver.hangs:
        time.sleep(0)
    assert driver.call(lambda: 7, "reading again") == 7


def test_who_waits_for_a_call_gives_up_when_somebody_wants_to_stop(hang: Hang, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "noted", lambda: True)

    with pytest.raises(DriverHangs, match="the run is to stop"):
        DriverThread().call(hang, "reading", 3600.0)


def test_a_call_whose_time_has_passed_is_not_begun(hang: Hang) -> None:
    driver, made = DriverThread(), []
    driver.submit(hang)
    late = driver.submit(lambda: made.append(1), clock=iter([0, 6, 7]).__next__, until_ns=5)
    assert not late.done() and not driver.idle

    hang.let_go.set()

    assert late.done(60.0)
    with pytest.raises(DriverHangs):
        late.answer()
    assert made == []


def test_looking_for_gpus_and_their_facts_can_be_given_up(hang: Hang, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = DriverThread()
    monkeypatch.setattr("bench.probes.gpu.driver_thread.DRIVER", stuck)
    stuck.abandon(stuck.submit(hang))

    with pytest.raises(DriverHangs):
        gpu.discover()
    with pytest.raises(DriverHangs):
        gpu.facts("GPU-1")


EXIT = """
import threading
from bench.probes.gpu import DriverHangs, DriverThread
try:
    DriverThread().call(threading.Event().wait, "reading", 0.01)
except DriverHangs:
    print("given up")
"""


def test_a_call_that_never_comes_back_holds_no_process_at_its_exit() -> None:
    ran = subprocess.run([sys.executable, "-c", EXIT], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (ran.stdout, ran.returncode) == ("given up\n", 0), ran.stderr
