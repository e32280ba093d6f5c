"""A campaign or a DAWNBench pair as a candidate for the board, with its positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis import censored, config_diff
from bench.analysis.censored import Interval
from bench.analysis.ranking import Position, position
from bench.dawnbench import board, claims, entry, expected, publish
from bench.dawnbench.details import NO_AUGMENTATION
from bench.dawnbench.expected import Expectation
from bench.dawnbench.findings import printable
from bench.dawnbench.pair import SUFFIXES, TARGET_PERCENT, TEST_IMAGES
from bench.errors import DataError, Refused, UsageError, one_line
from bench.record import CAMPAIGN_FILE, Record, StoredCampaign, holds, load_campaign
from bench.record.clocks import CLOCKS, HEADLINE, fixed_work_seconds, to_target_seconds
from bench.record.describe import describe
from bench.record.experiment import StoredStalls, kind_of, read_experiment
from bench.record.model import PLAIN
from bench.rules import with_verdict
from bench.rules.image import not_publishable

_SYNTHETIC = (
    "was trained on the synthetic dataset, which is not a CIFAR-10 result and has no position; type `make bench "
    "RECIPE=speedrun` for one that has."
)
_UNVERIFIED = (
    "the data was a copy of CIFAR-10 not verified against the official archive, so this is the standing "
    "of an unverified result; `make data` fetches and verifies one"
)
#: The clock of a pair that does not name one.
_CLOCK_UNSAID = "the pair's own clock, which it does not name"
_RULE = (
    "the median successful run, of an even count the slower of the two middle ones, as `bench entry` chooses it; a "
    "place needs more than half of the planned runs to succeed"
)


@dataclass(frozen=True)
class Candidate:
    """A result and what a reader of its position must know.

    ``seconds`` is the time of the run that ``rule`` selected (``seed``; None for a pair), on ``clock``; None if no run
    reached the target. Of ``planned`` runs ``reached`` did; ``not_counted`` are seeds without a counted run.
    ``schedule_seconds`` is the time of the whole schedule on the clock of ``expectation``, ``wall_seconds`` from
    process start to the evaluation that reached the target. ``accuracy_percent`` is the accuracy there, measured with
    the test-time ``augmentation`` (`none` for none, empty where it is not known), ``plain_percent`` without it.
    ``cost_per_hour_usd`` is of the whole machine.
    """

    title: str
    clock: str
    target_percent: float
    hardware: str
    framework: str
    model: str
    planned: int
    reached: int
    seconds: float | None
    rule: str
    seed: int | None = None
    not_counted: tuple[int, ...] = ()
    cost_per_hour_usd: float | None = None
    remarks: tuple[str, ...] = ()
    recipe: str = ""
    expectation: Expectation | None = None
    schedule_seconds: float | None = None
    wall_seconds: float | None = None
    accuracy_percent: float | None = None
    augmentation: str = ""
    plain_percent: float | None = None

    @property
    def has_a_time(self) -> bool:
        """Return whether more than half of the planned runs reached the target: a finite median."""
        return 2 * self.reached > self.planned

    @property
    def success_rate(self) -> Interval:
        """Return the share of the planned runs that reached the target, with Wilson's 95 % interval."""
        return censored.success_rate(self.reached, self.planned)

    @property
    def cost_usd(self) -> float | None:
        """Return the price of the counted time; None without a time or a price."""
        return None if self.seconds is None else board.cost_usd(self.seconds, self.cost_per_hour_usd)

    @property
    def by_time(self) -> Position | None:
        """Return the position on the time board; None without a time."""
        if self.seconds is None or not self.has_a_time:
            return None
        return position(self.seconds, (each.seconds for each in board.entries()))

    @property
    def by_cost(self) -> Position | None:
        """Return the position on the cost board; None without a time or a price."""
        if self.cost_usd is None or not self.has_a_time:
            return None
        return position(self.cost_usd, (each.cost_usd for each in board.entries()))


