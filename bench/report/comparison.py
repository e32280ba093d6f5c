"""A comparison on the terminal, and as Markdown to paste: what differs, the answer, then everything beside it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import FASTER, NOT_ENOUGH, SLOWER, WITHIN_DRIFT, Comparison, Versus
from bench.analysis.comparison_table import table
from bench.record.clocks import HEADLINE
from bench.report.console import PLAIN_WIDTH, UNKNOWN, seconds

_STYLES = {SLOWER: "bold red", FASTER: "bold green", NOT_ENOUGH: "bold yellow", WITHIN_DRIFT: "bold yellow"}


@dataclass(frozen=True)
class _Line:
    """A line of the table: what it is, a side's cell, and whether there is anything to tell where all are unknown."""

    title: str
    cell: Callable[[Any], str]


def _number(name: str, form: str) -> Callable[[Any], str]:
    return lambda row: UNKNOWN if pd.isna(row[name]) else form.format(row[name])


def _percent(name: str) -> Callable[[Any], str]:
    return lambda row: UNKNOWN if pd.isna(row[name]) else f"{100 * row[name]:.1f} %"


def _work(row: Any) -> str:
    low, high = (seconds(row[f"fixed_work_{end}_seconds"], unit="") for end in ("min", "max"))
    return f"{seconds(row['fixed_work_median_seconds'])} ({low} to {high})"


def _reached(row: Any) -> str:
    if pd.isna(row["reached"]):
        return UNKNOWN
    ends = f"{100 * row['success_low']:.0f} to {100 * row['success_high']:.0f} %"
    return f"{row['reached']} of {row['runs'] + row['left_out']} ({ends})"


def _accuracy(row: Any) -> str:
    if pd.isna(row["accuracy_mean"]):
        return UNKNOWN
    spread = "" if pd.isna(row["accuracy_std"]) else f" ± {row['accuracy_std']:.2f}"
    return f"{row['accuracy_mean']:.2f}{spread} %"


_LINES = (
    _Line("Runs", _number("runs", "{}")),
    _Line("Fixed work, median (range)", _work),
    _Line("  spread of one run", _number("spread_percent", "{:.2f} %")),
    _Line("Reached the target", _reached),
    _Line(f"Time to it, median ({HEADLINE.label})", lambda row: seconds(row["dawnbench_median_seconds"])),
    _Line("An epoch, median", lambda row: seconds(row["epoch_train_seconds"])),
    _Line("Images/s, median", _number("images_per_second", "{:,.0f}")),
    _Line("Compile, median", lambda row: seconds(row["compile_seconds"])),
    _Line("Energy of the card, median", _number("energy_joules", "{:,.0f} J")),
    _Line("Waited for input, median", _percent("stall_share")),
    _Line("Final accuracy, mean", _accuracy),
)


def render(comparison: Comparison, width: int = PLAIN_WIDTH, colour: bool = False) -> str:
    """The comparison as text in lines no longer than ``width`` (20 at least)."""
    console = Console(
        file=io.StringIO(), width=max(width, 20), force_terminal=colour, no_color=not colour, highlight=False
    )
    with console.capture() as capture:
        console.print(
            Group(
                _sides(comparison), Text(), _differing(comparison), Text(), _beside(comparison), Text(),
                *_answers(comparison), *_notes(comparison),
            )
        )  # fmt: skip
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _sides(comparison: Comparison) -> Table:
    grid = _grid()
    for side in comparison.sides:
        grid.add_row(_plain(side.name, "bold"), _plain(side.title))
    return grid


def _differing(comparison: Comparison) -> Table | Text:
    if not comparison.config_diff:
        return Text("Nothing that is recorded differs between them.")
    found = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", caption_justify="left")
    found.add_column("What differs", overflow="fold")
    for side in comparison.sides:
        found.add_column(_plain(side.name), overflow="fold")
    for each in comparison.config_diff:
        if each.must_match:
            found.add_row(_plain(f"{each.name} *", "yellow"), *map(_plain, each.values))
    harmless = ", ".join(each.name for each in comparison.config_diff if not each.must_match)
    captions = ["* may not be mixed in one table: the difference can come from any of these."] if found.rows else []
    captions += [f"Also different, which runs of one table may be: {harmless}."] if harmless else []
    found.caption = _plain("  ".join(captions), "dim")
    return found


