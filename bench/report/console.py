"""The summary at the end of a campaign: a table of its seeds, then what they say together, each time with its clock.

What is not known is `-`, a miss is `missed` and its times `inf`. It fits any width: the least columns go first.
"""

from __future__ import annotations

import io
import math
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import pandas as pd
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bench.analysis import verdicts
from bench.errors import one_line
from bench.record import Record
from bench.record.clocks import CLOCKS, HEADLINE
from bench.report import machine_lines

UNKNOWN = "-"
#: Of an output that is no terminal, where nothing says how wide its reader's is.
PLAIN_WIDTH = 120
#: Fewer runs than this have no tenths.
_TENTHS_FROM = 6
#: More rows than these nobody reads on a terminal.
MOST_SEEDS = 100
_VERDICT_STYLES = {"clean": "green", "suspect": "yellow", "invalid": "red"}
#: A line of the summary: what it is about, and what is said.
Labelled = tuple[str, Text]
_BLANK: Labelled = ("", Text())


@dataclass(frozen=True)
class _TableColumn:
    """A column of the seeds' table; the higher its ``rank`` the sooner it gives way to a narrow terminal."""

    title: str
    rank: int
    cell: Callable[[Any], Text]


def show(
    records: Sequence[Record], runs: pd.DataFrame, summary: pd.DataFrame, out: TextIO, notes: Sequence[str] = ()
) -> None:
    """Print the summary to ``out``, as wide as it is; coloured on a terminal, in characters that its encoding has."""
    write(render(records, runs, summary, notes, terminal_width(), coloured(out)), out)


def coloured(out: TextIO) -> bool:
    """Whether colours are wanted on ``out``: a terminal, and no NO_COLOR (https://no-color.org), empty or not set."""
    return out.isatty() and not os.environ.get("NO_COLOR")


def terminal_width() -> int:
    """The columns of the terminal, or of a page where there is none."""
    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns


def write(text: str, out: TextIO) -> None:
    """Write text to ``out`` in characters that its encoding has."""
    out.write(text if _fits(text, out.encoding or "ascii") else _ascii(text))
    out.flush()


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _ascii(text: str) -> str:
    return text.replace("±", "+-").encode("ascii", "replace").decode("ascii")


def render(
    records: Sequence[Record],
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    notes: Sequence[str] = (),
    width: int = PLAIN_WIDTH,
    colour: bool = False,
) -> str:
    """The summary as text in lines no longer than ``width`` (20 at least): the records and the frames made of them.

    ``notes`` are sentences about the campaign that no single record knows.
    """
    console = Console(
        file=io.StringIO(), width=max(width, 20), force_terminal=colour, no_color=not colour, highlight=False
    )
    lines = labelled(records, runs, summary, notes)
    with console.capture() as capture:
        console.print(Group(_seeds(console, runs.head(MOST_SEEDS)), *_unlisted(runs), _labelled(lines)))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], lines: Iterable[str], width: int, colour: bool,
    *, left: Collection[str], wrapped: Collection[str],
) -> str:  # fmt: skip
    """Return a table and the ``lines`` below it as text, no line longer than ``width`` (40 at least).

    The columns ``left`` are aligned left, the others right; only those ``wrapped`` have cells of several lines.
    """
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in header:
        made.add_column(
            title, justify="left" if title in left else "right", overflow="fold", no_wrap=title not in wrapped
        )
    for cells in rows:
        made.add_row(*map(one_line, cells))
    # Colours are set explicitly: rich would take FORCE_COLOR for a request to have the codes in a file, too.
    out = Console(
        file=io.StringIO(), width=max(width, 40), force_terminal=colour, no_color=not colour, highlight=False,
        markup=False,
    )  # fmt: skip
    with out.capture() as capture:
        out.print(made)
        for line in ("", *lines):
            out.print(one_line(line))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def labelled(
    records: Sequence[Record], runs: pd.DataFrame, summary: pd.DataFrame, notes: Sequence[str] = ()
) -> list[Labelled]:
    """What stands below the seeds, line by line; a line without a label goes on with the one before it, or is blank."""
    lines = [line for _, row in summary.iterrows() for line in (_BLANK, *_headlines(row, len(summary) > 1))]
    remarks = [*_remarks(records), *(("Note", _line(note)) for note in notes)]
    return [*lines, *costs(runs), *([_BLANK, *remarks] if remarks else [])]