def of(path: Path, cost_per_hour: float | None) -> Candidate:
    """Return the candidate at ``path``: a campaign's folder, or the .json or .tsv of a DAWNBench pair or its folder.

    ``cost_per_hour`` overrides what was claimed. Raises DataError for what is damaged or no result, UsageError for
    several results in one, Refused for a result that has no place whatever its time.
    """
    claims.check(cost_per_hour=cost_per_hour)
    if path.suffix in SUFFIXES and path.name != CAMPAIGN_FILE:
        return _of_pair(path, cost_per_hour)
    folder = path.parent if path.name == CAMPAIGN_FILE else path
    kind = kind_of(folder)
    if kind is StoredStalls:
        raise UsageError(f"{printable(folder)} measures an input and ends its runs early", "name a campaign's folder")
    if kind is not None:
        one = printable(folder / read_experiment(folder, kind).arms[0])
        raise UsageError(f"{printable(folder)} is {kind.what} of several campaigns", f"name one, such as {one}")
    if not folder.exists():
        raise DataError(f"there is no {printable(path)}", "give a campaign's folder, such as one under results/")
    if holds(folder, CAMPAIGN_FILE):
        campaign = load_campaign(folder)
        records = tuple(with_verdict(record) for record in campaign.records)
        return of_campaign(campaign, records, campaign.claims.price if cost_per_hour is None else cost_per_hour)
    try:
        found = board.only_pair(folder)
    except DataError:
        raise DataError(
            f"{printable(path)} is neither a campaign (it has no {CAMPAIGN_FILE}) nor holds a DAWNBench pair",
            "give one of the folders under results/",
        ) from None
    return _of_pair(found, cost_per_hour)


# --- A campaign ---


def of_campaign(campaign: StoredCampaign, records: Sequence[Record], cost_per_hour: float | None) -> Candidate:
    """Return the candidate of a loaded campaign and its records with verdicts.

    Raises Refused for one that has no place whatever its time.
    """
    publish.require_planned(records, campaign.seeds, str(campaign.folder))
    counted = _counted(records, campaign)
    times = _times(counted)
    one = counted[0]
    recipe = one_line(str(one.recipe.get("name", "")))
    expectation, took = _expected(counted)
    seed = entry.choose(times)
    chosen = next((each for each in counted if each.seed == seed), None)
    return Candidate(
        # Only the last part of the path is published.
        title=one_line(f"{campaign.folder.resolve().name}: {describe(campaign)}"),
        clock=HEADLINE.label,
        target_percent=one.target_percent or TARGET_PERCENT,
        hardware=campaign.claims.hardware or str(one.device.get("name") or ""),
        framework=one.framework or "",
        model=recipe,
        planned=len({*campaign.seeds, *times}),
        reached=sum(math.isfinite(each) for each in times.values()),
        seconds=None if seed is None else times[seed],
        rule=_RULE if len(campaign.seeds) > 1 else "",
        seed=seed,
        not_counted=tuple(sorted({*campaign.seeds} - {*times})),
        cost_per_hour_usd=cost_per_hour,
        remarks=(*_remarks(counted, len(campaign.seeds)), *_circular(expectation, campaign.folder)),
        recipe=recipe,
        expectation=expectation,
        schedule_seconds=took,
        wall_seconds=None if chosen is None else to_target_seconds(CLOCKS["wall"], chosen),
        **({} if chosen is None else _accuracy(chosen)),
    )


def _accuracy(chosen: Record) -> dict[str, Any]:
    """Return the accuracy of a run at its target and how it was measured, as fields of ``Candidate``."""
    crossing = chosen.crossing
    if crossing is None:
        return {}
    plain = chosen.plain(crossing)
    return {
        "accuracy_percent": crossing.accuracy_percent,
        "augmentation": NO_AUGMENTATION if crossing.view == PLAIN else f"{one_line(crossing.view)} views",
        "plain_percent": None if plain is None else plain.accuracy_percent,
    }


def _counted(records: Sequence[Record], campaign: StoredCampaign) -> list[Record]:
    """Return the runs that count, one process each, finished and not invalid. Raises Refused for none."""
    folder = campaign.folder
    if campaign.configuration.dataset == "synthetic" or any(
        each.dataset.get("state") == "synthetic" for each in records
    ):
        raise Refused(f"{folder} {_SYNTHETIC}")
    done = [each for each in records if each.status == "done"]
    if not done:
        raise Refused(f"no run in {folder} is finished, so there is no time to rank", "`make bench` finishes it")
    alone = [each for each in done if (each.runs or 1) == 1 and each.seed is not None and each.epochs]
    if not alone:
        raise Refused(f"the runs in {folder} share a process, so none has a time of its own", "`make bench` makes such")
    counted = [each for each in alone if each.verdict and each.verdict.level != "invalid"]
    if not counted:
        raise Refused(
            f"every run in {folder} is invalid and has no place", f"`python -m bench report {folder}` says why"
        )
    for each in counted:
        if each.dataset.get("state") not in ("canonical", "unverified"):
            raise Refused(f"seed {each.seed} in {folder} was not trained on CIFAR-10, which is what the board is of.")
        if each.target_percent is None or each.target_percent < TARGET_PERCENT:
            raise Refused(
                f"the target in {folder} was {each.target_percent} %, and the board is of times to {TARGET_PERCENT} %",
                f"run it again with a recipe, or TARGET, of {TARGET_PERCENT}",
            )
        if any(evaluation.total != TEST_IMAGES for evaluation in each.epochs):
            raise Refused(
                f"seed {each.seed} in {folder} was not evaluated on all {TEST_IMAGES:,} test images, as entries are."
            )
    return counted


