"""A result's position on the board: sentences, one table of the board with later records, and the same as JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.ranking import Position, position
from bench.dawnbench import board, later
from bench.dawnbench.board import shown_cost, shown_time
from bench.dawnbench.candidate import Candidate
from bench.dawnbench.details import NO_AUGMENTATION
from bench.errors import one_line
from bench.record.clocks import CLOCKS
from bench.report import terminal
from bench.report.terminal import PLAIN_WIDTH
from bench.report.text import UNKNOWN, seconds

#: Rows shown on each side of the result.
NEIGHBOURS = 5
THE_BOARD = (
    "The board closed in March 2020 and took one run of each entrant. Their clocks differ by seconds (start-up and "
    "preprocessing are inside some and outside others), so a difference of a few seconds is none."
)
_LATER = "Rows without a place were published later or elsewhere, each timed by its own clock (docs/concepts/board.md)."
#: On a narrow terminal these columns are left out, the first first.
_OPTIONAL = ("date", "framework", "hardware", "cost")
_OWN = "this result"
#: Of a result that has no place.
_ONE_RUN = "one run of this result"


@dataclass(frozen=True)
class Row:
    """A row of the table; ``place`` is None of a later record, and of a result that has none."""

    place: int | None
    seconds: float
    time: str
    cost_usd: float | None
    name: str
    hardware: str
    framework: str
    date: str
    source: str


def rows(candidate: Candidate) -> list[Row]:
    """Return the board, the later records with the candidate's target and the candidate, the fastest first."""
    entries = board.entries()
    found = [
        Row(
            position(each.seconds, [*(one.seconds for one in entries if one is not each), *_of(candidate)]).rank,
            each.seconds, shown_time(each.seconds), each.cost_usd, f"{each.author}, {each.model}", each.hardware,
            each.framework, f"{each.submitted:%Y-%m-%d}", each.file,
        )
        for each in entries
    ]  # fmt: skip
    found += [
        Row(
            None, each.seconds, f"{'< ' if each.bound else ''}{each.seconds:g} s", None, each.name, each.hardware,
            each.framework, each.date, f"{each.source}; outside its clock: {each.left_out}",
        )
        for each in later.records()
        if each.target_percent == candidate.target_percent
    ]  # fmt: skip
    if candidate.seconds is not None:
        place = candidate.by_time
        found.append(
            Row(
                None if place is None else place.rank, candidate.seconds, seconds(candidate.seconds),
                candidate.cost_usd, _ONE_RUN if place is None else _OWN, candidate.hardware, candidate.framework, "",
                candidate.clock,
            )
        )  # fmt: skip
    # Of equal times the result stands first.
    return sorted(found, key=lambda each: (each.seconds, each.name not in (_OWN, _ONE_RUN)))


def _of(candidate: Candidate) -> list[float]:
    return [] if candidate.by_time is None else [candidate.by_time.value]


def show(candidate: Candidate, out: TextIO, whole: bool = False) -> None:
    """Print the position to ``out``, as wide as it is; with the ``whole`` table instead of the neighbours."""
    terminal.write(render(candidate, terminal.terminal_width(), whole, terminal.coloured(out)), out)


def render(candidate: Candidate, width: int = PLAIN_WIDTH, whole: bool = False, colour: bool = False) -> str:
    """Return the position as text in lines no longer than ``width`` (40 at least)."""
    made = Console(
        file=io.StringIO(), width=max(width, 40), force_terminal=colour, no_color=not colour, highlight=False
    )
    labelled = Table.grid(padding=(0, 2, 0, 0))
    labelled.add_column(no_wrap=True, style="bold")
    labelled.add_column(overflow="fold")
    for label, sentence in lines(candidate):
        labelled.add_row(label, Text(sentence))
    shown = _shown(rows(candidate), whole)
    table: list[RenderableType] = [_table(made, shown), ""] if shown else []
    note = f"{THE_BOARD} {_LATER}" if any(_is_later(each) for each in shown) else THE_BOARD
    with made.capture() as capture:
        made.print(Group(Text(candidate.title), "", labelled, "", *table, note))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _shown(every: Sequence[Row], whole: bool) -> Sequence[Row]:
    own = next((index for index, each in enumerate(every) if each.name in (_OWN, _ONE_RUN)), None)
    if whole:
        return every
    return [] if own is None else every[max(0, own - NEIGHBOURS) : own + NEIGHBOURS + 1]


def _is_later(row: Row) -> bool:
    return row.place is None and row.name != _ONE_RUN


