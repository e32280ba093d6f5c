"""GitHub-flavoured Markdown to paste into an issue or a page: the facts, and a table of the seeds or of the sides.

A name may come from a trainer or a driver, so whatever Markdown, HTML or a spreadsheet would interpret is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from bench.errors import one_line
from bench.report import terminal
from bench.report.facts.campaign import CampaignFacts
from bench.report.facts.comparison import ComparisonFacts
from bench.report.formats import console
from bench.report.formats.csv import neutral
from bench.report.text import UNKNOWN

HELP = "the summary to paste, printed instead of the usual one"
PRINTS = True
#: Characters that Markdown or a table of it would interpret.
_MARKS = re.compile(r"([\\`*_{}\[\]|~])")
#: HTML, and an address that would become a link, as character references.
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//", "www.": "www&#46;"}
#: What begins so notifies a person; `dawnbench@1` does not.
_MENTION = re.compile(r"(?<![A-Za-z0-9])@")
_LEFT = ("", "status", "verdict")


def write(facts: CampaignFacts, out: TextIO) -> None:
    """Print a campaign as Markdown: its title, its facts, its seeds."""
    terminal.write(render(facts), out)


def render(facts: CampaignFacts) -> str:
    """Return a campaign as Markdown."""
    lines = []
    for each in facts.configurations:
        lines += [("Configuration", each.name)] if each.name else []
        lines += [(fact.label, fact.text) for fact in each.facts]
    lines += [(fact.label, fact.text) for fact in (*facts.costs, *facts.notes)]
    titles, rows = console.seeds(facts.tables["runs"])
    parts = [f"**{escaped(facts.title)}**", _table(("", ""), lines), *([_table(titles, rows)] if rows else [])]
    return "\n\n".join(parts) + "\n"


def render_comparison(facts: ComparisonFacts) -> str:
    """Return a comparison as Markdown: answers, the table, what differs, the sides."""
    comparison = facts.comparison
    names = [each.name for each in comparison.sides]
    parts = [
        "\n".join(f"- **{escaped(each.label)}**: {escaped(each.text)}" for each in (*facts.answers, *facts.notes)),
        _table([f"Clock: {comparison.work}", *names], [[label, *cells] for label, cells in facts.metrics]),
    ]
    if comparison.config_diff:
        rows = [[each.name, *each.values, "yes" if each.must_match else "no"] for each in comparison.config_diff]
        parts.append(_table(["What differs", *names, "Must match"], rows))
    parts.append("\n".join(f"{escaped(each.name)}: {escaped(each.title)}  " for each in comparison.sides).rstrip())
    return "\n\n".join([*parts, escaped(facts.method)]) + "\n"


def escaped(words: str) -> str:
    """Return words as one line that Markdown shows letter by letter."""
    line = words if words == UNKNOWN else neutral(one_line(words))
    line = _MARKS.sub(r"\\\1", line)
    for mark, reference in _REFERENCES.items():
        line = line.replace(mark, reference)
    return _MENTION.sub("&#64;", line)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    first = () if titles[0] == "seed" else titles[:1]
    rule = (":--" if title in (*_LEFT, *first) else "--:" for title in titles)
    lines = (tuple(escaped(cell) for cell in row) for row in (titles, *rows))
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "| " + " | ".join(rule) + " |", *body])
