"""What campaigns' folders say beside each other: shared by ``bench compare`` and ``bench ab``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bench.analysis.comparison import Side, compare
from bench.analysis.comparison_table import table
from bench.analysis.drift import ALLOWANCE_PERCENT
from bench.analysis.fixed_work import WHOLE_SCHEDULE, Work
from bench.errors import BenchError, UsageError
from bench.record import CAMPAIGN_FILE, StoredCampaign, load_campaign, replace_file
from bench.record.describe import describe
from bench.record.experiment import AB_FILE, SIDES, StoredAB, kind_of, read_experiment
from bench.record.files import load_versioned
from bench.report import comparison as shown
from bench.report import console, html, tables
from bench.rules import with_verdict
from bench.system.paths import PUBLISHED

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison, Side
    from bench.analysis.fixed_work import Work
    from bench.record import Record

TABLE_FILE, MARKDOWN_FILE, PAGE_FILE = "comparison.csv", "comparison.md", "report.html"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sides(folders: Sequence[Path]) -> list[Side]:
    """The sides that folders hold, named A, B, C in their order: one a campaign, two an A/B.

    `DIR,DIR,DIR` is one side of several campaigns. Raises DataError where a folder is neither or is damaged, UsageError
    where one is named twice.
    """

    places: list[tuple[tuple[Path, ...], str]] = []
    for together in map(_named, folders):
        kinds = {folder: kind_of(folder) for folder in together}
        for folder, kind in kinds.items():
            if kind is not None and kind is not StoredAB:
                raise UsageError(f"{folder} is {kind.what}; name two campaigns in it, or type `bench report {folder}`.")
        ab = next((folder for folder, kind in kinds.items() if kind is StoredAB), None)
        if ab is None:
            places.append((together, ""))
        elif len(together) == 1:
            stored = read_experiment(ab, StoredAB)
            described = {"a": stored.a.words, "b": stored.b.words}
            places += [((ab / name,), described[name] or "nothing of its own") for name in SIDES]
        else:
            raise UsageError(f"{ab} is an A/B, which has two sides; name {ab / 'a'} or {ab / 'b'} as one of them.")
    seen: dict[Path, Path] = {}
    for folder in (each for together, _ in places for each in together):
        if folder.resolve() in seen:
            raise UsageError(f"{folder} is named twice; name two campaigns.")
        seen[folder.resolve()] = folder
    if len(places) > len(_LETTERS):
        raise UsageError(f"{len(places)} sides are more than a comparison shows ({len(_LETTERS)}).")
    return [_side(name, *place) for name, place in zip(_LETTERS, places, strict=False)]


def _named(argument: Path) -> tuple[Path, ...]:
    """The folders that an argument names, separated by commas; the name of a campaign's file is its folder."""
    several = [Path(each) for each in str(argument).split(",") if each]
    places = [argument] if argument.exists() or not several else several
    return tuple(each.parent if each.name in (CAMPAIGN_FILE, AB_FILE) and each.is_file() else each for each in places)


def work_of(folder: Path) -> Work:
    """How much of each run an A/B times. Raises DataError where ``ab.json`` is damaged."""
    stored = read_experiment(folder, StoredAB)
    return Work(stored.epochs, stored.left_out)


def _side(name: str, folders: Sequence[Path], described: str) -> Side:
    """A side of one campaign, or of several, which it holds one by one."""
    if len(folders) == 1:
        return _campaign(name, folders[0], described)
    campaigns = tuple(_campaign(name, folder, "") for folder in folders)
    return Side(
        name,
        f"{len(campaigns)} campaigns: {'; '.join(each.title for each in campaigns)}",
        tuple(record for each in campaigns for record in each.records),
        campaigns[0].work,
        tuple(missing for each in campaigns for missing in each.without_events),
        campaigns=campaigns,
    )


def _campaign(name: str, folder: Path, described: str) -> Side:

    whole = folder.absolute().parent  # Of one side of an A/B, which may be named by itself, or of another experiment.
    kind = kind_of(whole)
    campaign = load_campaign(folder)
    # By its last part: the title is published, and where results lie on a machine is nobody's business.
    title = f"{described}; {describe(campaign)}" if described else f"{describe(campaign)}  ({folder.resolve().name})"
    return Side(
        name,
        title,
        _judged(campaign.records),
        work_of(whole) if kind is StoredAB else WHOLE_SCHEDULE,
        campaign.without_events,
        campaign.seeds,
        interleaved_in=str(whole.resolve()) if kind else "",
    )


