"""The one thread in which the driver's library is called, so that a call that does not return blocks nothing else.

A call of NVML may never return, as of a card that fell off the bus, and no signal or exception ends it. The binding
releases Python's lock meanwhile, so other threads go on, and the caller gives up after a deadline. The thread is a
daemon, so the process can exit. There is only one: while an abandoned call has not returned, others fail at once
instead of queueing behind it, as the library may hold a lock of its own.
"""

from __future__ import annotations

import signal
import threading
import time
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar

from bench.probes.gpu.nvml import DriverHangs
from bench.system import signals

#: Without persistence a driver initialises every card when it is opened, which takes seconds for each.
OPEN_SECONDS = 30.0
#: How soon a waiting call notices a request to stop.
_SLICE_SECONDS = 0.05

T = TypeVar("T")
P = ParamSpec("P")
Clock = Callable[[], int]


class Call(Generic[T]):
    """A call in the thread: its result once it is ``done``, and its cost.

    ``given_ns`` is when it was submitted, ``ended_ns`` when it returned; ``cpu_ns`` is its CPU time. It is not begun
    after ``until_ns``, and then has no result. Times are the ``clock``'s.
    """

    def __init__(self, function: Callable[[], T], clock: Clock, cpu: Clock, until_ns: int | None) -> None:
        self._function, self._clock, self._cpu, self._until_ns = function, clock, cpu, until_ns
        self._going_on = allocate_lock()
        self._going_on.acquire()
        self._answer: T | None = None
        self._error: BaseException | None = None
        self.given_ns = clock()
        self.ended_ns = self.given_ns
        self.cpu_ns = 0

    def make(self) -> None:
        """Make the call, in the thread."""
        if self._until_ns is None or self._clock() <= self._until_ns:
            began_ns = self._cpu()
            try:
                self._answer = self._function()
            except BaseException as error:
                self._error = error
            self.cpu_ns = self._cpu() - began_ns
        else:
            self._error = DriverHangs("The NVIDIA driver was busy with another call.")
        self.ended_ns = self._clock()
        self._going_on.release()

    def done(self, seconds: float = 0.0) -> bool:
        """Return whether it has returned, after waiting for at most ``seconds``."""
        if self._going_on.locked():
            if not self._going_on.acquire(timeout=seconds):
                return False
            self._going_on.release()
        return True

    def answer(self) -> T:
        """Return its result once it is done. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]  # as the function returned it


class DriverThread:
    """The thread, started with the first call."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Call[Any]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._abandoned: Call[Any] | None = None
        self._last: Call[Any] | None = None

    def submit(
        self,
        function: Callable[[], T],
        clock: Clock = time.monotonic_ns,
        cpu: Clock = time.thread_time_ns,
        until_ns: int | None = None,
    ) -> Call[T]:
        """Submit a call, and return at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="driver", daemon=True)
            self._thread.start()
        self._last = made = Call(function, clock, cpu, until_ns)
        self._calls.put(made)
        return made

    def call(self, function: Callable[[], T], doing: str, seconds: float = OPEN_SECONDS) -> T:
        """Return the result of a call, made directly where this is the thread itself.

        Raises what the call raises, and DriverHangs where it takes longer than ``seconds``, where an abandoned one has
        not returned, or at a request to stop (``bench.system.signals``).
        """
        if threading.current_thread() is self._thread:
            return function()
        if self.hangs:
            raise DriverHangs(f"The NVIDIA driver has not come back from a call, and gets no other ({doing}).")
        made = self.submit(function)
        until = time.monotonic() + seconds
        try:
            while not made.done(min(_SLICE_SECONDS, max(0.0, until - time.monotonic()))):
                if signals.noted():
                    raise DriverHangs(f"The NVIDIA driver was not waited for: the run is to stop ({doing}).")
                if time.monotonic() >= until:
                    raise DriverHangs(
                        f"The NVIDIA driver did not answer within {seconds:g} s while {doing}: type `nvidia-smi` to "
                        "see whether it answers, restart the machine, or type DEVICE=cpu."
                    )
        finally:
            self.abandon(made)
        return made.answer()

    def abandon(self, made: Call[Any]) -> None:
        """Stop waiting for a call; no effect where it is done."""
        if not made.done():
            self._abandoned = made

    @property
    def idle(self) -> bool:
        """Whether all calls have returned."""
        return self._last is None or self._last.done()

    @property
    def hangs(self) -> bool:
        """Whether an abandoned call has not returned."""
        return self._abandoned is not None and not self._abandoned.done()

    def _run(self) -> None:
        with suppress(OSError, ValueError):  # Signals are for the main thread, whose sleep they end.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            self._calls.get().make()


#: The thread of this process.
DRIVER = DriverThread()


def in_driver_thread(doing: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function to be called in the thread; it raises DriverHangs as ``DriverThread.call`` does."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def called(*arguments: P.args, **named: P.kwargs) -> T:
            return DRIVER.call(lambda: function(*arguments, **named), doing)

        return called

    return decorate
