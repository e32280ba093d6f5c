"""Runs of one network and one set of tricks at several lengths, gathered from results folders and published recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.analysis import epoch_curve, reproductions
from bench.analysis.epoch_curve import Published
from bench.errors import DataError, UsageError
from bench.record import CAMPAIGN_FILE, CampaignFile, Configuration, Record, StoredCampaign, load_campaign
from bench.report import epochs
from bench.rules import with_verdict
from resnet9 import recipe as recipes
from resnet9.recipe import Recipe, RecipeError

#: Fields in which two lengths of one recipe may differ: the schedule, and those outside the training.
_OF_A_LENGTH = frozenset({"name", "summary", "source", "published", "epochs", "learning_rate"})


@dataclass(frozen=True)
class Length:
    """The runs of one length that count, and those that do not."""

    recipe: str
    epochs: float
    records: tuple[Record, ...]
    left_out: int

    @property
    def accuracies(self) -> list[float]:
        """Return the final accuracies in percent, with the recipe's test-time augmentation."""
        return [each.epochs[-1].accuracy_percent for each in self.records]

    @property
    def reached(self) -> int:
        """Return the number of runs that reached the target."""
        return sum(each.reached for each in self.records)


def report(recipe: str, folders: Sequence[Path], default: Path, share: float, runs_only: bool) -> epochs.EpochReport:
    """Return the fit of the accuracy of ``recipe`` against its epochs, and the lengths with which ``share`` succeed.

    The runs are those under ``folders``, or under ``default`` where none are given; ``runs_only`` leaves out published
    accuracies and slopes. Raises UsageError where there is nothing to fit.
    """
    chosen = recipes.load(recipe)
    found = lengths(chosen, campaigns(folders or (default,)))
    others = () if runs_only else published(chosen)
    slope = None if runs_only else epoch_curve.SLOPE
    if not found and (folders or not others):
        raise UsageError(
            f"no run of {recipe} at any length is in {', '.join(map(str, folders)) or 'results/published'}",
            "name folders with such runs, made by `make bench`",
        )
    runs = [(each.epochs, accuracy) for each in found for accuracy in each.accuracies]
    curve = epoch_curve.fit(runs, others, slope)
    costs = epoch_curve.costs(record for each in found for record in each.records)
    epochs_seen = [each.epochs for each in found] + [each.epochs for each in others]
    choices = epoch_curve.choose(curve, chosen.target_percent, share, min(epochs_seen), costs)
    return epochs.EpochReport(
        recipe=recipe,
        target_percent=chosen.target_percent,
        share=share,
        measured=[
            epochs.Measured(each.recipe, each.epochs, each.accuracies, each.reached, each.left_out) for each in found
        ],
        published=others,
        slope=slope,
        curve=curve,
        costs=costs,
        choices=choices,
        shown_epochs=epoch_curve.shown(epochs_seen, [chosen.epochs, *(each.prediction.epochs for each in choices)]),
    )


def campaigns(folders: Sequence[Path]) -> list[StoredCampaign]:
    """Return the campaigns in or under these folders. Raises DataError for a damaged or missing one."""
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}", "give results folders, such as results/published")
    files = {file.resolve(): file for folder in folders for file in sorted(folder.rglob(CAMPAIGN_FILE))}.values()
    return [load_campaign(file.parent) for file in files]


def lengths(recipe: Recipe, found: Iterable[StoredCampaign]) -> tuple[Length, ...]:
    """Return the runs of campaigns whose recipe is ``recipe`` at some length, by length."""
    gathered: dict[float, tuple[str, list[Record], int]] = {}
    for campaign in found:
        other = recipe_of(campaign.configuration, campaign.recipe)
        if other is None or not same_tricks(recipe, other):
            continue
        identity = reproductions.Published(other.name, other.sha256, other.views, None)
        records = [with_verdict(each) for each in campaign.records]
        counted = [each for each in records if reproductions.counts(each, identity)]
        name, kept, left_out = gathered.get(other.epochs, (other.name, [], 0))
        seeds = {*campaign.seeds, *(each.seed for each in records)}
        gathered[other.epochs] = (name, kept + counted, left_out + len(seeds) - len(counted))
    return tuple(
        Length(name, epochs, tuple(_each_once(records)), left_out)
        for epochs, (name, records, left_out) in sorted(gathered.items())
        if records
    )


def _each_once(records: Iterable[Record]) -> Iterable[Record]:
    """Return the records without copies of the same run."""
    return {(each.utc, each.spawned_ns, each.seed): each for each in records}.values()


def same_tricks(one: Recipe, other: Recipe) -> bool:
    """Return whether two recipes differ only in length and learning rate schedule."""
    return _tricks(asdict(one)) == _tricks(asdict(other))


def same_training(one: Recipe, other: Recipe) -> bool:
    """Return whether two recipes train alike and differ at most in names and descriptions."""
    alike = (one.epochs, one.learning_rate) == (other.epochs, other.learning_rate)
    return alike and same_tricks(one, other)


def _tricks(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _OF_A_LENGTH}


def recipe_of(configuration: Configuration, table: Mapping[str, Any]) -> Recipe | None:
    """Return the recipe of a campaign, from its ``campaign.json`` or, for old files, from this checkout.

    None if neither is what the runs trained.
    """
    name = configuration.recipe
    if not table and name.rpartition(":")[0].endswith(".json"):
        return None  # No path named by a results folder is opened.
    try:
        found = recipes.from_table(table) if table else recipes.load(name)
    except RecipeError:
        return None
    return found if found.sha256 == configuration.recipe_sha256 else None


def recipe_table(campaign: CampaignFile) -> dict[str, Any]:
    """Return the whole table of a campaign's recipe, as it was run or, for an old campaign, as it is shipped.

    Empty if neither is known, as for a custom trainer.
    """
    found = None if campaign.recipe else recipe_of(campaign.configuration, {})
    return campaign.recipe if found is None else asdict(found)


def published(recipe: Recipe) -> tuple[Published, ...]:
    """Return the published accuracies, with a spread, of shipped recipes of the same network and tricks."""
    return tuple(
        Published(
            each.name,
            each.epochs,
            each.published.accuracy_percent,
            each.published.std_percent,
            each.published.n,
        )
        for each in recipes.load_all().values()
        if each.published is not None
        and each.published.std_percent is not None
        and each.published.n is not None
        and same_tricks(recipe, each)
    )
