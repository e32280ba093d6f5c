"""A campaign as GitHub-flavoured Markdown, to paste into an issue or a page: what its runs say together, and each seed.

The words and figures are those of the terminal. A name may be a trainer's or a driver's own, so whatever Markdown,
HTML or a spreadsheet would obey is written so that it is shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.errors import one_line
from bench.record import Record
from bench.report import console
from bench.report.tables import neutral

#: What Markdown or a table of it would take for a mark of its own.
_MARKS = re.compile(r"([\\`*_{}\[\]|~])")
#: HTML, and an address that would become a link, as character references.
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//", "www.": "www&#46;"}
#: Somebody is told of what begins so; `dawnbench@1` is no mention.
_MENTION = re.compile(r"(?<![A-Za-z0-9])@")
_LEFT = ("status", "verdict")


def text(
    title: str, records: Sequence[Record], runs: pd.DataFrame, summary: pd.DataFrame, notes: Sequence[str] = ()
) -> str:
    """The judged records and the frames made of them under a ``title``; ``notes`` are about all of them."""
    lines = [(label, words.plain) for label, words in console.labelled(records, runs, summary, notes) if words.plain]
    titles, rows = console.seeds(runs)
    tables = [_table(("", ""), lines, left=("",)), _table(titles, rows, left=_LEFT)] if len(runs) else []
    return "\n\n".join([f"**{escaped(title)}**", *tables]) + "\n"


def escaped(words: str) -> str:
    """Words as one line that Markdown shows letter by letter."""
    line = words if words == console.UNKNOWN else neutral(one_line(words))
    line = _MARKS.sub(r"\\\1", line)
    for mark, reference in _REFERENCES.items():
        line = line.replace(mark, reference)
    return _MENTION.sub("&#64;", line)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str]) -> str:
    rule = (":--" if title in left else "--:" for title in titles)
    lines = (tuple(escaped(cell) for cell in row) for row in (titles, *rows))
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "| " + " | ".join(rule) + " |", *body])
