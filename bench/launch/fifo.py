"""The FIFO a trainer writes its events into, opened so that neither side ever waits for the other."""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import EnvironmentProblem
from bench.protocol import MAX_LINE_BYTES

FIFO_FILE = "events.fifo"
_CHUNK_BYTES = 1 << 16
#: The most a pipe of an unprivileged process can hold (pipe(7)), and so the most that is left when its writers are
#: gone.
_CAPACITY_BYTES = 1 << 20


class Fifo:
    """``events.fifo`` in a run's folder and the lines that come out of it.

    The harness keeps a writing end open itself: opening the reading end then never blocks on a trainer that never opens
    its own, and a trainer that closes early, or hands its end to a child, makes no end of file that would keep ``poll``
    awake. The end of a run is the end of its process, never that of the FIFO. When the harness dies both ends
    close, and the next event of a trainer that is somehow still there ends in EPIPE.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder.absolute() / FIFO_FILE
        try:
            os.mkfifo(self.path)
            self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot make the FIFO {self.path} ({error.strerror})",
                "name a folder on a local disk, with a shorter path, with OUT=/path",
            ) from error
        self._keeper = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        self._tail = bytearray()

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader

    def read_lines(self) -> list[bytes]:
        """The lines completed by one read, without their newlines; none where nothing has arrived.

        A line that grows past ``MAX_LINE_BYTES`` is handed over as it is, for the protocol to refuse, so that memory
        stays small.
        """
        try:
            chunk = os.read(self._reader, _CHUNK_BYTES)
        except BlockingIOError:
            return []
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        self._tail += rest
        if len(self._tail) > MAX_LINE_BYTES:
            lines.append(self._take_tail())
        return lines

    def drain(self) -> list[bytes]:
        """Every line still in the FIFO once its writers are gone, the last one even where it has no newline."""
        lines = [line for _ in range(_CAPACITY_BYTES // _CHUNK_BYTES + 1) for line in self.read_lines()]
        return lines + ([self._take_tail()] if self._tail else [])

    def _take_tail(self) -> bytes:
        tail = bytes(self._tail)
        self._tail.clear()
        return tail

    def close(self) -> None:
        """Close both ends and remove the FIFO: a run's folder keeps only files."""
        os.close(self._reader)
        os.close(self._keeper)
        self.path.unlink(missing_ok=True)
