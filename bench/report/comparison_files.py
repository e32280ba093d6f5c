"""The comparison of campaigns' folders, its files and its gate, for ``bench compare`` and ``bench ab``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from bench.analysis.comparison import Comparison, Side, compare
from bench.analysis.comparison_table import table
from bench.analysis.drift import ALLOWANCE_PERCENT
from bench.analysis.fixed_work import WHOLE_SCHEDULE, Work
from bench.errors import BenchError, UsageError
from bench.record import CAMPAIGN_FILE, CampaignFile, Record, load_campaign, replace_file
from bench.record.describe import describe
from bench.record.experiment import AB_FILE, SIDES, StoredAB, kind_of, read_experiment
from bench.report import html
from bench.report.ab import NOTHING
from bench.report.facts.comparison import of_comparison
from bench.report.formats import console, csv, markdown
from bench.rules import with_verdict
from bench.system.paths import PUBLISHED

TABLE_FILE, MARKDOWN_FILE, PAGE_FILE = "comparison.csv", "comparison.md", "report.html"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sides(folders: Sequence[Path]) -> list[Side]:
    """Return the sides that folders hold, named A, B, C in their order: one per campaign, two per A/B.

    `DIR,DIR,DIR` is one side of several campaigns. Raises DataError where a folder is neither or is damaged, UsageError
    where one is named twice.
    """
    places: list[tuple[tuple[Path, ...], str]] = []
    for together in map(_named, folders):
        kinds = {folder: kind_of(folder) for folder in together}
        for folder, kind in kinds.items():
            if kind is not None and kind is not StoredAB:
                raise UsageError(
                    f"{folder} is {kind.what}", f"name two campaigns in it, or run `bench report {folder}`"
                )
        ab = next((folder for folder, kind in kinds.items() if kind is StoredAB), None)
        if ab is None:
            places.append((together, ""))
        elif len(together) == 1:
            stored = read_experiment(ab, StoredAB)
            described = {"a": stored.a.words, "b": stored.b.words}
            places += [((ab / name,), described[name] or NOTHING) for name in SIDES]
        else:
            raise UsageError(f"{ab} is an A/B and has two sides", f"name {ab / 'a'} or {ab / 'b'}")
    seen: dict[Path, Path] = {}
    for folder in (each for together, _ in places for each in together):
        if folder.resolve() in seen:
            raise UsageError(f"{folder} is named twice", "name two campaigns")
        seen[folder.resolve()] = folder
    if len(places) > len(_LETTERS):
        raise UsageError(f"{len(places)} sides are more than a comparison shows ({len(_LETTERS)}).")
    return [_side(name, *place) for name, place in zip(_LETTERS, places, strict=False)]


def _named(argument: Path) -> tuple[Path, ...]:
    """Return the folders of an argument, separated by commas; a campaign's file stands for its folder."""
    several = [Path(each) for each in str(argument).split(",") if each]
    places = [argument] if argument.exists() or not several else several
    return tuple(each.parent if each.name in (CAMPAIGN_FILE, AB_FILE) and each.is_file() else each for each in places)


def work_of(folder: Path) -> Work:
    """Return how much of each run an A/B times. Raises DataError where ``ab.json`` is damaged."""
    stored = read_experiment(folder, StoredAB)
    return Work(stored.epochs, stored.left_out)


def _side(name: str, folders: Sequence[Path], described: str) -> Side:
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
    # The name of the folder only: the title is published, and the path is private.
    title = f"{described}; {describe(campaign)}" if described else f"{describe(campaign)}  ({folder.resolve().name})"
    return Side(
        name,
        title,
        tuple(map(with_verdict, campaign.records)),
        work_of(whole) if kind is StoredAB else WHOLE_SCHEDULE,
        campaign.without_events,
        campaign.seeds,
        interleaved_in=str(whole.resolve()) if kind else "",
    )


def _others(folders: Sequence[Path]) -> list[tuple[Record, ...]]:
    """Return the campaigns of the same recipes next to those that are compared, and the published ones.

    What cannot be read is skipped: it must not prevent a comparison of other folders.
    """
    compared = {folder.resolve() for each in folders for folder in _named(each)}
    kept = {folder.parent for folder in compared} | {PUBLISHED}
    recipes: dict[Path, str] = {}
    files = (file for folder in sorted(kept) for file in sorted(folder.glob(f"*/{CAMPAIGN_FILE}")))
    for place in [*compared, *(file.parent for file in files if file.is_file())]:  # Opening a pipe would block.
        with contextlib.suppress(BenchError, OSError):
            recipe = CampaignFile.read(place).configuration.recipe
            if isinstance(recipe, str):
                recipes[place.resolve()] = recipe
    wanted = {recipes[folder] for folder in compared if folder in recipes}
    found = []
    for place, recipe in recipes.items():
        if recipe in wanted and place not in compared:
            with contextlib.suppress(BenchError, OSError):
                found.append(tuple(map(with_verdict, load_campaign(place).records)))
    return found


def loaded(
    folders: Sequence[Path],
    tell_percent: float,
    *,
    different_work: bool = False,
    allowance_percent: float | None = None,
) -> Comparison:
    """Return the comparison of these folders. Raises as ``sides`` and ``bench.analysis.comparison.compare`` do.

    ``allowance_percent`` replaces the allowance for drift that is measured from other campaigns.
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
    console.write_comparison(of_comparison(comparison), out)


def text(comparison: Comparison, form: str) -> str:
    """Return the comparison as ``markdown`` or ``csv``."""
    if form == "markdown":
        return markdown.render_comparison(of_comparison(comparison))
    return csv.table_text(table(comparison), TABLE_FILE)


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.csv``, ``comparison.md`` and ``report.html``. Raises EnvironmentProblem for a full disk."""
    facts = of_comparison(comparison)
    csv.write_table(table(comparison), folder / TABLE_FILE)
    replace_file(folder / MARKDOWN_FILE, markdown.render_comparison(facts))
    html.write_comparison(folder / PAGE_FILE, facts)


def gate(comparison: Comparison, percent: float) -> tuple[int, str]:
    """Return the exit code of a gate and the reason, in a sentence.

    1 where a side is slower by more than ``percent``, where there are too few runs to detect that, or where a planned
    run of a side or the reference has no time that counts: a slow run that timed out, or a fast one that was deleted,
    must not let the gate pass.
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
        lost = ", ".join(missing)
        return 1, f"Gate failed: {lost} has no time, which can change the answer; run the same campaign again."
    passed = f"Gate passed: no side was found to be slower by more than {percent:g} %"
    highs = [each.effect.high_percent for each in comparison.versus]
    if any(map(math.isnan, highs)):
        return 0, f"{passed}, but no slowdown can be ruled out: too few runs for a 95 % interval."
    possible = [each for each in highs if each > percent]
    if possible:
        return 0, f"{passed}, but a slowdown of up to {max(possible):.2f} % cannot be ruled out."
    return 0, f"{passed}."
