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
    """A sampler that measures nothing and notes when the hello came and the process ended."""

    hello_ns: int | None = None
    ended_ns: int | None = None

    def prepare(self, folder: Path, write: Callable[[Mapping[str, Any]], None]) -> None:
        """Do nothing."""

    def began(self, pid: int, is_client: bool = False) -> None:
        """Do nothing."""

    def account(self) -> tuple[float | None, int | None]:
        """Return nothing, as nothing is measured."""
        return None, None

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Note the first hello."""
        if isinstance(event, protocol.Hello) and self.hello_ns is None:
            self.hello_ns = received_ns

    def tick(self, now_ns: int) -> int | None:
        """Return None: nothing is ever due."""
        return None

    def ended(self) -> None:
        """Note the end of the process, the first time this is called."""
        self.ended_ns = self.ended_ns or time.monotonic_ns()
