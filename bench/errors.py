"""The errors that reach a person: each carries one or two sentences and the exit code of the command that meets it.

A command lets these through; ``bench/__main__.py`` prints the message and leaves with ``exit_code``. Anything else that
escapes a command is a bug of ours, and the only thing that may show a traceback. The codes are those of the contracts,
section 5.
"""

from __future__ import annotations

from typing import ClassVar


class BenchError(Exception):
    """A problem told to the person who typed the command: what is wrong, where, and what to type next."""

    exit_code: ClassVar[int] = 1


class GateFailed(BenchError):
    """A check did its work and the answer is no: a gate that is not met, or files that a validation does not accept."""

    exit_code = 1


class UsageError(BenchError):
    """An option, a variable or a name that cannot be what was meant."""

    exit_code = 2


class DataError(BenchError):
    """A dataset, or a file given as input, that is missing, damaged or not what it claims to be."""

    exit_code = 3


class EnvironmentProblem(BenchError):
    """The machine cannot do it: GPU, driver, image, disk or a library."""

    exit_code = 4


class TrainerFailed(BenchError):
    """The trainer crashed, hung, or reported something it cannot have done."""

    exit_code = 5


class Refused(BenchError):
    """Possible, and not done: a result that may not be published, or a folder or GPU that another campaign holds."""

    exit_code = 6


def printable(words: str) -> str:
    """Words fit for a terminal that have to stay what they are, as a path: what it would obey stands as its escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in words)


def one_line(words: str) -> str:
    """What a trainer said, fit for a terminal and for a sentence: no line ends, no escape codes, no half characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())
