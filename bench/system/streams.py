"""The standard streams, one of which may be missing: `>&-` in a shell, or some services."""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """Open /dev/null for every standard stream that this program was started without.

    Else the next file opened gets its number, and a child's standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one. A child inherits it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run


def discard(name: str) -> None:
    """Redirect ``stdout`` or ``stderr`` to /dev/null, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, name).fileno())