def seeds(runs: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The table of the seeds without its style: its titles, and the cells of every run."""
    return [each.title for each in _TABLE], [[each.cell(row).plain for each in _TABLE] for _, row in runs.iterrows()]


def _unlisted(runs: pd.DataFrame) -> list[Text]:
    more = len(runs) - MOST_SEEDS
    if more <= 0:
        return []
    return [Text(f"and {more:,} more runs, which the figures below count, too; runs.csv has every one")]


def _seeds(console: Console, runs: pd.DataFrame) -> Table:
    columns = list(_TABLE)
    while True:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
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
    _TableColumn("seed", 0, _number("seed", "{}")),
    _TableColumn("status", 5, _status),
    _TableColumn("accuracy %", 1, _number("final_accuracy_percent", "{:.2f}")),
    _TableColumn("at epoch", 3, _reached),
    _TableColumn(f"{HEADLINE.label} s", 2, _time("dawnbench_seconds")),
    _TableColumn("compile s", 7, _time("compile_seconds")),
    _TableColumn("cold s", 8, _time("dawnbench_cold_seconds")),
    _TableColumn("run s", 11, _time("run_seconds")),
    _TableColumn("train s", 10, _time("train_seconds")),
    _TableColumn("wall s", 9, _time("wall_seconds")),
    _TableColumn("images/s", 6, _number("images_per_second", "{:,.0f}")),
    _TableColumn("verdict", 4, _verdict),
)


def seconds(value: Any, unit: str = " s") -> str:
    """A time as people read it: ``74.04 s``, ``3,412.5 s``, ``inf``, or ``-`` where it is not known."""
    if pd.isna(value):
        return UNKNOWN
    if value == math.inf:
        return "inf"
    return f"{value:.2f}{unit}" if value < 100 else f"{value:,.1f}{unit}"


def _labelled(lines: Sequence[Labelled]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, text)
    return table


def _headlines(row: Any, several: bool) -> Iterator[Labelled]:
    """What one configuration's runs say together: time, how sure it is, how well they trained, what the machine did and
    what is left out.
    """
    if several:
        names = (row[key] for key in ("recipe", "dataset", "device", "precision", "input"))
        yield "Configuration", _line(", ".join(UNKNOWN if pd.isna(name) else str(name) for name in names))
    if row["runs"]:
        yield from _outcome(row)
        yield from _training(row)
        yield from machine_lines.lines(row)
    if (left_out := left_out_text(row)) is not None:
        yield "Left out", Text(left_out)
    if row["suspect"]:
        yield "Suspect", Text(f"{row['suspect']} of the {row['runs']} runs in these figures")


def _outcome(row: Any) -> Iterator[Labelled]:
    """Whether and when the target was reached; the success rate comes first where runs missed it."""
    if row["reached"] == row["planned"]:
        yield from _times(row)
        yield f"Reached {row['target_percent']:g} %", Text(success_text(row))
        return
    yield f"Reached {row['target_percent']:g} %", Text(success_text(row), style="bold")
    if row["reached"]:
        if (expected := expected_text(row)) is not None:
            yield "", Text(expected)
        yield from _times(row)
    else:
        yield f"Time to {row['target_percent']:g} %", Text("not reached by any run")


def success_text(row: Any) -> str:
    """How many of the planned runs reached the target, with the interval of the success rate."""
    ends = f"95 % interval {100 * row['success_low']:.0f} to {100 * row['success_high']:.0f} %"
    return f"{reached_text(row)}, {100 * row['success_rate']:.0f} % ({ends})"


def reached_text(row: Any) -> str:
    """How many runs reached the target: ``2 of 5``, or ``2 of 5 planned`` where some planned run does not count."""
    return f"{row['reached']} of {row['planned']}{' planned' if row['planned'] > row['runs'] else ''}"


def left_out_text(row: Any) -> str | None:
    """Which planned runs do not count, and what follows from that; None where all do."""
    lacking = row["planned"] - row["runs"]
    if not lacking:
        return None
    numbers = {"invalid": row["invalid"], "unfinished": row["unfinished"]}
    numbers["not made"] = lacking - sum(numbers.values())
    kinds = ", ".join(f"{number} {kind}" for kind, number in numbers.items() if number)
    seeds = "" if pd.isna(row["not_counted"]) else f": seed {str(row['not_counted']).replace(';', ', ')}"
    rate = ", and not successful in the success rate" if row["runs"] else ""
    return f"{lacking} of {row['planned']} planned runs ({kinds}){seeds}; in none of these times{rate}"


def expected_text(row: Any) -> str | None:
    """The expected time to the first success, each miss followed by another run: wall clock with every retry in a new
    process, or in the same one, and the headline clock, each also at the ends of the success rate's interval; None
    where unknown.
    """
    ways = (
        ("expected_wall", CLOCKS["wall"].label, ", each retry in a new process"),
        ("expected_wall_same_process", CLOCKS["wall"].label, ", retries in the same process"),
        ("expected", row["clock"], ", without start, compilation and evaluation"),
    )
    known = [
        f"{_expected(row, name)} ({clock}{how})" for name, clock, how in ways if not pd.isna(row[f"{name}_seconds"])
    ]
    return f"expected time to the first success [by the success rate's interval]: {'; '.join(known)}" if known else None


def _expected(row: Any, name: str) -> str:
    value, low, high = (row[f"{name}_{end}seconds"] for end in ("", "low_", "high_"))
    ends = "" if pd.isna(low) else f" [{seconds(low, unit='')} to {seconds(high)}]"
    return f"{seconds(value)}{ends}"


def median_run_text(row: Any) -> str | None:
    """The times of one run, the median of those that reached the target; None where none did."""
    if pd.isna(row["median_run_seconds"]):
        return None
    which = (
        ""
        if row["runs"] == 1 or pd.isna(row["median_run_seed"])
        else f"seed {row['median_run_seed']}, the median run: "
    )
    compiling = f"with compilation ({seconds(row['median_run_compile_seconds'])})"
    return (
        f"{which}{seconds(row['median_run_seconds'])}, {compiling} {seconds(row['median_run_cold_seconds'])} "
        f"({CLOCKS['dawnbench-cold'].label}), wall clock from process start {seconds(row['median_run_wall_seconds'])} "
        f"({CLOCKS['wall'].label})"
    )


def median_texts(row: Any) -> tuple[str, str]:
    """The headline time and what it is the median of: of all runs, or of those that reached the target where some
    missed it.
    """
    if row["runs"] == 1:
        return seconds(row["median_seconds"]), "one run"
    if row["reached"] == row["runs"]:
        return seconds(row["median_seconds"]), f"median of {row['runs']} runs"
    every = "infinite" if row["median_seconds"] == math.inf else seconds(row["median_seconds"])
    return (
        seconds(row["median_run_seconds"]),
        f"median run of the {row['reached']} that reached it; the median of all {row['runs']} is {every}, misses being "
        "infinite",
    )


def _times(row: Any) -> Iterator[Labelled]:
    value, middle = median_texts(row)
    yield f"Time to {row['target_percent']:g} %", Text.assemble((value, "bold"), f" ({row['clock']}), {middle}")
    if (one := median_run_text(row)) is not None:
        yield "", Text(one)
    if (interval := interval_text(row)) is not None:
        yield "", Text(interval)
    if row["runs"] >= _TENTHS_FROM and not pd.isna(row["quantile_10_seconds"]):
        tenths = f"{seconds(row['quantile_10_seconds'], unit='')} to {seconds(row['quantile_90_seconds'])}"
        yield "", Text(f"eight of ten runs lie within {tenths} ({row['clock']})")


def interval_text(row: Any) -> str | None:
    """The interval of the median time with its exact confidence; None of one run."""
    if pd.isna(row["time_low_seconds"]):
        return None
    ends = f"{seconds(row['time_low_seconds'], unit='')} to {seconds(row['time_high_seconds'])}"
    of_all = "fastest to slowest, " if row["time_confidence_percent"] < 95 else ""
    return f"{ends}: {of_all}{row['time_confidence_percent']:.4g} % interval of the median of all runs"


def _training(row: Any) -> Iterator[Labelled]:
    if not pd.isna(row["accuracy_mean"]):
        spread = " %" if pd.isna(row["accuracy_std"]) else f" ± {row['accuracy_std']:.2f} % (mean ± standard deviation)"
        viewed = not pd.isna(row["accuracy_view"]) and row["accuracy_view"] != "plain"
        known = not pd.isna(row["plain_accuracy_mean"])
        without = f"{row['plain_accuracy_mean']:.2f} %" if known else "not known"
        plain = f" with TTA ({row['accuracy_view']}); {without} without" if viewed else ""
        yield "Final accuracy", Text(f"{row['accuracy_mean']:.2f}{spread}{plain}")
    speed = UNKNOWN if pd.isna(row["images_per_second"]) else f"{row['images_per_second']:,.0f} images/s"
    whole = f"{seconds(row['fixed_work_seconds'])} ({row['clock']}) for the whole schedule, target or not"
    own = f" (medians, each over {row['runs']} runs)" if row["runs"] > 1 else ""
    yield "Fixed work", Text(f"{whole}; training at {speed}{own}")
    if not pd.isna(row["campaign_wall_seconds"]):
        yield "Campaign", Text(f"{seconds(row['campaign_wall_seconds'])} of wall clock from its start to its last run")


def costs(runs: pd.DataFrame) -> Iterator[Labelled]:
    """What the harness cost the runs; nothing where it is not known."""
    share, switches = runs["harness_cpu_share"].max(), runs["harness_voluntary_switches"].max()
    if pd.isna(share):
        return
    emit = runs["emit_seconds"].max()
    events = "" if pd.isna(emit) else f"; events cost the trainer {1000 * emit:.1f} ms"
    woken = "" if pd.isna(switches) else f", woken {switches:,} times"
    yield (
        "Harness cost",
        Text(f"at most {100 * share:.2f} % of one core in a run{woken}{events}{machine_lines.sampler(runs)}"),
    )


def _remarks(records: Sequence[Record]) -> Iterator[Labelled]:
    """Every reason behind a verdict once, with the seeds it was found in and what to do about it."""
    for each in verdicts.shared(records):
        everywhere = f"seed {', '.join(each.seeds)}: " if each.seeds else ""
        yield each.level.capitalize(), _line(f"{everywhere}{each.evidence}", each.advice)


def _line(evidence: str, advice: str = "") -> Text:
    # The words may be a trainer's own, and a terminal obeys control characters.
    printable = "".join(each if each.isprintable() else " " for each in evidence)
    return Text.assemble(printable.rstrip("."), (f"; {advice}" if advice else "", "dim"), ".")