def _table(made: Console, shown: Sequence[Row]) -> Table:
    """Return the rows without the columns that a narrow terminal has no room for."""
    names = ["place", "time", "cost", "name", "hardware", "framework", "date"]
    for name in _OPTIONAL:
        if 15 * len(names) <= made.width:
            break
        names.remove(name)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        figure = name in ("place", "time", "cost")
        table.add_column(name, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
    for row in shown:
        cells = {
            **{name: one_line(getattr(row, name)) for name in ("time", "name", "hardware", "framework", "date")},
            "place": UNKNOWN if row.place is None else ordinal(row.place),
            "cost": UNKNOWN if row.cost_usd is None else shown_cost(row.cost_usd),
        }
        # The words of a pair or a trainer are a stranger's: no markup of theirs is read.
        table.add_row(*(Text(cells[name]) for name in names), style="bold" if row.name in (_OWN, _ONE_RUN) else "")
    return table


def ordinal(rank: int) -> str:
    """Return a rank in words: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def lines(candidate: Candidate) -> Iterator[tuple[str, str]]:
    """Yield what the positions are, how they were counted and what to know of them, each with a label."""
    time, cost, target = candidate.by_time, candidate.by_cost, f"{candidate.target_percent:g} %"
    if time is not None:
        value = f"{seconds(time.value)} ({candidate.clock}), shown as {shown_time(time.value)}"
        yield "Time board", f"{_said(time)}: {value}"
    else:
        missed = candidate.planned - candidate.reached
        yield (
            "No place",
            f"{missed} of {candidate.planned} planned runs did not reach {target}; a place needs over half that do",
        )
    if cost is not None:
        price = f"at ${candidate.cost_per_hour_usd:g} an hour"
        yield "Cost board", f"{_said(cost)}: ${cost.value:.4f}, shown as {shown_cost(cost.value)}, {price}"
    elif time is not None:
        yield "Cost board", "no place without a price: --cost-per-hour X, US dollars on demand, the whole machine"
    if candidate.wall_seconds is not None:
        run = "" if candidate.planned == 1 else f" (seed {candidate.seed})"
        wall = f"{seconds(candidate.wall_seconds)} ({CLOCKS['wall'].label}) from process start to the evaluation that "
        yield "Wall clock", f"{wall}reached {target}{run}, start and compilation included"
    yield from _accuracy(candidate)
    if candidate.planned > 1 or not candidate.reached:
        rate = candidate.success_rate
        share = f"{100 * rate.estimate:.0f} % (95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
        seeds = ", ".join(map(str, candidate.not_counted))
        without = f"; no run that counts of seed {seeds}" if seeds else ""
        yield f"Reached {target}", f"{candidate.reached} of {candidate.planned}, {share}{without}"
    if candidate.rule and candidate.reached:
        yield "Counted is", candidate.rule
    yield from _expected(candidate)
    yield from (("Note", one_line(remark)) for remark in candidate.remarks)


def _said(place: Position) -> str:
    tie = f", tied with {place.tied}" if place.tied else ""
    return f"{ordinal(place.rank)} of {place.of}{tie}"


def _accuracy(candidate: Candidate) -> Iterator[tuple[str, str]]:
    if candidate.accuracy_percent is None:
        return
    accuracy = f"{candidate.accuracy_percent:.2f} %"
    if not candidate.augmentation:
        yield "Accuracy", f"{accuracy}; with or without test-time augmentation (TTA) is not said"
    elif candidate.augmentation.startswith(NO_AUGMENTATION):
        yield "Accuracy", f"{accuracy} without test-time augmentation (TTA)"
    else:
        plain = "not known" if candidate.plain_percent is None else f"{candidate.plain_percent:.2f} %"
        yield "Accuracy", f"{accuracy} with TTA ({one_line(candidate.augmentation)}); without it: {plain}"


def _expected(candidate: Candidate) -> Iterator[tuple[str, str]]:
    found, took = candidate.expectation, candidate.schedule_seconds
    if found is None:
        if candidate.recipe:
            yield "Expected", f"no figure with a source says how long {candidate.recipe} takes on this device"
        return
    clock = CLOCKS[found.clock].label
    ends = f"{seconds(found.low_seconds, unit='')} to {seconds(found.high_seconds)} ({clock}) for the whole schedule"
    verdict = "how long these runs took is not known"
    if took is not None:
        median = " (median of the runs)" if candidate.planned > 1 else ""
        verdict = f"took {seconds(took)}{median}, as expected"
        if not found.low_seconds <= took <= found.high_seconds:
            how = "slower" if took > found.high_seconds else "faster"
            verdict = f"took {seconds(took)}{median}, {how} than expected: `make doctor` looks for a reason"
    yield f"Expected on {found.card}", f"{ends}; {verdict}; {found.reason}"


def body(candidate: Candidate) -> dict[str, Any]:
    """Return the same as plain values for JSON; null is not known, or no place."""
    rate, expected = candidate.success_rate, candidate.expectation
    return {
        "schema": 2,
        "result": candidate.title,
        "clock": candidate.clock,
        "target_percent": candidate.target_percent,
        "hardware": candidate.hardware,
        "framework": candidate.framework,
        "rule": candidate.rule,
        "planned": candidate.planned,
        "reached": candidate.reached,
        "not_counted": list(candidate.not_counted),
        "success_rate": rate.estimate,
        "success_low": rate.low,
        "success_high": rate.high,
        "chosen_seed": candidate.seed,
        "chosen_seconds": candidate.seconds,
        "chosen_wall_seconds": candidate.wall_seconds,
        "accuracy_percent": candidate.accuracy_percent,
        "test_time_augmentation": candidate.augmentation or None,
        "plain_accuracy_percent": candidate.plain_percent,
        "cost_per_hour_usd": candidate.cost_per_hour_usd,
        "time": None if candidate.by_time is None else asdict(candidate.by_time),
        "cost": None if candidate.by_cost is None else asdict(candidate.by_cost),
        "expected": None if expected is None else {
            "card": expected.card, "clock": CLOCKS[expected.clock].label, "low_seconds": expected.low_seconds,
            "high_seconds": expected.high_seconds, "schedule_seconds": candidate.schedule_seconds,
            "basis": expected.basis, "reason": expected.reason,
        },
        "board": [asdict(each) for each in rows(candidate)],
        "remarks": list(candidate.remarks),
        "note": f"{THE_BOARD} {_LATER}",
    }  # fmt: skip
