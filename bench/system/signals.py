"""Signals as bytes on a descriptor, so that one ``poll`` waits for events, the trainer's end and Ctrl-C alike."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, ClassVar

#: Requests to end this process. A closed terminal or a lost ssh connection sends SIGHUP.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def noted() -> bool:
    """Return whether a stop signal was received and not yet taken from the SignalPipe."""
    innermost = SignalPipe._innermost
    return innermost is not None and innermost._waiting


class SignalPipe:
    """Within ``with``, STOPPING signals and SIGCHLD end a ``poll`` on this object instead of ending the process.

    ``take`` returns them. A second Ctrl-C raises KeyboardInterrupt at once; with ``attended``, which is polled in a
    loop, only if the first has not been taken. Signals not taken by the end of the ``with`` go to the outer pipe, or to
    the previous handlers.

    Only for the main thread, as Python's own signal handling. A signal that is ignored stays ignored (``nohup``).
    """

    #: The innermost pipe, which receives the signals.
    _innermost: ClassVar[SignalPipe | None] = None

    def __init__(self, attended: bool = False) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._around: SignalPipe | None = None
        self._attended = attended
        self._interrupted = self._waiting = self._untaken = self._taken = False

    def _noted(self, number: int, frame: FrameType | None) -> None:
        """Count a Ctrl-C. The byte on the descriptor is Python's, which writes it only where there is a handler."""
        self._waiting = self._waiting or number in STOPPING
        if number != signal.SIGINT:
            return
        again = self._untaken if self._attended else self._interrupted
        self._interrupted = self._untaken = True
        if again:
            self._taken = True
            raise KeyboardInterrupt

    def __enter__(self) -> SignalPipe:
        self._around, SignalPipe._innermost = SignalPipe._innermost, self
        self._interrupted = self._around is not None and self._around._interrupted
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            if number == signal.SIGCHLD or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._noted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        SignalPipe._innermost = self._around
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        untaken = [] if self._taken else self.take()  # Once one is taken, the rest mean the same.
        os.close(self._reader)
        os.close(self._writer)
        if self._around is not None:
            self._around._interrupted |= self._interrupted
            self._around._untaken |= signal.SIGINT in untaken
            self._around._waiting |= bool(untaken)
            os.write(self._around._writer, bytes(untaken))
        elif kind is None and untaken:
            signal.raise_signal(untaken[0])

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader

    def take(self) -> list[signal.Signals]:
        """Return the STOPPING signals received since the last call, in order."""
        self._waiting = self._untaken = False
        try:
            numbers = os.read(self._reader, 4096)
        except BlockingIOError:
            return []
        taken = [signal.Signals(number) for number in numbers if number in STOPPING]
        self._taken = self._taken or bool(taken)
        return taken


@contextmanager
def interrupt_on_stop_signals() -> Iterator[None]:
    """Within ``with``, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, where they are not ignored.

    Any later error becomes KeyboardInterrupt: during an import the interrupt may surface as another exception.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    except Exception:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
