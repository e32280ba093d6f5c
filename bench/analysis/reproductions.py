"""Which recipes have been reproduced: accuracies of published runs compared with the authors' accuracies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from statistics import mean, stdev
from typing import Any

from bench.analysis import reliability
from bench.analysis.reliability import Reliability
from bench.record import Configuration, Record
from bench.rules.image import not_publishable

SCHEMA = 1
#: A recipe is reproduced when the mean accuracy of two runs or more is at most so many points below what was published
#: for it: the tolerance this project set. Seeds differ by a standard deviation of about 0.13 points (cifar10-fast 0.15,
#: 99991/cifar10-fast-simple 0.123, hiverge 0.132), so the mean of three runs of a faithful recipe stays within it in 98
#: of 100 cases.
TOLERANCE_PERCENT = 0.15
LEAST_RUNS = 2
RULE = (
    f"reproduced: at least {LEAST_RUNS} runs whose mean accuracy, in the recipe's view, is not more than "
    f"{TOLERANCE_PERCENT:g} points below the published one, and no seed of their campaigns that failed or is invalid"
)
#: Exclusions that do not count against a recipe: unavailable code, and copies of a run.
HARMLESS = ("not committed", "copy")
TEST_IMAGES, CLASSES = 10_000, 10
#: Decimals of a stored percentage: more than 10,000 images resolve.
_DECIMALS = 6


@dataclass(frozen=True)
class Published:
    """A shipped recipe: its identity, its ``view``, and the accuracy published by its authors, if any."""

    name: str
    sha256: str
    view: str
    accuracy_percent: float | None


@dataclass(frozen=True)
class Run:
    """A seed of a published campaign: its folder and what is in there.

    ``configuration`` and ``planned`` are what ``campaign.json`` says: what every run of it shares, and whether it names
    this seed. ``record`` has its verdict, and is None without events; ``predictions`` are the bytes of
    ``predictions.u8``, empty where there is none; ``recipe_table`` is the recipe as ``campaign.json`` keeps it.
    """

    place: str
    seed: int
    configuration: Configuration
    planned: bool
    record: Record | None
    predictions: bytes
    recipe_table: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reproduction:
    """What the runs of one recipe show. ``records`` are their folders, in order, and ``commits`` what they ran.

    ``left_out`` counts the seeds of the recipe's campaigns that are in none of the numbers, by how they ended.
    ``shortfall`` says why the runs are no reproduction, and is empty where they are one.
    """

    recipe: str
    recipe_sha256: str
    n: int
    mean_percent: float
    std_percent: float | None
    view: str
    device: str
    published_percent: float | None
    reproduced: bool
    shortfall: str
    records: tuple[str, ...]
    commits: tuple[str, ...]
    left_out: dict[str, int]


def counts(record: Record, recipe: Published) -> bool:
    """Return whether a record with a verdict is evidence of a recipe: a whole, valid run of it on CIFAR-10 that ends
    in an evaluation in the recipe's view.
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


def believed(runs: Iterable[Run], recipe: Published) -> list[Record]:
    """Return the records of published runs that are evidence of a recipe."""
    return [record for _, record in _sorted_out([run for run in runs if _is_of(run, recipe)], recipe)[0]]


def without_result(runs: Iterable[Run], recipe: Published) -> int:
    """Return the number of planned runs of a recipe that were not made or did not end."""
    planned = [run for run in runs if run.planned and _is_of(run, recipe)]
    return sum(_why_left_out(run, recipe) in ("not run", "failed", "timed out", "interrupted") for run in planned)


def gather(runs: Iterable[Run], recipes: Iterable[Published]) -> tuple[Reproduction, ...]:
    """Return what published runs show of the recipes that have any."""
    runs = sorted(runs, key=lambda run: run.place)
    found = []
    for recipe in recipes:
        own, left_out = _sorted_out([run for run in runs if _is_of(run, recipe)], recipe)
        if own:
            found.append(_evidence(recipe, own, left_out))
    return tuple(found)


def _is_of(run: Run, recipe: Published) -> bool:
    own = run.configuration
    return (own.recipe, own.recipe_sha256, own.dataset) == (recipe.name, recipe.sha256, "cifar10")


def _sorted_out(runs: Iterable[Run], recipe: Published) -> tuple[list[tuple[str, Record]], Counter[str]]:
    """Return the runs that count, and the number of others of each kind."""
    own: list[tuple[str, Record]] = []
    left_out: Counter[str] = Counter()
    known: set[Hashable] = set()
    for run in runs:
        why = _why_left_out(run, recipe)
        if run.record is None or why:
            left_out[why] += 1
            continue
        marks = {(run.record.utc, run.record.spawned_ns), run.predictions}
        if marks & known:
            left_out["copy"] += 1
        else:
            own.append((run.place, run.record))
        known |= marks
    return own, left_out


def _why_left_out(run: Run, recipe: Published) -> str:
    """Return why a seed is not evidence, in a word or two; empty if it is."""
    record = run.record
    if record is None:
        return "not run"
    if record.status != "done":
        return record.status.replace("_", " ")
    own_seed = run.planned and record.seed == record.claimed_seed == run.seed
    begun = record.utc is not None and record.spawned_ns is not None
    if not (own_seed and begun and counts(record, recipe) and _predicted(record, run.predictions)):
        return "invalid"
    committed = record.fingerprint.get("git.dirty") is False and record.fingerprint.get("git.commit")
    if not committed:
        return "not committed"
    return "image not known" if not_publishable(record) else ""


