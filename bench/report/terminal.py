"""Text for a terminal or a pipe: as wide as it is, coloured only where colours are wanted, in its own characters."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TextIO

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from bench.errors import one_line

#: Width of an output that is not a terminal.
PLAIN_WIDTH = 120


def show(render: Callable[[int, bool], str], out: TextIO) -> None:
    """Write what ``render(width, colour)`` returns for ``out``."""
    write(render(terminal_width(), coloured(out)), out)


def coloured(out: TextIO) -> bool:
    """Return whether ``out`` is a terminal that wants colours: NO_COLOR (https://no-color.org) empty or not set."""
    return out.isatty() and not os.environ.get("NO_COLOR")


def terminal_width() -> int:
    """Return the columns of the terminal, PLAIN_WIDTH where there is none."""
    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns


def write(text: str, out: TextIO) -> None:
    """Write text to ``out`` in characters that its encoding has."""
    try:
        text.encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        text = text.replace("±", "+-").encode("ascii", "replace").decode("ascii")
    out.write(text)
    out.flush()


def console(width: int, colour: bool) -> Console:
    """Return a console that captures text; colours are set explicitly, as rich obeys FORCE_COLOR even for a file."""
    return Console(
        file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False, markup=False
    )


def text(parts: Iterable[RenderableType], made: Console) -> str:
    """Return the parts below each other as text in lines no longer than the console is wide."""
    with made.capture() as capture:
        made.print(Group(*parts))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def table(**options: object) -> Table:
    """Return an empty table without lines."""
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", **options)  # type: ignore[arg-type]


def report(
    header: Sequence[str], rows: Iterable[Sequence[str]], lines: Iterable[str], width: int, colour: bool,
    *, left: Collection[str], wrapped: Collection[str],
) -> str:  # fmt: skip
    """Return a table and the ``lines`` below it as text, no line longer than ``width`` (40 at least).

    The columns ``left`` are aligned left, the others right; only those ``wrapped`` have cells of several lines.
    """
    made = table()
    for title in header:
        side: JustifyMethod = "left" if title in left else "right"
        made.add_column(title, justify=side, overflow="fold", no_wrap=title not in wrapped)
    for cells in rows:
        made.add_row(*map(one_line, cells))
    return text([made, *map(one_line, ("", *lines))], console(max(width, 40), colour))


def labelled(lines: Iterable[tuple[str, Text]]) -> Table:
    """Return lines of a label and a text that folds."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for label, words in lines:
        grid.add_row(label, words)
    return grid
