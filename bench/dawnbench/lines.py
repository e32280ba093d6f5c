"""The lines of a table as its writer sees them, for findings that name a line and a cell; pandas decides, not these."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from bench.dawnbench.findings import shown
from bench.dawnbench.pair import COLUMNS


@dataclass(frozen=True)
class Lines:
    """The cells of every line below the header that is not empty, by its number; the header is line 1."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    @classmethod
    def of(cls, content: bytes) -> Lines:
        """The lines of a file, whatever its bytes are."""
        first, *rest = re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace").lstrip("\ufeff"))
        rows = ((number, tuple(line.split("\t"))) for number, line in enumerate(rest, start=2) if line.strip())
        return cls(tuple(first.split("\t")), tuple(rows))

    @staticmethod
    def place(where: str, line: int | None) -> str:
        """A file and a line of it, the file alone where that is not known."""
        return where if line is None else f"{where} line {line}"

    def first_longer(self) -> int | None:
        """The first line of more cells than the header and the first row have, which pandas refuses."""
        most = max(len(self.header), *(len(cells) for _, cells in self.rows[:1]), 0)
        return next((line for line, cells in self.rows if len(cells) > most), None)

    def first_text(self, column: str, missing: Collection[str]) -> tuple[int | None, str]:
        """The first cell of a column that is neither a number nor a ``missing`` one, with its line; None for none."""
        if column in self.header:
            place = self.header.index(column)
            for line, cells in self.rows:
                if len(cells) > place and cells[place] not in missing and not _is_number(cells[place]):
                    return line, cells[place]
        return None, ""

    def first_unlike(self) -> tuple[int | None, str]:
        """The first line that has not as many cells as the columns, with what to do about it; None for none."""
        for line, cells in self.rows:
            if len(cells) == 1 and len(re.split(r"[\s,;]+", cells[0].strip())) == len(COLUMNS):
                return line, f"Put one tab between the cells, not spaces or commas: the line is {shown(cells[0])}."
            if len(cells) != len(COLUMNS):
                count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
                return line, f"Write {len(COLUMNS)} cells, one tab between: the line has {count}."
        return None, ""


def _is_number(cell: str) -> bool:
    text = cell.strip().strip('"')
    try:
        float(text)
    except ValueError:
        return False
    return "infinity" not in text.lower() and "_" not in text
