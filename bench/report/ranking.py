"""Where a result would have stood, for people: its places, its neighbours, later records, what its card should do."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.ranking import Place, Ranking, Sample
from bench.dawnbench.board import BoardEntry, shown_cost, shown_time
from bench.dawnbench.candidate import Candidate
from bench.dawnbench.details import NO_AUGMENTATION
from bench.dawnbench.later import LaterRecord
from bench.errors import one_line
from bench.record.clocks import CLOCKS, HEADLINE
from bench.report import terminal
from bench.report.terminal import PLAIN_WIDTH
from bench.report.text import UNKNOWN, seconds

#: Neighbours shown around a place.
NEIGHBOURS = 5
THE_BOARD = (
    "The board closed in March 2020 and took one run of each entrant. Their clocks differ by seconds (start-up and "
    "preprocessing are inside some and outside others), so a difference of a few seconds is none."
)
LATER_CLOCKS = "Later records, none of them entered on the board, each by a clock of its own:"
#: What `dawnbench@1` leaves out (`bench.record.clocks`), as the later records' clocks are told.
OWN_LEFT_OUT = "start of the process, compiling on random data, every evaluation"
#: Of a narrow terminal these columns go, the first first.
_GIVE_WAY = ("submitted", "framework", "model", "what its clock leaves out", "date", "accuracy")
_OWN = "this result"
#: Of a result that has no place.
_ONE_RUN = "one run of this result"


def show(
    candidate: Candidate,
    ranking: Ranking[BoardEntry],
    board: Sequence[BoardEntry],
    later: Sequence[LaterRecord],
    out: TextIO,
    whole: bool = False,
) -> None:
    """Print the places to ``out``, as wide as it is; the ``whole`` board instead of the neighbours."""
    terminal.write(
        render(candidate, ranking, board, later, terminal.terminal_width(), whole, terminal.coloured(out)), out
    )


def render(
    candidate: Candidate,
    ranking: Ranking[BoardEntry],
    board: Sequence[BoardEntry],
    later: Sequence[LaterRecord],
    width: int = PLAIN_WIDTH,
    whole: bool = False,
    colour: bool = False,
) -> str:
    """The places as text in lines no longer than ``width`` (40 at least)."""
    made = Console(
        file=io.StringIO(), width=max(width, 40), force_terminal=colour, no_color=not colour, highlight=False
    )
    parts: list[RenderableType] = [Text(candidate.title), Text(), _labelled(lines(candidate, ranking))]
    for what, place in (("Time", ranking.single), ("Cost", ranking.cost)):
        if place is not None:
            without = "" if ranking.time is not None else ", with one run of a result that has no place on it"
            title = Text(f"{what} to 94 % on the board{without}", style="bold")
            parts += [Text(), title, _neighbours(made, candidate, ranking, place, whole)]
    if ranking.single is None and whole:
        rows = [_entry(each, rank) for rank, each in enumerate(board, start=1)]
        parts += [Text(), Text("The board", style="bold"), _fitted(made, rows)]
    if ranking.single is not None or whole:
        parts += [Text(), Text(LATER_CLOCKS), _later(made, candidate, ranking, later)]
    parts += [Text(), Text(THE_BOARD)]
    with made.capture() as capture:
        made.print(Group(*parts))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def ordinal(rank: int) -> str:
    """A rank in words: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def said(place: Place[Any]) -> str:
    """A place in words, with how many it is counted among and whether it is shared."""
    tie = f", tied with {place.tied}" if place.tied else ""
    return f"{ordinal(place.rank)} of {place.of}{tie}"


# --- The sentences ---


def lines(candidate: Candidate, ranking: Ranking[BoardEntry]) -> Iterator[tuple[str, Text]]:
    """What a result's places are, how they were counted and what to know of them, each with a word before it."""
    sample = ranking.sample
    if ranking.time is not None:
        value = ranking.time.value
        time = f"{seconds(value)} ({candidate.clock}), which it would show as {shown_time(value)}"
        yield "Time board", Text.assemble((said(ranking.time), "bold green"), f": {time}")
    elif sample.reached:
        missed = f"{_missed(sample)} {candidate.target_percent:g} %"
        yield "No place", Text(f"{missed}, so the median of all of them is infinite, and that has no place.", "yellow")
    else:
        every = "the run" if sample.runs == 1 else f"each of the {sample.runs} runs"
        yield "No place", Text(f"{every} missed {candidate.target_percent:g} %, and a miss has no place.", "yellow")
    if candidate.wall_seconds is not None and sample.reached:
        run = "" if sample.planned == 1 or sample.stated else f" (seed {sample.chosen_seed})"
        wall = f"{seconds(candidate.wall_seconds)} ({CLOCKS['wall'].label}) from process start to the evaluation that "
        yield "Wall clock", Text(f"{wall}reached {candidate.target_percent:g} %{run}, start and compilation included")
    yield from _accuracy(candidate)
    yield from _price(ranking)
    if sample.planned > 1 or not sample.reached:
        yield f"Reached {candidate.target_percent:g} %", Text(_rate(ranking))
    yield from _alone(candidate, ranking)
    if candidate.rule and sample.reached:
        yield "Counted is", Text(candidate.rule)
    yield from _expected(candidate, sample)
    yield from (("Note", Text(one_line(remark))) for remark in candidate.remarks)


