"""The errors that a person sees: a message, advice, a stable code, and the exit code of the command.

A command lets these through; ``bench/__main__.py`` prints the error and exits with ``exit_code``. Any other exception
that leaves a command is a bug, and the only thing that may show a traceback. The exit codes are those of the contracts,
section 5. Code decides by class, ``code`` and values, never by the text of a message.
"""

from __future__ import annotations

from typing import ClassVar


class BenchError(Exception):
    """A problem that the person who typed the command can act on.

    ``message`` says what happened and where, ``advice`` what to do (may be empty); where there is advice neither ends
    in a full stop. ``code`` names the kind of problem for code and tests; each class has a default.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "failed"

    def __init__(self, message: str, advice: str = "", code: str = "") -> None:
        super().__init__(message, advice, code)
        self.message, self.advice = message, advice
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.message}. {self.advice[0].upper()}{self.advice[1:]}." if self.advice else self.message


class GateFailed(BenchError):
    """A gate that is not met, or files that a validation does not accept."""

    exit_code = 1
    default_code = "gate"


class UsageError(BenchError):
    """An option, a variable or a name that is not valid."""

    exit_code = 2
    default_code = "usage"


class DataError(BenchError):
    """A dataset, or a file given as input, that is missing, damaged or not what it claims to be."""

    exit_code = 3
    default_code = "data"


class EnvironmentProblem(BenchError):
    """A GPU, driver, image, disk or library that is missing or does not work."""

    exit_code = 4
    default_code = "environment"


class TrainerFailed(BenchError):
    """The trainer crashed, hung, or reported something it cannot have done."""

    exit_code = 5
    default_code = "trainer"


class Refused(BenchError):
    """A result that may not be published, or a folder or GPU that another campaign holds."""

    exit_code = 6
    default_code = "refused"


def printable(text: str) -> str:
    """Return the text with every character that a terminal would interpret escaped, as for a path."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def one_line(text: str) -> str:
    """Return the text as one line without control characters and lone surrogates."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