def _predicted(record: Record, predictions: bytes) -> bool:
    """Whether a run's predictions can be those that the harness counted for its last evaluation."""
    counted = [each for each in record.recounts if each.index == len(record.epochs) - 1]
    return (
        record.test_images == len(predictions) == TEST_IMAGES
        and max(predictions) < CLASSES
        and bool(counted)
        and counted[-1].predictions_sha256 in (None, sha256(predictions).hexdigest())
    )


def _evidence(recipe: Published, runs: Sequence[tuple[str, Record]], left_out: Mapping[str, int]) -> Reproduction:
    accuracies = [record.epochs[-1].accuracy_percent for _, record in runs]
    devices = dict.fromkeys(str(record.device.get("name") or record.device.get("kind")) for _, record in runs)
    middle = round(mean(accuracies), _DECIMALS)
    shortfall = _shortfall(recipe, len(runs), middle, left_out)
    return Reproduction(
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        n=len(runs),
        mean_percent=middle,
        std_percent=round(stdev(accuracies), _DECIMALS) if len(runs) > 1 else None,
        view=recipe.view,
        device=", ".join(devices),
        published_percent=recipe.accuracy_percent,
        reproduced=not shortfall,
        shortfall=shortfall,
        records=tuple(place for place, _ in runs),
        commits=tuple(dict.fromkeys(str(record.fingerprint["git.commit"]) for _, record in runs)),
        left_out=dict(sorted(left_out.items())),
    )


def _shortfall(recipe: Published, runs: int, mean_percent: float, left_out: Mapping[str, int]) -> str:
    """Why runs are no reproduction: the rule. What was never published cannot be reproduced."""
    if recipe.accuracy_percent is None:
        return "nothing is published"
    if runs < LEAST_RUNS:
        return "one run decides nothing"
    if not _is_near(mean_percent, recipe.accuracy_percent):
        return f"not within {TOLERANCE_PERCENT:g} points"
    lost = [f"{number} {how}" for how, number in left_out.items() if how not in HARMLESS]
    return f"seeds left out: {', '.join(lost)}" if lost else ""


def _is_near(mean_percent: float, published_percent: float) -> bool:
    return round(published_percent - mean_percent, _DECIMALS) <= TOLERANCE_PERCENT


def body(evidence: Sequence[Reproduction], own: Sequence[Reliability] = ()) -> dict[str, Any]:
    """Return the content of ``reproduced.json``; ``own`` are recipes without a published source."""
    found = [{**asdict(each), "records": list(each.records), "commits": list(each.commits)} for each in evidence]
    return {
        "schema": SCHEMA,
        "rule": RULE,
        "tolerance_percent": TOLERANCE_PERCENT,
        "recipes": found,
        "own_rule": reliability.RULE,
        "own": [_rounded(asdict(each)) for each in own],
    }


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, _DECIMALS) if isinstance(value, float) else value for key, value in row.items()}


def note(records: Sequence[Record], recipe: Published | None, known: Mapping[str, Any]) -> str | None:
    """Return the note on a campaign whose recipe is not reproduced, or None.

    The campaign's own runs decide if there are enough of them, else the evidence ``known`` (the content of
    ``reproduced.json``). ``recipe`` is the shipped one that the runs name, None where there is none.
    """
    trained = next((each for each in records if each.status == "done" and each.dataset.get("name") == "cifar10"), None)
    if trained is None:
        return None
    name = trained.recipe.get("name")
    if recipe is None or trained.recipe.get("sha256") != recipe.sha256:
        return f"not reproduced here: {name} is no recipe of this checkout as these runs trained it"
    if recipe.accuracy_percent is None:
        own = (row for row in known["own"] if (row["recipe"], row["recipe_sha256"]) == (name, recipe.sha256))
        return next(map(_success_note, own), f"not reproduced here: nothing is published for {name}")
    said = f"not reproduced here: {name} is published with {recipe.accuracy_percent:g} %"
    accuracies = [each.epochs[-1].accuracy_percent for each in records if counts(each, recipe)]
    if len(accuracies) >= LEAST_RUNS:
        if _is_near(middle := mean(accuracies), recipe.accuracy_percent):
            return None
        return f"{said}, and these {len(accuracies)} runs give {middle:.2f} %, not within {TOLERANCE_PERCENT:g} points"
    if any((row["recipe_sha256"], row["reproduced"]) == (recipe.sha256, True) for row in _rows(known, recipe.name)):
        return None
    return f"{said}, and it takes {LEAST_RUNS} runs or more to compare"


def _success_note(row: Mapping[str, Any]) -> str:
    rate, interval = reliability.texts(row["success"], row["success_low"], row["success_high"])
    if row["basis"] == reliability.COUNTED:
        counts = f"{row['reached']} of {row['runs']} published runs of {row['recipe']} reached its target"
        return f"{counts} ({rate}, 95 % interval {interval})"
    return (
        f"predicted, not counted: {rate} of runs of {row['recipe']} reach its target (95 % interval {interval}); "
        f"{row['reached']} of {row['runs']} published runs did; from {reliability.LEAST_COUNTED} on they are counted"
    )


def _rows(known: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    return (row for row in known["recipes"] if row["recipe"] == name)
