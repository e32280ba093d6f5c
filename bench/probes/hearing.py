"""What probes need of a program that is run to its end; only ``bench.launch.launch`` starts one, and is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class CompletedCommand(Protocol):
    """How a program ended and what it wrote."""

    @property
    def exit_code(self) -> int:
        """Its exit code, or 128 + the signal that ended it."""

    @property
    def out(self) -> str:
        """Standard output."""

    @property
    def err(self) -> str:
        """Standard error."""


class RunCaptured(Protocol):
    """Runs a program for at most some seconds, in this environment or in ``env``.

    Raises OSError where it cannot be started, TimeoutError where it takes longer.
    """

    def __call__(
        self, argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None, /
    ) -> CompletedCommand:
        """How it ended."""
