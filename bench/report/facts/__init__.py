"""The facts of a report, each phrased once and rendered by every format: of a campaign, its machine, a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import one_line

#: Levels: a main figure, any other, and those of a verdict's reasons.
HEADLINE, INFO, NOTE, SUSPECT, INVALID = "headline", "info", "note", "suspect", "invalid"


@dataclass(frozen=True)
class Fact:
    """A fact: a stable ``id``, a label, the value with its clock; ``detail`` is what it is of and how sure it is."""

    id: str
    label: str
    value: str
    detail: str = ""
    level: str = INFO
    clock: str = ""

    @property
    def text(self) -> str:
        """The fact in one line, without its label."""
        value = f"{self.value} ({self.clock})" if self.clock else self.value
        between = " " if value.endswith((".", "?", "!")) else "; "
        return f"{value}{between}{self.detail}" if self.detail else value


def sentence(words: str) -> str:
    """Return words, perhaps a trainer's own, as one printable line with a capital and a period."""
    line = one_line(words).rstrip(".")
    return f"{line[:1].upper()}{line[1:]}." if line else ""