def _accuracy(candidate: Candidate) -> Iterator[tuple[str, Text]]:
    """The accuracy that counts, and whether it was measured with test-time augmentation (TTA)."""
    if candidate.accuracy_percent is None:
        return
    with_views = f"{candidate.accuracy_percent:.2f} %"
    plain = "not known" if candidate.plain_percent is None else f"{candidate.plain_percent:.2f} %"
    if not candidate.augmentation:
        yield "Accuracy", Text(f"{with_views}; with or without test-time augmentation (TTA) is not said")
    elif candidate.augmentation.startswith(NO_AUGMENTATION):
        yield "Accuracy", Text(f"{with_views} without test-time augmentation (TTA)")
    else:
        how = f"with test-time augmentation ({one_line(candidate.augmentation)})"
        yield "Accuracy", Text(f"{with_views} {how}; without it: {plain}")


def _price(ranking: Ranking[BoardEntry]) -> Iterator[tuple[str, Text]]:
    if ranking.cost is not None:
        usd = ranking.cost.value
        exact = f"${usd:.4f}, which it would show as {shown_cost(usd)}"
        at = f"at ${ranking.cost_per_hour_usd:g} an hour"
        yield "Cost board", Text.assemble((said(ranking.cost), "bold green"), f": {exact}, {at}")
    elif ranking.time is not None:
        yield "Cost board", Text("no place without a price: --cost-per-hour X, US dollars on demand, the whole machine")


def _missed(sample: Sample) -> str:
    if sample.planned == sample.runs:
        return f"{sample.runs - sample.reached} of {sample.runs} runs missed"
    return f"{sample.planned - sample.reached} of {sample.planned} planned runs did not reach"


def _rate(ranking: Ranking[BoardEntry]) -> str:
    sample, rate = ranking.sample, ranking.sample.success_rate
    ends = f"95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %"
    share = f"{100 * rate.estimate:.0f} % ({ends})"
    if sample.planned == sample.runs:
        return f"{sample.reached} of {sample.runs}, {share}"
    if not sample.not_counted:
        return f"{sample.reached} of {sample.planned} planned, {share}"
    seeds = ", ".join(map(str, sample.not_counted))
    return f"{sample.reached} of {sample.planned} planned, {share}; no run that counts of seed {seeds}"


def _alone(candidate: Candidate, ranking: Ranking[BoardEntry]) -> Iterator[tuple[str, Text]]:
    """What single runs would have made, as the board took those; the best one is never called more than luck."""
    sample = ranking.sample
    if ranking.single is None or ranking.best is None or sample.planned == 1:
        return
    if sample.stated is not None:
        if ranking.time is None:
            yield "One run alone", Text(f"{said(ranking.single)}: {seconds(sample.chosen_seconds)} ({candidate.clock})")
        return
    if ranking.time is None:
        alone = f"{said(ranking.single)}: the median successful run, seed {sample.chosen_seed}, "
        yield "One run alone", Text(f"{alone}{seconds(sample.chosen_seconds)} ({candidate.clock})")
    best = f"{said(ranking.best)}: seed {sample.best_seed}, {seconds(sample.best_seconds)} ({candidate.clock})"
    yield "Best run", Text(f"{best}; one lucky run, which says little of the recipe")
    if not ranking.single.above:
        return
    next_above = ranking.single.above[-1]
    one, five = (sample.chance_to_beat(next_above.value, tries) for tries in (1, 5))
    if not math.isnan(one):
        beaten = f"{ordinal(next_above.rank)} place ({seconds(next_above.value)})"
        chances = f"beats the {beaten} with a chance of {_chance(one)}, the best of five with {_chance(five)}"
        yield "By luck", Text(f"one more run {chances}, by the spread and the misses of these")


