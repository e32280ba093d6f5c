"""The standard streams, one of which may be missing: `>&-` in a shell, or some services."""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """Put /dev/null in the place of every standard stream that this program was started without.

    Else the next file that is opened gets its number, and what a child writes to its own standard output.
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
    """Lead ``stdout`` or ``stderr`` into /dev/null, so that what it still holds fails no more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, name).fileno())
