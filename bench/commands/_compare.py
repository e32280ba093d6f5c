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
    from bench.record.ab import AB_FILE, SIDES, read_ab

    places: list[tuple[Path, str, Work | None]] = []
    for folder in folders:
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
    return Side(name, title, tuple(judged(record) for record in campaign.records), work or WHOLE_SCHEDULE)


def loaded(folders: Sequence[Path], tell_percent: float, *, different_work: bool = False) -> Comparison:
    """The comparison of what is in these folders. Raises as ``sides`` and ``bench.analysis.comparison.compare`` do."""
    from bench.analysis.comparison import compare

    return compare(sides(folders), tell_percent, different_work=different_work)


def show(comparison: Comparison, out: TextIO) -> None:
    """Print the comparison, as wide as ``out`` is."""
    from bench.output import comparison as shown
    from bench.output import console

    console.write(shown.render(comparison, console.terminal_width(), colour=out.isatty()), out)


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
    """The exit code of a gate and why, in a sentence: 1 where a side is slower by more than ``percent``, or where there
    are so few runs that it could not have been found.
    """
    from bench.analysis.comparison import NOT_ENOUGH

    slower = comparison.slower_than(percent)
    if slower:
        names = ", ".join(each.side.name for each in slower)
        return 1, f"The gate says no: {names} is slower than {comparison.sides[0].name} by more than {percent:g} %."
    unable = comparison.unable()
    if unable:
        names = ", ".join(each.side.name for each in unable)
        return 1, f"The gate says no: with so few runs of {names} or of its reference it could not fail; make 4 a side."
    passed = f"The gate lets pass: no side was found to be slower by more than {percent:g} %"
    unsure = [
        each for each in comparison.versus if each.effect.high_percent > percent and each.answer.kind == NOT_ENOUGH
    ]
    if unsure:
        most = max(each.effect.high_percent for each in unsure)
        return 0, f"{passed}, but {most:.1f} % could still be, with so few runs that spread so far."
    return 0, f"{passed}."


def percent(text: str) -> float:
    """``2%`` or ``2`` as 2.0. Raises UsageError for what is no positive number of per cent, or 0."""
    import math

    from bench.errors import UsageError

    try:
        value = float(text.strip().removesuffix("%").strip())
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{text!r} is no share in per cent; type 2% or 0.5%.")
    return value
