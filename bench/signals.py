"""Signals as bytes on a descriptor, so that one ``poll`` waits for events, the trainer's end and Ctrl-C alike."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

#: Somebody wants this process to end. SIGHUP is what a closed terminal or a lost ssh connection sends.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


#: STOPPING signals that came within a SignalPipe and were not taken from it yet.
_waiting: list[int] = []


def _note(number: int, frame: FrameType | None) -> None:
    """Python writes the byte on the descriptor; this is for who sleeps on something else."""
    if number in STOPPING:
        _waiting.append(number)


def noted() -> bool:
    """Whether somebody wants this process to end and whoever has the SignalPipe does not know it yet."""
    return bool(_waiting)


class SignalPipe:
    """Within ``with``, STOPPING signals and SIGCHLD end a ``poll`` on this object instead of ending the process.

    Only for the main thread, as Python's own signal handling. A signal that is ignored stays ignored (``nohup``).
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalPipe:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            if number == signal.SIGCHLD or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, _note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader

    def take(self) -> list[signal.Signals]:
        """The STOPPING signals that have come since the last call, in order."""
        _waiting.clear()
        try:
            numbers = os.read(self._reader, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in STOPPING]


@contextmanager
def asked_politely() -> Iterator[None]:
    """Within ``with``, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, where they are not ignored.

    Whatever error comes after one is the interrupt's: in the middle of an import it may surface as another exception.
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
