"""Which recipes have been reproduced: the accuracies of published runs beside what a recipe's authors published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from bench.record import Record

SCHEMA = 1
#: A recipe is reproduced when the mean accuracy of two runs or more is at most so many points below what was published
#: for it: the tolerance this project set. Seeds differ by a standard deviation of about 0.13 points (cifar10-fast 0.15,
#: 99991/cifar10-fast-simple 0.123, hiverge 0.132), so the mean of three runs of a faithful recipe stays within it in 98
#: of 100 cases.
TOLERANCE_PERCENT = 0.15
LEAST_RUNS = 2
RULE = (
    f"reproduced: at least {LEAST_RUNS} runs whose mean accuracy, in the recipe's view, is not more than "
    f"{TOLERANCE_PERCENT:g} points below the published one"
)
#: Decimals of a stored percentage: beyond what 10,000 images can tell, so that rounding decides nothing.
_DECIMALS = 6


@dataclass(frozen=True)
class Published:
    """A shipped recipe: its identity, the ``view`` it is judged in, and the accuracy its authors give, if any."""

    name: str
    sha256: str
    view: str
    accuracy_percent: float | None


@dataclass(frozen=True)
class Evidence:
    """What the runs of one recipe show. ``records`` are their folders, in order."""

    recipe: str
    recipe_sha256: str
    n: int
    mean_percent: float
    std_percent: float | None
    view: str
    device: str
    published_percent: float | None
    reproduced: bool
    records: tuple[str, ...]


def counts(record: Record, recipe: Published) -> bool:
    """Whether a judged record is evidence for a recipe: a whole run of exactly this recipe on CIFAR-10 that is to be
    believed, ending in an evaluation in the recipe's own view.
    """
    return (
        record.finished_schedule
        and record.verdict is not None
        and record.verdict.level != "invalid"
        and record.dataset.get("name") == "cifar10"
        and record.dataset.get("state") in ("canonical", "unverified")
        and record.recipe.get("name") == recipe.name
        and record.recipe.get("sha256") == recipe.sha256
        and record.epochs[-1].view == recipe.view
    )


def gather(runs: Iterable[tuple[str, Record]], recipes: Iterable[Published]) -> tuple[Evidence, ...]:
    """What runs (the folder and the judged record of each) show of the recipes, those without any left out."""
    runs = sorted(runs, key=lambda run: run[0])
    found = []
    for recipe in recipes:
        own = [(place, record) for place, record in runs if counts(record, recipe)]
        if own:
            found.append(_evidence(recipe, own))
    return tuple(found)


def _evidence(recipe: Published, runs: Sequence[tuple[str, Record]]) -> Evidence:
    accuracies = [record.epochs[-1].accuracy_percent for _, record in runs]
    devices = dict.fromkeys(str(record.device.get("name") or record.device.get("kind")) for _, record in runs)
    middle = round(mean(accuracies), _DECIMALS)
    return Evidence(
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        n=len(runs),
        mean_percent=middle,
        std_percent=round(stdev(accuracies), _DECIMALS) if len(runs) > 1 else None,
        view=recipe.view,
        device=", ".join(devices),
        published_percent=recipe.accuracy_percent,
        reproduced=is_reproduced(len(runs), middle, recipe.accuracy_percent),
        records=tuple(place for place, _ in runs),
    )


def is_reproduced(runs: int, mean_percent: float, published_percent: float | None) -> bool:
    """The rule. What was never published cannot be reproduced."""
    if published_percent is None or runs < LEAST_RUNS:
        return False
    return round(published_percent - mean_percent, _DECIMALS) <= TOLERANCE_PERCENT


def body(evidence: Sequence[Evidence]) -> dict[str, Any]:
    """The content of ``reproduced.json``: the rule, and what was found, a table a recipe."""
    found = [{**asdict(each), "records": list(each.records)} for each in evidence]
    return {"schema": SCHEMA, "rule": RULE, "tolerance_percent": TOLERANCE_PERCENT, "recipes": found}


def note(records: Sequence[Record], recipe: Published | None, known: Mapping[str, Any]) -> str | None:
    """What to say beside the times of a campaign whose recipe is not reproduced, neither by its own judged runs nor by
    the evidence ``known`` (the content of ``reproduced.json``); None where there is nothing to say.

    ``recipe`` is the shipped one that the runs name, None where there is none.
    """
    trained = next((each for each in records if each.status == "done" and each.dataset.get("name") == "cifar10"), None)
    if trained is None:
        return None
    name = trained.recipe.get("name")
    if recipe is None or trained.recipe.get("sha256") != recipe.sha256:
        return f"not reproduced here: {name} is no recipe of this checkout as these runs trained it"
    if recipe.accuracy_percent is None:
        return f"not reproduced here: nothing is published for {name}"
    rows = [row for row in known.get("recipes", ()) if row["recipe"] == name and row["reproduced"]]
    own = gather([("", each) for each in records], [recipe])
    if any(row["recipe_sha256"] == recipe.sha256 for row in rows) or any(each.reproduced for each in own):
        return None
    said = f"not reproduced here: {name} is published with {recipe.accuracy_percent:g} %"
    if not own or own[0].n < LEAST_RUNS:
        return f"{said}, and it takes {LEAST_RUNS} runs or more to compare"
    return f"{said}, and these {own[0].n} runs give {own[0].mean_percent:.2f} %, not within {TOLERANCE_PERCENT:g}"
