"""The published runs, the shipped recipes and ``resnet9/reproduced.json``, for the commands that need all three."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.analysis import evidence
from bench.checks import judged
from bench.errors import DataError
from bench.record import CAMPAIGN_FILE, Record, load_campaign, seed_folder
from resnet9 import recipe as recipes

CHECKOUT = Path(__file__).parents[2]
PUBLISHED = CHECKOUT / "results" / "published"
REPRODUCED_FILE = recipes.RECIPES_FILE.with_name("reproduced.json")


def shipped() -> dict[str, evidence.Published]:
    """Every recipe of ``recipes.json`` with its identity and its published accuracy."""
    return {name: _published(recipe) for name, recipe in recipes.load_all().items()}


def _published(recipe: recipes.Recipe) -> evidence.Published:
    accuracy = (recipe.published or {}).get("accuracy_percent")
    return evidence.Published(recipe.name, recipe.sha256, recipe.views, accuracy)


def published_runs(folder: Path = PUBLISHED) -> Iterator[tuple[str, Record]]:
    """The folder and the judged record of every run of the campaigns right under ``folder``.

    The campaigns of an ablation lie a level deeper, in its own folder: they are proxies, not recipes. Raises DataError
    where a record is damaged.
    """
    for file in sorted(folder.glob(f"*/{CAMPAIGN_FILE}")):
        for record in load_campaign(file.parent).records:
            if record.seed is not None:
                place = seed_folder(file.parent, record.seed)
                inside = place.relative_to(CHECKOUT) if place.is_relative_to(CHECKOUT) else place
                yield inside.as_posix(), judged(record)


def content(folder: Path = PUBLISHED) -> dict[str, Any]:
    """What ``reproduced.json`` has to hold, from the records alone."""
    return evidence.body(evidence.gather(published_runs(folder), shipped().values()))


def text(body: dict[str, Any]) -> str:
    """The file as it is written."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def notes(records: Sequence[Record]) -> list[str]:
    """What the summary of these judged runs has to say about their recipe being reproduced; most often nothing."""
    named = next((name for each in records if (name := each.recipe.get("name"))), None)
    try:
        known = json.loads(REPRODUCED_FILE.read_bytes())
    except (OSError, ValueError) as why:
        raise DataError(f"{REPRODUCED_FILE.name} cannot be read ({why}); type `python -m bench evidence`.") from None
    found = evidence.note(records, shipped().get(str(named)), known)
    return [] if found is None else [found]