def _chance(share: float) -> str:
    return "less than 1 %" if share < 0.01 else "more than 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _expected(candidate: Candidate, sample: Sample) -> Iterator[tuple[str, Text]]:
    told = candidate.expectation
    if told is None:
        if candidate.recipe:
            yield "Expected", Text(f"no figure with a source says how long {candidate.recipe} takes on this device")
        return
    clock = CLOCKS[told.clock].label
    range_ = f"{seconds(told.low_seconds, unit='')} to {seconds(told.high_seconds)} ({clock}) for the whole schedule"
    took = candidate.schedule_seconds
    if took is None:
        yield f"Expected on {told.card}", Text(f"{range_}; how long these runs took is not known; {told.reason}")
        return
    verdict, style = "as expected", ""
    if not told.low_seconds <= took <= told.high_seconds:
        verdict = "slower than expected" if took > told.high_seconds else "faster than expected"
        verdict, style = f"{verdict}: `make doctor` looks for a reason", "yellow"
    middle = "" if sample.runs == 1 else f" (median of {sample.runs} runs)"
    yield f"Expected on {told.card}", Text.assemble(f"{range_}; took {seconds(took)}{middle}, ", (verdict, style))
    yield "", Text(told.reason, style="dim")


# --- The tables ---

#: A row of a table: what each column says; a row of our own is marked.
Row = dict[str, str]


def _own_name(ranking: Ranking[BoardEntry]) -> str:
    return _OWN if ranking.time is not None else _ONE_RUN


def _neighbours(
    made: Console, candidate: Candidate, ranking: Ranking[BoardEntry], place: Place[BoardEntry], whole: bool
) -> Table:
    """The board around a place; ``whole`` for all of it. A tie stands below, with the same rank."""
    above, below = (place.above, place.below) if whole else place.around(NEIGHBOURS)
    own = {
        "place": ordinal(place.rank),
        "time": shown_time(ranking.sample.chosen_seconds),
        "cost": UNKNOWN if ranking.cost is None else shown_cost(ranking.cost.value),
        "author": _own_name(ranking),
        "hardware": candidate.hardware,
        "framework": candidate.framework,
        "model": candidate.model or candidate.recipe,
    }
    rows = [[_entry(each.entrant, each.rank) for each in side] for side in (above, below)]
    return _fitted(made, [*rows[0], own, *rows[1]], own)


def _entry(entry: BoardEntry, rank: int) -> Row:
    return {
        "place": ordinal(rank),
        "time": shown_time(entry.seconds),
        "cost": UNKNOWN if entry.cost_usd is None else shown_cost(entry.cost_usd),
        "submitted": f"{entry.submitted:%Y-%m}",
        "author": entry.author,
        "model": entry.model,
        "hardware": entry.hardware,
        "framework": entry.framework,
    }


def _later(made: Console, candidate: Candidate, ranking: Ranking[BoardEntry], later: Sequence[LaterRecord]) -> Table:
    """The later records by target and time, the result among those of its own target."""
    ordered = [(each.target_percent, each.seconds, _later_row(each)) for each in later]
    own = None
    if ranking.sample.reached:
        took = ranking.sample.chosen_seconds
        own_clock = f"{candidate.clock}: {OWN_LEFT_OUT}" if candidate.clock == HEADLINE.label else candidate.clock
        own = {
            "time": seconds(took),
            "target": f"{candidate.target_percent:g} %",
            "record": _own_name(ranking),
            "hardware": candidate.hardware,
            "accuracy": "",
            "what its clock leaves out": own_clock,
        }
        ordered.append((candidate.target_percent, took, own))
    return _fitted(made, [row for _, _, row in sorted(ordered, key=lambda each: each[:2])], own)


def _later_row(each: LaterRecord) -> Row:
    return {
        "time": f"{'< ' if each.bound else ''}{each.seconds:g} s",
        "target": f"{each.target_percent:g} %",
        "record": each.name,
        "hardware": each.hardware if each.framework.startswith("PyTorch") else f"{each.hardware}, {each.framework}",
        "accuracy": each.accuracy,
        "date": each.date or UNKNOWN,
        "what its clock leaves out": each.left_out,
    }


def _fitted(made: Console, rows: Sequence[Row], own: Row | None = None) -> Table:
    """A table of the rows, without the columns that a narrow terminal has no room for."""
    widest = max(rows, key=len)
    names = list(widest)
    for name in _GIVE_WAY:
        if 15 * len(names) <= made.width:
            break
        names = [each for each in names if each != name]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        figure = name in ("place", "time", "cost", "target")
        table.add_column(name, justify="right" if figure else "left", no_wrap=figure, overflow="fold")
    for row in rows:
        # The words of a pair or a trainer are a stranger's.
        table.add_row(*(Text(one_line(row.get(name, ""))) for name in names), style="bold" if row is own else "")
    return table


def _labelled(lines: Iterator[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, text)
    return table
