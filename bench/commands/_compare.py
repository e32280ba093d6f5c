"""What campaigns' folders say beside each other: shared by ``bench compare`` and ``bench ab``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison, Side
    from bench.analysis.fixed_work import Work

TABLE_FILE, MARKDOWN_FILE, PAGE_FILE = "comparison.csv", "comparison.md", "report.html"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sides(folders: Sequence[Path]) -> list[Side]:
    """The sides that folders hold, named A, B, C in their order: one a campaign, two an A/B.

    Raises DataError where a folder is neither or is damaged, UsageError where one is named twice.
    """
    from bench.errors import UsageError
    from bench.record import ABLATION_FILE, CAMPAIGN_FILE
    from bench.record.ab import AB_FILE, SIDES, read_ab
    from bench.record.stalls import STALLS_FILE

    places: list[tuple[Path, str, Work | None]] = []
    for named in folders:
        folder = named.parent if named.name in (CAMPAIGN_FILE, AB_FILE) and named.is_file() else named
        for file, what in ((ABLATION_FILE, "an ablation"), (STALLS_FILE, "a measurement of the input")):
            if (folder / file).is_file():
                raise UsageError(f"{folder} is {what}; name two campaigns in it, or type `bench report {folder}`.")
        if (folder / AB_FILE).is_file():
            stored = read_ab(folder)
            told = {"a": stored.a.words, "b": stored.b.words}
            places += [(folder / name, told[name] or "nothing of its own", work_of(folder)) for name in SIDES]
        else:
            places.append((folder, "", None))
    seen: dict[Path, Path] = {}
    for folder, _, _ in places:
        if folder.resolve() in seen:
            raise UsageError(f"{folder} is named twice; name two campaigns.")
        seen[folder.resolve()] = folder
    if len(places) > len(_LETTERS):
        raise UsageError(f"{len(places)} campaigns are more than a comparison shows ({len(_LETTERS)}).")
    return [_side(name, *place) for name, place in zip(_LETTERS, places, strict=False)]


def work_of(folder: Path) -> Work:
    """How much of each run an A/B times. Raises DataError where ``ab.json`` is damaged."""
    from bench.analysis.fixed_work import Work
    from bench.record.ab import read_ab

    stored = read_ab(folder)
    return Work(stored.epochs, stored.left_out)


def _side(name: str, folder: Path, told: str, work: Work | None) -> Side:
    from bench.analysis.comparison import Side
    from bench.analysis.fixed_work import WHOLE_SCHEDULE
    from bench.checks import judged
    from bench.commands.report import describe
    from bench.record import load_campaign
    from bench.record.ab import AB_FILE

    if work is None and (folder.absolute().parent / AB_FILE).is_file():
        work = work_of(folder.absolute().parent)  # One side of an A/B, named by itself.
    campaign = load_campaign(folder)
    # By its last part: the title is published, and where results lie on a machine is nobody's business.
    title = f"{told}; {describe(campaign)}" if told else f"{describe(campaign)}  ({folder.resolve().name})"
    records = tuple(judged(record) for record in campaign.records)
    return Side(name, title, records, work or WHOLE_SCHEDULE, campaign.without_events)


def loaded(folders: Sequence[Path], tell_percent: float, *, different_work: bool = False) -> Comparison:
    """The comparison of what is in these folders. Raises as ``sides`` and ``bench.analysis.comparison.compare`` do."""
    from bench.analysis.comparison import compare

    return compare(sides(folders), tell_percent, different_work=different_work)


def show(comparison: Comparison, out: TextIO) -> None:
    """Print the comparison, as wide as ``out`` is."""
    from bench.output import comparison as shown
    from bench.output import console

    console.write(shown.render(comparison, console.terminal_width(), colour=console.coloured(out)), out)


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.csv``, ``comparison.md`` and ``report.html``. Raises EnvironmentProblem for a full disk."""
    from bench.analysis.comparison_table import table
    from bench.output import comparison as shown
    from bench.output import page, tables
    from bench.record import replace_file

    tables.write(table(comparison), folder / TABLE_FILE)
    replace_file(folder / MARKDOWN_FILE, shown.markdown(comparison))
    page.write_comparison(folder / PAGE_FILE, comparison)


def gate(comparison: Comparison, percent: float) -> tuple[int, str]:
    """The exit code of a gate and why, in a sentence.

    1 where a side is slower by more than ``percent``, where that could not have been found, or where one of its runs
    took too long to have a time.
    """
    from bench.analysis.comparison import NOT_ENOUGH

    slower = comparison.slower_than(percent)
    if slower:
        names = ", ".join(each.side.name for each in slower)
        return 1, f"The gate says no: {names} is slower than {comparison.sides[0].name} by more than {percent:g} %."
    unable = comparison.unable()
    if unable:
        why = " ".join(each.answer.sentence for each in unable)
        return 1, f"The gate says no, as it could not fail: {why}"
    late = [each.side for each in comparison.versus if each.side.timed_out]
    if late:
        told = ", ".join(f"seed {seed} of {side.name}" for side in late for seed in side.timed_out)
        return 1, f"The gate says no: {told} took too long and was ended, so its time is in no figure."
    passed = f"The gate lets pass: no side was found to be slower by more than {percent:g} %"
    undecided = (each.effect for each in comparison.versus if each.answer.kind == NOT_ENOUGH)
    possible = [each.high_percent for each in undecided if each.high_percent > percent]
    if possible:
        return 0, f"{passed}, but {max(possible):.2f} % could still be, as far as the runs spread."
    return 0, f"{passed}."


def percent(text: str) -> float:
    """``2%`` or ``2`` as 2.0. Raises UsageError for what is no positive number of per cent, or 0."""
    import math
    import re

    from bench.errors import UsageError

    typed = text.strip().removesuffix("%").strip()
    value = float(typed) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", typed, re.ASCII) else math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{text!r} is no share in per cent; type 2% or 0.5%.")
    return value
