"""Which values of a recipe go together: what every key allows by itself and the whole cannot be is refused here."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

from resnet9.errors import RecipeError
from resnet9.recipe.keys import WIDTHS, LearningRate, Recipe
from resnet9.recipe.schema import is_number

#: Far beyond any rate in use, and with any group's factor still a number in float32.
_HIGHEST_RATE = 1e30
_SCHEDULE_EXAMPLE = 'write it as {"knots": [[0, 0.0], [5, 0.4], [24, 0.0]]}'


def checked_schedule(name: str, schedule: LearningRate) -> LearningRate:
    """The schedule of the recipe ``name``, its knots as tuples. Raises RecipeError for knots that are no schedule."""
    where, knots = f"recipe {name}: `learning_rate`", schedule.knots
    if (
        not isinstance(knots, (list, tuple))
        or not knots
        or not all(isinstance(k, (list, tuple)) and len(k) == 2 and all(map(is_number, k)) for k in knots)
    ):
        raise RecipeError(f"{where}: `knots` must be a list of [when, rate] pairs", _SCHEDULE_EXAMPLE)
    times = [k[0] for k in knots]
    if any(b <= a for a, b in pairwise(times)):
        raise RecipeError(f"{where}: the times of `knots` must increase, not {times}", _SCHEDULE_EXAMPLE)
    if any(k[1] < 0 for k in knots):
        raise RecipeError(f"{where}: a rate in `knots` is negative", _SCHEDULE_EXAMPLE)
    if any(k[1] > _HIGHEST_RATE for k in knots):
        raise RecipeError(f"{where}: a rate in `knots` is over {_HIGHEST_RATE:g}", _SCHEDULE_EXAMPLE)
    if schedule.unit == "run" and not all(0 <= time <= 1 for time in times):
        raise RecipeError(f"{where}: a share of the run in `knots` is outside 0 to 1", "give shares, or another `unit`")
    if schedule.per == "epoch" and schedule.unit != "epoch":
        raise RecipeError(f"{where}: a rate `per` epoch needs `unit` epoch", "leave `unit` out, or `per`")
    return replace(schedule, knots=tuple(map(tuple, knots)))


def check(recipe: Recipe) -> None:
    """Raise RecipeError, with recipe, key and fix, for the first rule that the recipe breaks."""
    for rule in (_sizes, _whitening, _groups, _muon, _layers, _average, _without_effect):
        rule(recipe, f"recipe {recipe.name}")


def _sizes(recipe: Recipe, where: str) -> None:
    stages = WIDTHS[recipe.net]
    if len(recipe.widths) != stages:
        raise RecipeError(
            f"{where}: `widths` has {len(recipe.widths)} numbers, and the net `{recipe.net}` has {stages} stages",
            f"give {stages} channel counts",
        )
    if recipe.ghost_batch is not None and recipe.batch % recipe.ghost_batch:
        raise RecipeError(
            f"{where}: `ghost_batch` {recipe.ghost_batch} does not divide the batch of {recipe.batch}",
            f"give a divisor of {recipe.batch}, or null",
        )


def _whitening(recipe: Recipe, where: str) -> None:
    whitening = recipe.whitening
    size = {"resnet9": 3, "air": 2}.get(recipe.net)
    if whitening is not None and whitening.size != size:
        kept = f"with `size` {size}" if size else "not at all"
        raise RecipeError(
            f"{where}: the net `{recipe.net}` takes `whitening` {kept}, not {whitening.size}", "change it"
        )
    if whitening is None and recipe.net == "air":
        raise RecipeError(f"{where}: the net `air` begins with a whitening layer", "give `whitening` with `size` 2")


def _groups(recipe: Recipe, where: str) -> None:
    if "whitening_bias" in recipe.groups and (recipe.whitening is None or not recipe.whitening.bias):
        raise RecipeError(
            f"{where}: `groups.whitening_bias` has no bias to belong to",
            "remove it, or give `whitening` with `bias` true",
        )
    for name, group in recipe.groups.items():
        if name != "whitening_bias" and (group.until_epochs is not None or group.fade):
            raise RecipeError(f"{where}: `groups.{name}` cannot be frozen", "only `whitening_bias` has `until_epochs`")
        if group.fade and group.until_epochs is None:
            raise RecipeError(f"{where}: `groups.{name}` fades and does not say when", "give `until_epochs`")


def _muon(recipe: Recipe, where: str) -> None:
    if recipe.muon is None:
        return
    if "filters" in recipe.groups:
        raise RecipeError(f"{where}: Muon trains the filters, so `groups.filters` has no use", "remove one of the two")
    if recipe.muon.renormalise[0] < 1:
        raise RecipeError(f"{where}: `muon.renormalise` begins with 0 steps", "give 1 or more, such as [1, 0]")


def _layers(recipe: Recipe, where: str) -> None:
    if recipe.residual and recipe.depth != 3:
        raise RecipeError(f"{where}: `residual` is over the last two of 3 layers", "give `depth` 3, or leave it out")
    rises = sum(1 for before, after in pairwise(recipe.widths) if after > before)
    if recipe.net == "plain8" and rises > 5:
        raise RecipeError(f"{where}: `widths` grows {rises} times, and each halves a map of 32", "let it grow 5 times")


def _average(recipe: Recipe, where: str) -> None:
    average = recipe.average
    if average is not None and average.decay == 1 and average.power == 0:
        raise RecipeError(f"{where}: `average` with a decay of 1 never moves", "give a `decay` below 1, or a `power`")


def _without_effect(recipe: Recipe, where: str) -> None:
    # A key without effect would make a variant that differs in nothing but its name.
    defaults = {each.name: each.default for each in fields(recipe)}
    for key, needed, there in (
        ("depth", "the net `air`", recipe.net == "air"),
        ("residual", "the net `air`", recipe.net == "air"),
        ("stem_activation", "the net `air`", recipe.net == "air"),
        ("celu_alpha", "an activation `celu`", "celu" in (recipe.activation, recipe.stem_activation)),
        ("views_share", "`views` flip or six", recipe.views != "plain"),
        ("views_weights", "`views` six", recipe.views == "six"),
    ):
        if not there and getattr(recipe, key) != defaults[key]:
            raise RecipeError(f"{where}: `{key}` has no effect without {needed}", "leave it out")
