"""The summary on a terminal: a table of the seeds, then the facts with their labels; the same for a comparison.

What is not known is `-`, a miss is `missed` and its times `inf`. It fits any width: the least columns go first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import pandas as pd
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import FASTER, NOT_ENOUGH, SLOWER, WITHIN_DRIFT
from bench.errors import one_line
from bench.record.clocks import HEADLINE
from bench.report import terminal
from bench.report.facts import Fact
from bench.report.facts.campaign import CampaignFacts
from bench.report.facts.comparison import ComparisonFacts
from bench.report.terminal import PLAIN_WIDTH
from bench.report.text import UNKNOWN, seconds

HELP = "the summary on the terminal (default)"
PRINTS = True
#: More seeds than these are not listed.
MOST_SEEDS = 100
#: Narrowest output.
_LEAST_WIDTH = 20
#: Of a fact's value by its level, of an answer by its kind.
_STYLES = {
    "headline": "bold", "suspect": "yellow", SLOWER: "bold red", FASTER: "bold green", NOT_ENOUGH: "bold yellow",
    WITHIN_DRIFT: "bold yellow",
}  # fmt: skip
_VERDICT_STYLES = {"clean": "green", "suspect": "yellow", "invalid": "red"}
_BLANK = ("", Text())


@dataclass(frozen=True)
class _Column:
    """A column of the seeds' table; a narrow terminal drops the one with the highest ``rank`` first."""

    title: str
    rank: int
    cell: Callable[[Any], Text]


def write(facts: CampaignFacts, out: TextIO) -> None:
    """Print the summary to ``out``, as wide as it is; coloured on a terminal, in characters that its encoding has."""
    terminal.show(lambda width, colour: render(facts, width, colour), out)


def render(facts: CampaignFacts, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """Return the summary as text in lines no longer than ``width`` (20 at least)."""
    runs, made = facts.tables["runs"], terminal.console(max(width, _LEAST_WIDTH), colour)
    more = len(runs) - MOST_SEEDS
    unlisted = [Text(f"and {more:,} more runs, included in the figures below; all of them are in runs.csv")]
    parts: list[RenderableType] = [_seeds(made, runs.head(MOST_SEEDS)), *(unlisted if more > 0 else [])]
    blocks: list[list[tuple[str, Text]]] = []
    for each in facts.configurations:
        named = [("Configuration", Text(each.name))] if each.name else []
        blocks.append([*named, *_lines(each.facts)])
    blocks[-1] += _lines(facts.costs)
    lines = [line for block in [*blocks, [*_lines(facts.notes)]] if block for line in (_BLANK, *block)]
    return terminal.text([*parts, terminal.labelled(lines)], made)


def write_comparison(facts: ComparisonFacts, out: TextIO) -> None:
    """Print a comparison to ``out``, as wide as it is."""
    terminal.show(lambda width, colour: render_comparison(facts, width, colour), out)


def render_comparison(facts: ComparisonFacts, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """Return a comparison as text in lines no longer than ``width``: sides, what differs, the table, the answers."""
    sides = facts.comparison.sides
    titles = terminal.labelled((one_line(each.name), Text(one_line(each.title))) for each in sides)
    metrics = terminal.table()
    metrics.add_column(f"Clock: {facts.comparison.work}")
    for side in sides:
        metrics.add_column(Text(one_line(side.name)), justify="right", overflow="fold")
    for label, cells in facts.metrics:
        metrics.add_row(label, *cells)
    answers = terminal.labelled(_lines((*facts.answers, *facts.notes)))
    parts = [titles, Text(), _differences(facts), Text(), metrics, Text(), answers, Text(), Text(facts.method)]
    return terminal.text(parts, terminal.console(max(width, _LEAST_WIDTH), colour))


def _differences(facts: ComparisonFacts) -> RenderableType:
    differing = facts.comparison.config_diff
    if not differing:
        return Text("No recorded difference between the sides.")
    found = terminal.table(caption_justify="left")
    found.add_column("What differs", overflow="fold")
    for side in facts.comparison.sides:
        found.add_column(Text(one_line(side.name)), overflow="fold")
    for each in differing:
        if each.must_match:
            found.add_row(Text(f"{one_line(each.name)} *", "yellow"), *(Text(one_line(value)) for value in each.values))
    captions = ["* Must match in one table: the difference in time can come from any of these."] if found.rows else []
    others = ", ".join(one_line(each.name) for each in differing if not each.must_match)
    captions += [f"Also different, which one table allows: {others}."] if others else []
    found.caption = Text("  ".join(captions), "dim")
    return found


def _lines(facts: Iterable[Fact]) -> Iterator[tuple[str, Text]]:
    """A line a fact; figures with the same label share it."""
    before = ""
    for fact in facts:
        words, sentence = Text(fact.text), fact.value.endswith(".")
        words.stylize(_STYLES.get(fact.level, ""), 0, len(fact.value))
        if sentence:
            words.stylize("dim", len(fact.value))
        yield (fact.label if sentence or fact.label != before else ""), words
        before = fact.label


def seeds(runs: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the table of the seeds without its style: its titles, and the cells of every run."""
    return [each.title for each in _TABLE], [[each.cell(row).plain for each in _TABLE] for _, row in runs.iterrows()]


def _seeds(console: Console, runs: pd.DataFrame) -> Table:
    columns = list(_TABLE)
    while True:
        table = terminal.table()
        for column in columns:
            left = column.title in ("status", "verdict")
            table.add_column(column.title, justify="left" if left else "right", no_wrap=True)
        for _, row in runs.iterrows():
            table.add_row(*(column.cell(row) for column in columns))
        needed = console.measure(table, options=console.options.update(max_width=10_000)).maximum
        if needed <= console.width or len(columns) <= 2:
            return table
        columns.remove(max(columns, key=lambda column: column.rank))


def _number(name: str, form: str) -> Callable[[Any], Text]:
    return lambda row: Text(UNKNOWN if pd.isna(row[name]) else form.format(row[name]))


def _time(name: str) -> Callable[[Any], Text]:
    return lambda row: Text(seconds(row[name], unit=""), style="yellow" if row[name] == math.inf else "")


def _status(row: Any) -> Text:
    return Text(str(row["status"]).replace("_", " "), style="" if row["status"] == "done" else "red")


def _reached(row: Any) -> Text:
    if not pd.isna(row["reached_epoch"]):
        return Text(f"{round(row['reached_epoch'], 2):g}")
    return Text("missed", style="yellow") if row["status"] == "done" else Text(UNKNOWN)


def _verdict(row: Any) -> Text:
    level = UNKNOWN if pd.isna(row["verdict"]) else str(row["verdict"])
    return Text(level, style=_VERDICT_STYLES.get(level, ""))


_TABLE = (
    _Column("seed", 0, _number("seed", "{}")),
    _Column("status", 5, _status),
    _Column("accuracy %", 1, _number("final_accuracy_percent", "{:.2f}")),
    _Column("at epoch", 3, _reached),
    _Column(f"{HEADLINE.label} s", 2, _time("dawnbench_seconds")),
    _Column("compile s", 7, _time("compile_seconds")),
    _Column("cold s", 8, _time("dawnbench_cold_seconds")),
    _Column("run s", 11, _time("run_seconds")),
    _Column("train s", 10, _time("train_seconds")),
    _Column("wall s", 9, _time("wall_seconds")),
    _Column("images/s", 6, _number("images_per_second", "{:,.0f}")),
    _Column("verdict", 4, _verdict),
)
