"""A sampler that measures nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import protocol


@dataclass
class NullSampler:
    """A sampler that measures nothing: it notes when a start greeted and ended."""

    hello_ns: int | None = None
    ended_ns: int | None = None

    def prepare(self, folder: Path, write: Callable[[Mapping[str, Any]], None]) -> None:
        """Nothing is to be opened."""

    def began(self, pid: int, is_client: bool = False) -> None:
        """Which process it is does not matter."""

    def account(self) -> tuple[float | None, int | None]:
        """Nothing is measured."""
        return None, None

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Of all events only the greeting matters."""
        if isinstance(event, protocol.Hello) and self.hello_ns is None:
            self.hello_ns = received_ns

    def tick(self, now_ns: int) -> int | None:
        """Nothing is ever due."""
        return None

    def ended(self) -> None:
        """The process is over; this is told again when all else about the run is closed."""
        self.ended_ns = self.ended_ns or time.monotonic_ns()
