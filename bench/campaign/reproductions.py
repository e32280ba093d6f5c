"""The published runs, the shipped recipes and ``resnet9/reproduced.json``, for the commands that need all three."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.analysis import epoch_curve, reliability
from bench.analysis import reproductions as published
from bench.analysis.reliability import Reliability
from bench.campaign import epoch_choice
from bench.errors import DataError
from bench.protocol import PREDICTIONS_FILE
from bench.record import CAMPAIGN_FILE, EVENTS_FILE, CampaignFile, Record, build_record_from, seed_folder
from bench.record.files import seed_of
from bench.record.hello import is_ours
from bench.rules import with_verdict
from bench.system import files as disk
from bench.system.paths import CHECKOUT
from resnet9 import recipe as recipes

#: A hundred times the number of test images.
_MOST_PREDICTION_BYTES = 1 << 20
PUBLISHED = CHECKOUT / "results" / "published"
REPRODUCED_FILE = recipes.RECIPES_FILE.with_name("reproduced.json")


def shipped() -> dict[str, published.Published]:
    """Return every recipe of ``recipes.json`` with its identity and its published accuracy."""
    return {name: _published(recipe) for name, recipe in recipes.load_all().items()}


def _published(recipe: recipes.Recipe) -> published.Published:
    accuracy = recipe.published.accuracy_percent if recipe.published else None
    return published.Published(recipe.name, recipe.sha256, recipe.views, accuracy)


def published_runs(folder: Path = PUBLISHED, deeper: bool = False) -> Iterator[published.Run]:
    """Return every seed of the campaigns in ``folder``, those planned and those with a folder.

    The campaigns of an ablation are a level ``deeper``: most are proxies, not recipes. Raises DataError for a damaged
    campaign.
    """
    for file in sorted(folder.rglob(CAMPAIGN_FILE) if deeper else folder.glob(f"*/{CAMPAIGN_FILE}")):
        campaign = CampaignFile.read(file.parent)
        # A run set aside, as `seed-003.failed-1`, does not count.
        there = (seed_of(each) for each in file.parent.glob("seed-*"))
        for seed in sorted({*campaign.seeds, *(seed for seed in there if seed is not None)}):
            place = seed_folder(file.parent, seed)
            inside = place.relative_to(CHECKOUT) if place.is_relative_to(CHECKOUT) else place
            yield published.Run(
                place=inside.as_posix(),
                seed=seed,
                configuration=campaign.configuration,
                planned=seed in campaign.seeds,
                record=with_verdict(build_record_from(place / EVENTS_FILE))
                if (place / EVENTS_FILE).is_file()
                else None,
                predictions=_bytes(place / PREDICTIONS_FILE),
                recipe_table=campaign.recipe,
            )


def _bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return disk.read_bytes(path, _MOST_PREDICTION_BYTES)
    return b""


def content(folder: Path = PUBLISHED) -> dict[str, Any]:
    """Return the content of ``reproduced.json``, from the records only."""
    runs = tuple(published_runs(folder))
    return published.body(published.gather(runs, shipped().values()), tuple(_own(tuple(published_runs(folder, True)))))


def _own(runs: Sequence[published.Run]) -> Iterator[Reliability]:
    """Yield the reliability of the shipped recipes for CIFAR-10 without a published source."""
    trained = {
        each.sha256: each for run in runs if (each := epoch_choice.recipe_of(run.configuration, run.recipe_table))
    }
    for recipe in recipes.load_all().values():
        others = epoch_choice.published(recipe)
        if recipe.published is not None or recipe.dataset != "cifar10" or not others:
            continue
        lengths = [each for each in trained.values() if epoch_choice.same_tricks(recipe, each)]
        found = {each.sha256: published.believed(runs, _published(each)) for each in lengths}
        points = [(each.epochs, one.epochs[-1].accuracy_percent) for each in lengths for one in found[each.sha256]]
        prediction = epoch_curve.fit(points, others).predict(recipe.epochs, recipe.target_percent)
        alike = [each for each in lengths if epoch_choice.same_training(recipe, each)]
        reached = [record.reached for each in alike for record in found[each.sha256]]
        reached += [False] * sum(published.without_result(runs, _published(each)) for each in alike)
        yield reliability.of(recipe.name, recipe.sha256, prediction, reached, others)


def text(body: dict[str, Any]) -> str:
    """Return the file's text."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def update() -> Iterator[str]:
    """Write ``reproduced.json`` from the published runs, and yield lines on its content."""
    body = content()
    disk.replace_file(REPRODUCED_FILE, text(body))
    own = {row["recipe"] for row in body["own"]}
    for row in (row for row in body["recipes"] if row["recipe"] not in own):
        word = "reproduced" if row["reproduced"] else "not reproduced"
        percent = "nothing" if row["published_percent"] is None else f"{row['published_percent']:g} %"
        runs = "1 run" if row["n"] == 1 else f"{row['n']} runs"
        left_out = "".join(f", left out {number} {how}" for how, number in row["left_out"].items())
        yield f"{row['recipe']}: {word}; {runs} give {row['mean_percent']:.2f} %, published is {percent}{left_out}."
    for row in body["own"]:
        rate, interval = reliability.texts(row["success"], row["success_low"], row["success_high"])
        may = f"no default: {row['shortfall']}" if row["shortfall"] else "may be a default"
        counted = f"{row['reached']} of {row['runs']} runs here reached the target"
        yield f"{row['recipe']}: success {row['basis']}, {rate} ({interval}); {counted}; {may}."
    if not body["recipes"]:
        yield "No run under results/published is of a shipped recipe on CIFAR-10."
    yield f"{REPRODUCED_FILE.relative_to(CHECKOUT)} is up to date; {body['rule']}; {body['own_rule']}."


def notes(records: Sequence[Record]) -> list[str]:
    """Return a summary's sentences on whether these runs reproduce their recipe; mostly none."""
    if not any(is_ours(each) for each in records):
        return []  # a recipe is what the built-in trainer trains
    named = next((name for each in records if (name := each.recipe.get("name"))), None)
    found = published.note(records, shipped().get(str(named)), _known())
    return [] if found is None else [found]


def _known() -> dict[str, Any]:
    """Return the content of ``reproduced.json``. Raises DataError if it is damaged."""
    named = {"recipe": str, "recipe_sha256": str}
    counted = {"success": float, "success_low": float, "success_high": float, "runs": int, "reached": int}
    keys = {"recipes": {**named, "reproduced": bool}, "own": {**named, **counted, "basis": str}}
    try:
        body: dict[str, Any] = json.loads(REPRODUCED_FILE.read_bytes())
        for table, kinds in keys.items():
            for row in body[table]:
                for key, kind in kinds.items():
                    if not isinstance(row[key], kind):
                        raise TypeError(f"`{key}` is not {kind.__name__}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as why:
        raise DataError(
            f"{REPRODUCED_FILE.name} cannot be read ({why!r:.100})", "type `python -m bench evidence`"
        ) from None
    return body