def _times(counted: Sequence[Record]) -> dict[int, float]:
    """Return the time to the target on the headline clock by seed; a miss is infinite."""
    found = {each.seed: to_target_seconds(HEADLINE, each) for each in counted}
    for seed, seconds in found.items():
        if seconds is None or not seconds > 0:
            shown = "no time" if seconds is None else f"{seconds} s"
            raise DataError(f"the clock of seed {seed} shows {shown} at its target, so its record is damaged.")
    return {seed: seconds for seed, seconds in found.items() if seed is not None and seconds is not None}


def _remarks(counted: Sequence[Record], planned: int) -> Iterator[str]:
    if any(each.dataset.get("state") == "unverified" for each in counted):
        yield _UNVERIFIED
    suspect = [str(each.seed) for each in counted if each.verdict and each.verdict.level == "suspect"]
    if suspect:
        yield f"suspect: seed {', '.join(suspect)}; `python -m bench report DIR` says why, and what to do about it"
    against = next((why for each in counted if (why := not_publishable(each)) is not None), None)
    if against is not None:
        yield f"not to be published: {against}"
    differing = config_diff.conflicting_keys(counted)
    if differing:
        yield f"the runs differ in {', '.join(differing)}, so they are no one sample"
    left = planned - len(counted)
    if left:
        yield (
            f"left out: {left} of {planned} planned runs, not made, unfinished, invalid or several to a process; to "
            "the place each is a miss"
        )
    target = counted[0].target_percent
    if target is not None and target > TARGET_PERCENT:
        yield f"the times are to {target:g} %, so the place among times to {TARGET_PERCENT} % is the worst it can be"
    if len(counted) == 1:
        yield "one run shows no spread: type SEEDS=5 to measure success rate and variation"


def _expected(counted: Sequence[Record]) -> tuple[Expectation | None, float | None]:
    """Return the expectation for the recipe on its device, and the median time of the schedule on its clock."""
    one = counted[0]
    name, device = str(one.recipe.get("name", "")), one.device
    found = expected.of(name, str(device.get("kind", "")), str(device.get("name", "")), one.threads)
    if found is None:
        return None, None
    schedule = [fixed_work_seconds(CLOCKS[found.clock], each) for each in counted]
    median = censored.median([each for each in schedule if each is not None])
    return found, None if math.isnan(median) else median


def _circular(expectation: Expectation | None, folder: Path) -> Iterator[str]:
    if expectation is not None and folder.absolute().name in expectation.source:
        yield "what is expected of this card comes from this very campaign, so that it is met says nothing"


# --- A pair ---


def _of_pair(path: Path, cost_per_hour: float | None) -> Candidate:
    scored = board.score(path)
    if scored.data_state == "synthetic":
        raise Refused(f"{printable(scored.path)} {_SYNTHETIC}")
    if scored.hours is None:
        raise Refused(f"{printable(scored.path)} never reached 94 %, so the board would not have taken it.")
    remarks = [_UNVERIFIED] if scored.data_state == "unverified" else []
    reached, planned = scored.runs_reached_of_planned or (1, 1)
    return Candidate(
        title=f"{printable(scored.path.name)}: {one_line(scored.model)} by {one_line(scored.author)}",
        clock=one_line(scored.clock) or _CLOCK_UNSAID,
        target_percent=TARGET_PERCENT,
        hardware=scored.hardware,
        framework=scored.framework,
        model=scored.model,
        planned=planned,
        reached=reached,
        seconds=board.seconds_of(scored.hours),
        rule="the pair's first row at 94 % or more" + (f" ({one_line(scored.selection)})" * bool(scored.selection)),
        cost_per_hour_usd=scored.cost_per_hour_usd if cost_per_hour is None else cost_per_hour,
        remarks=(*remarks, "a pair has one run; the times of other runs are not known"),
        accuracy_percent=scored.accuracy_percent,
        augmentation=scored.augmentation,
        plain_percent=scored.plain_percent,
    )