def _beside(comparison: Comparison) -> Table:
    rows = [row for _, row in table(comparison).iterrows()]
    beside = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    beside.add_column(f"Clock: {comparison.work}", no_wrap=False)
    for side in comparison.sides:
        beside.add_column(_plain(side.name), justify="right", overflow="fold")
    for line, cells in _told(rows):
        beside.add_row(line, *cells)
    return beside


def _told(rows: Sequence[Any]) -> list[tuple[str, list[str]]]:
    """The lines of the table with a cell for each side; a line that no side knows anything of is left out."""
    lines = [(line.title, [line.cell(row) for row in rows]) for line in _LINES]
    return [(title, cells) for title, cells in lines if {*cells} != {UNKNOWN}]


def _answers(comparison: Comparison) -> list[Text]:
    lines = []
    for each in comparison.versus:
        lines.append(Text.assemble(("Answer  ", "bold"), _plain(_capital(each.answer.sentence), _style(each))))
        lines.append(_plain(f"        {how(each)}", "dim"))
    return lines


def how(versus: Versus) -> str:
    """How the answer was computed, in one sentence."""
    effect, design = versus.effect, how_compared(versus)
    if math.isnan(effect.p_value):
        return f"{design}: no test"
    holm = (
        "" if effect.comparisons == 1 else f", {effect.p_holm:.2g} adjusted for {effect.comparisons} comparisons (Holm)"
    )
    beyond = f" of a difference beyond {effect.allowance_percent:.3g} %" if effect.allowance_percent else ""
    return (
        f"{design}; {effect.test} test on log time{beyond}, two-sided p = {effect.p_value:.2g}{holm}; "
        f"one-sided p of slower {effect.p_slower:.2g}"
    )


def how_compared(versus: Versus) -> str:
    """What was held against what: pairs, runs or campaigns, and how many."""
    if versus.design.unit == "campaign":
        return f"{len(versus.reference.levels)} and {len(versus.side.levels)} campaigns, unpaired"
    pairs = versus.effect.pairs
    if versus.effect.design == "paired":
        return f"{pairs} {'pair' if pairs == 1 else 'pairs'} of one seed"
    return f"{len(versus.reference.counted)} and {len(versus.side.counted)} runs, unpaired"


def _notes(comparison: Comparison) -> list[Text]:
    return [_plain(f"Note    {note}.", "dim") for note in comparison.notes]


def markdown(comparison: Comparison) -> str:
    """The same as Markdown: answers, the table, what differs; names and values are cells, never markup."""
    rows = [row for _, row in table(comparison).iterrows()]
    names = [_cell(side.name) for side in comparison.sides]
    lines = [f"- {_cell(_capital(each.answer.sentence))} {_cell(_capital(how(each)))}." for each in comparison.versus]
    lines += [f"- Note: {_cell(note)}." for note in comparison.notes]
    lines += [
        "",
        *_markdown_table(
            [f"Clock: {comparison.work}", *names], [[title.strip(), *map(_cell, cells)] for title, cells in _told(rows)]
        ),
    ]
    if comparison.config_diff:
        told = [
            [_cell(each.name), *map(_cell, each.values), "no" if each.must_match else "yes"]
            for each in comparison.config_diff
        ]
        lines += ["", *_markdown_table(["What differs", *names, "May be mixed"], told)]
    lines += ["", *(f"{name}: {_cell(side.title)}  " for name, side in zip(names, comparison.sides, strict=True))]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(text: str) -> str:
    """A text that stays one in a Markdown cell: no markup, no HTML, no end of the cell or the line."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return "".join(f"\\{each}" if each in "\\`*_[]<>|~#" else each for each in printable)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _style(versus: Versus) -> str:
    return _STYLES.get(versus.answer.kind, "bold")


def _plain(text: str, style: str = "") -> Text:
    # The words may be a trainer's own, and a terminal obeys control characters.
    return Text("".join(each if each.isprintable() else " " for each in text), style=style)