def _judged(records: Iterable[Record]) -> tuple[Record, ...]:

    return tuple(map(with_verdict, records))


def _others(folders: Sequence[Path]) -> list[tuple[Record, ...]]:
    """The campaigns next to those that are compared, and the published ones, of the same recipes; judged.

    What cannot be read is no reason to refuse a comparison of other folders: it is left out.
    """

    compared = {folder.resolve() for each in folders for folder in _named(each)}
    kept = {folder.parent for folder in compared} | {PUBLISHED}
    recipes: dict[Path, str] = {}
    files = (file for folder in sorted(kept) for file in sorted(folder.glob(f"*/{CAMPAIGN_FILE}")))
    for place in [*compared, *(file.parent for file in files if file.is_file())]:  # A pipe would be waited for.
        with contextlib.suppress(BenchError, OSError):
            recipe = load_versioned(StoredCampaign, place / CAMPAIGN_FILE).configuration.get("recipe")
            if isinstance(recipe, str):
                recipes[place.resolve()] = recipe
    wanted = {recipes[folder] for folder in compared if folder in recipes}
    found = []
    for place, recipe in recipes.items():
        if recipe in wanted and place not in compared:
            with contextlib.suppress(BenchError, OSError):
                found.append(_judged(load_campaign(place).records))
    return found


def loaded(
    folders: Sequence[Path],
    tell_percent: float,
    *,
    different_work: bool = False,
    allowance_percent: float | None = None,
) -> Comparison:
    """The comparison of what is in these folders. Raises as ``sides`` and ``bench.analysis.comparison.compare`` do.

    An allowance for drift that is given replaces one that other campaigns tell.
    """

    compared = sides(folders)
    return compare(
        compared,
        tell_percent,
        different_work=different_work,
        allowance_percent=ALLOWANCE_PERCENT if allowance_percent is None else allowance_percent,
        others=_others(folders) if allowance_percent is None else (),
    )


def show(comparison: Comparison, out: TextIO) -> None:
    """Print the comparison, as wide as ``out`` is."""
    console.write(shown.render(comparison, console.terminal_width(), colour=console.coloured(out)), out)


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.csv``, ``comparison.md`` and ``report.html``. Raises EnvironmentProblem for a full disk."""
    tables.write(table(comparison), folder / TABLE_FILE)
    replace_file(folder / MARKDOWN_FILE, shown.markdown(comparison))
    html.write_comparison(folder / PAGE_FILE, comparison)


def gate(comparison: Comparison, percent: float) -> tuple[int, str]:
    """The exit code of a gate and why, in a sentence.

    1 where a side is slower by more than ``percent``, where too few runs could not have shown it, or where one of its
    planned runs, or of the reference's, has no time that counts: a slow run that timed out, or a fast one that was
    deleted, must not open the gate.
    """
    slower = comparison.slower_than(percent)
    if slower:
        found = "; ".join(
            f"{each.side.name} takes {each.effect.estimate_percent:.2f} % longer than {each.reference.name} "
            f"(one-sided p = {each.effect.slower_holm:.2g})"
            for each in slower
        )
        return 1, f"Gate failed: {found}, more than {percent:g} %."
    timeless = [side.name for side in comparison.sides if not side.counted]
    if timeless:
        return 1, f"Gate failed: no run of {' and '.join(timeless)} has a time; run the same campaign again."
    unable = comparison.unable()
    if unable:
        few = " and ".join(each.side.name for each in unable)
        return 1, (
            f"Gate failed: too few runs to detect a regression of {few}: the smallest possible one-sided p-value is "
            f"{max(each.effect.comparisons * each.effect.smallest_p for each in unable):.2g}, and 0.05 is needed."
        )
    missing = [f"{run} of {side.name}" for side in comparison.sides for run in side.left_out]
    if missing:
        return (
            1,
            f"Gate failed: {', '.join(missing)} has no time, which can change the answer; run the same campaign again.",
        )
    passed = f"Gate passed: no side was found to be slower by more than {percent:g} %"
    highs = [each.effect.high_percent for each in comparison.versus]
    if any(map(math.isnan, highs)):
        return 0, f"{passed}, but no slowdown can be ruled out: so few runs have no 95 % interval."
    possible = [each for each in highs if each > percent]
    if possible:
        return 0, f"{passed}, but a slowdown of up to {max(possible):.2f} % cannot be ruled out."
    return 0, f"{passed}."
