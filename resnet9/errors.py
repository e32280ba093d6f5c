"""What can go wrong for the person at the keyboard: each error is one sentence, and carries the exit code of its kind.

A message says what is wrong and where; a hint says what to type next. Together they read as one sentence, so neither
ends in a full stop. The exit codes are those of the whole project: 2 usage, 3 data, 4 environment, 5 training.
"""

from __future__ import annotations

from typing import ClassVar


def _one_line(text: str) -> str:
    """The text without what a path, a damaged file or a server could smuggle in: line ends, escapes, lone
    surrogates."""
    return "".join(character if character.isprintable() else " " for character in text)


class TrainerError(Exception):
    """The trainer cannot go on.

    ``message`` is what is wrong and where, ``hint`` what to do about it, ``code`` names it for the harness (event
    ``error`` of bench.protocol); the last two may be empty.
    """

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint, code)
        self.code = code
        self.message = _one_line(message)
        self.hint = _one_line(hint)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class RecipeError(TrainerError):
    """A recipe or an option that does not exist or cannot be."""

    exit_code = 2


class DataError(TrainerError):
    """A dataset that is missing, damaged, or not what it says it is."""

    exit_code = 3


class EnvironmentProblem(TrainerError):
    """The machine lacks something: a device, a driver, a library, room on its disk."""

    exit_code = 4


class TrainingFailed(TrainerError):
    """The training itself went wrong, for example a loss that is no number."""

    exit_code = 5
