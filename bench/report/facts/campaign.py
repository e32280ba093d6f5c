"""The facts of a campaign, each phrased once: the console, Markdown and the page render this one list.

A fact that is not known is left out, a miss is infinite, and every time has its clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.analysis import config_diff, first_run, verdicts
from bench.analysis.frames import CONFIGURATION
from bench.errors import one_line
from bench.record import EVENTS_FILE, Record, StoredCampaign
from bench.record.clocks import CLOCKS
from bench.record.ticks import TelemetrySample
from bench.report.facts import HEADLINE, INVALID, NOTE, SUSPECT, Fact, machine, sentence
from bench.report.text import UNKNOWN, seconds

#: Fewer runs have no percentiles.
_PERCENTILES_FROM = 6
#: The rule whose note is shown before any number.
_SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Configuration:
    """The facts of one configuration's runs together; ``name`` is empty where the campaign has no other."""

    name: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class CampaignFacts:
    """What the formats render of a campaign: its facts, the tables they come from, and what only the page shows.

    ``tables`` are the frames of ``runs``, ``epochs`` and ``summary``; ``ticks`` are the telemetry samples by seed.
    """

    title: str
    records: Sequence[Record]
    tables: Mapping[str, pd.DataFrame]
    configurations: tuple[Configuration, ...]
    costs: tuple[Fact, ...]
    notes: tuple[Fact, ...]
    rank: tuple[Fact, ...] = ()
    campaign: StoredCampaign | None = None
    ticks: Mapping[int | None, Sequence[TelemetrySample]] = field(default_factory=dict)

    @property
    def alerts(self) -> tuple[Fact, ...]:
        """What a reader must know before any number."""
        synthetic = (each for each in self.notes if each.id == _SYNTHETIC)
        stated = (fact for each in self.configurations for fact in each.facts if fact.level in (SUSPECT, INVALID, NOTE))
        return (*synthetic, *stated)

    @property
    def findings(self) -> tuple[Fact, ...]:
        """The other notes, the worst first."""
        others = (each for each in self.notes if each.id != _SYNTHETIC)
        return tuple(sorted(others, key=lambda each: (INVALID, SUSPECT, NOTE).index(each.level)))


def of_campaign(
    records: Sequence[Record],
    tables: Mapping[str, pd.DataFrame],
    title: str = "",
    notes: Sequence[str] = (),
    *,
    planned: int | None = None,
    rank: Iterable[tuple[str, str]] = (),
    campaign: StoredCampaign | None = None,
    ticks: Mapping[int | None, Sequence[TelemetrySample]] | None = None,
) -> CampaignFacts:
    """Return the facts of judged records and the tables made of them.

    ``notes`` are further sentences about the campaign; ``rank`` are the lines of its place on the board, each with a
    label, or without one where it continues the line before.
    """
    summary = tables["summary"]
    known = [_verdict_note(each) for each in verdicts.shared(records)]
    further = (Fact("note", "Note", sentence(each), level=NOTE) for each in notes)
    return CampaignFacts(
        title,
        records,
        tables,
        of_summary(summary) if len(summary) else (Configuration("", (_no_run(planned),)),),
        tuple(machine.costs(tables["runs"])) if len(summary) else (),
        (*known, *_campaign_notes(records, summary, campaign), *further),
        _joined(rank),
        campaign,
        ticks or {},
    )


def of_summary(summary: pd.DataFrame) -> tuple[Configuration, ...]:
    """Return the facts of each configuration, from its row of the summary."""
    rows = [row for _, row in summary.iterrows()]
    return tuple(Configuration(_name(row) if len(rows) > 1 else "", tuple(_facts(row))) for row in rows)


def _name(row: Any) -> str:
    names = (row[key] for key in ("recipe", "dataset", "device", "precision", "input"))
    return one_line(", ".join(UNKNOWN if pd.isna(name) else str(name) for name in names))


def _no_run(planned: int | None) -> Fact:
    detail = "" if planned is None else f"{planned} planned"
    return Fact("empty", "Result", "no run has begun yet", detail, NOTE)


def _facts(row: Any) -> Iterator[Fact]:
    if row["runs"]:
        yield from _outcome(row)
        yield from _training(row)
        yield from machine.of_row(row)
    else:
        none = "no run has finished" if row["unfinished"] == row["planned"] else "no valid run"
        yield Fact("empty", "Result", none, "there is no time to report", NOTE)
    yield from _not_counted(row)
    if row["suspect"]:
        yield Fact("suspect", "Suspect", f"{row['suspect']} of {row['runs']} runs", "included in all figures", SUSPECT)


def _outcome(row: Any) -> Iterator[Fact]:
    """The time and the success rate; the rate comes first where a planned run did not reach the target."""
    target = f"{row['target_percent']:g} %"
    planned = " planned" if row["planned"] > row["runs"] else ""
    rate = (
        f"{100 * row['success_rate']:.0f} %, 95 % interval {100 * row['success_low']:.0f} to "
        f"{100 * row['success_high']:.0f} % (Wilson)"
    )
    reached = Fact("reached", f"Reached {target}", f"{row['reached']} of {row['planned']}{planned}", rate, HEADLINE)
    if row["reached"] == row["planned"]:
        yield from _times(row, target)
        yield reached
        return
    yield reached
    if row["reached"]:
        yield from _expected(row)
        yield from _times(row, target)
    else:
        yield Fact("time", f"Time to {target}", "not reached", "no run reached the target", HEADLINE)


def _times(row: Any, target: str) -> Iterator[Fact]:
    several = row["runs"] > 1 and not pd.isna(row["median_run_seed"])
    yield _time(row, target)
    if pd.isna(row["median_run_seconds"]):
        return
    which = f"seed {row['median_run_seed']}, the median run: " if several else ""
    compiled = row["median_run_compile_seconds"]
    parts = f"{seconds(row['median_run_seconds'])} plus {seconds(compiled)} of compilation"
    if pd.isna(compiled):
        parts = "no compilation was recorded"
    cold = seconds(row["median_run_cold_seconds"])
    yield Fact("cold", "Cold time", cold, f"{which}{parts}", HEADLINE, CLOCKS["dawnbench-cold"].label)
    wall = f"{which}process start to the evaluation that reached {target}"
    yield Fact("wall", "Wall clock", seconds(row["median_run_wall_seconds"]), wall, HEADLINE, CLOCKS["wall"].label)


def _time(row: Any, target: str) -> Fact:
    value = row["median_seconds"]
    if row["runs"] == 1:
        details = ["one run"]
    elif row["reached"] == row["runs"]:
        details = [f"median of {row['runs']} runs"]
    else:
        value = row["median_run_seconds"]
        every = "infinite" if row["median_seconds"] == math.inf else seconds(row["median_seconds"])
        reached = f"median run of the {row['reached']} that reached {target}"
        details = [reached, f"median of all {row['runs']} runs {every}, misses counted as infinite"]
    if not pd.isna(row["time_low_seconds"]):
        ends = f"{seconds(row['time_low_seconds'], unit='')} to {seconds(row['time_high_seconds'])}"
        of_all = " (fastest to slowest run)" if row["time_confidence_percent"] < 95 else ""
        whole = "" if row["reached"] == row["runs"] else " of all"
        details.append(f"{row['time_confidence_percent']:.4g} % interval of the median{whole} {ends}{of_all}")
    if row["runs"] >= _PERCENTILES_FROM and not pd.isna(row["quantile_10_seconds"]):
        ends = f"{seconds(row['quantile_10_seconds'], unit='')} to {seconds(row['quantile_90_seconds'])}"
        details.append(f"10th to 90th percentile {ends}")
    return Fact("time", f"Time to {target}", seconds(value), "; ".join(details), HEADLINE, row["clock"])


def _expected(row: Any) -> Iterator[Fact]:
    """The expected time to the first success, each miss followed by another run, at both ends of the success rate."""
    ways = (
        ("expected_wall", CLOCKS["wall"].label, "each retry in a new process"),
        ("expected_wall_same_process", CLOCKS["wall"].label, "retries in the same process"),
        ("expected", row["clock"], "without start, compilation and evaluation"),
    )
    label = "Expected time"
    for name, clock, how in ways:
        value, low, high = (row[f"{name}_{end}seconds"] for end in ("", "low_", "high_"))
        if pd.isna(value):
            continue
        interval = f"; {seconds(low, unit='')} to {seconds(high)} by the success rate's 95 % interval"
        detail = f"to the first success, {how}{'' if pd.isna(low) else interval}"
        yield Fact(name, label, seconds(value), detail, HEADLINE, clock)


def _training(row: Any) -> Iterator[Fact]:
    median = "" if row["runs"] == 1 else f"; median of {row['runs']} runs"
    if not pd.isna(row["accuracy_mean"]):
        single = pd.isna(row["accuracy_std"])
        spread = "" if single else f" ± {row['accuracy_std']:.2f}"
        details = ["one run" if single else "mean ± standard deviation"]
        if not pd.isna(row["accuracy_view"]) and row["accuracy_view"] != "plain":
            known = not pd.isna(row["plain_accuracy_mean"])
            without = f"{row['plain_accuracy_mean']:.2f} %" if known else "unknown"
            details.append(f"evaluated with TTA ({row['accuracy_view']}), {without} without TTA")
        yield Fact("accuracy", "Final accuracy", f"{row['accuracy_mean']:.2f}{spread} %", "; ".join(details), HEADLINE)
    work, clock = seconds(row["fixed_work_seconds"]), row["clock"]
    yield Fact("fixed_work", "Fixed work", work, f"whole schedule, target or not{median}", HEADLINE, clock)
    if not pd.isna(row["images_per_second"]):
        speed = f"{row['images_per_second']:,.0f} images/s"
        yield Fact("throughput", "Throughput", speed, f"training only{median}", HEADLINE)
    if not pd.isna(row["campaign_wall_seconds"]):
        whole = seconds(row["campaign_wall_seconds"])
        yield Fact("campaign", "Campaign", whole, "wall clock from its start to the end of its last run")


def _not_counted(row: Any) -> Iterator[Fact]:
    missing = row["planned"] - row["runs"]
    if not missing:
        return
    numbers = {"invalid": row["invalid"], "unfinished": row["unfinished"]}
    numbers["not run"] = missing - sum(numbers.values())
    kinds = ", ".join(f"{number} {kind}" for kind, number in numbers.items() if number)
    seeds = "" if pd.isna(row["not_counted"]) else f", seed {str(row['not_counted']).replace(';', ', ')}"
    rate = ", counted as not successful in the success rate" if row["runs"] else ""
    detail = f"{kinds}{seeds}; excluded from all times{rate}"
    yield Fact("not_counted", "Not counted", f"{missing} of {row['planned']} planned runs", detail, SUSPECT)


def _verdict_note(reason: verdicts.Shared) -> Fact:
    seeds = f"seed {', '.join(reason.seeds)}: " if reason.seeds else ""
    label = reason.level.capitalize()
    return Fact(reason.rule, label, sentence(f"{seeds}{reason.evidence}"), sentence(reason.advice), reason.level)


def _campaign_notes(
    records: Sequence[Record], summary: pd.DataFrame, campaign: StoredCampaign | None
) -> Iterator[Fact]:
    """What no single record knows."""
    if campaign is not None and campaign.without_events:
        absent = f"no {EVENTS_FILE} in {', '.join(campaign.without_events)}, so not in any table"
        yield Fact("no_events", "Note", sentence(absent), level=NOTE)
    if len(summary) > 1:
        values = {key: list(dict.fromkeys(summary[key].astype("string").fillna("unknown"))) for key in CONFIGURATION}
        differ = ", ".join(f"{key} ({', '.join(each)})" for key, each in values.items() if len(each) > 1)
        several = f"the runs are of {len(summary)} configurations, each with its own figures: {differ}"
        yield Fact("configurations", "Note", sentence(several), level=NOTE)
    keys = config_diff.conflicting_keys(records)
    if keys:
        yield Fact("mixed", "Note", sentence(mixed(keys)), level=NOTE)
    slow = first_run.slow(records)
    if slow is not None:
        warm_up = "although a warm-up run" if slow.warmed_up else "and no warm-up run"
        advice = "Try a pause between runs (IDLE=60) or another warm-up run." if slow.warmed_up else "Use WARMUP=1."
        longer = f"the first run, seed {slow.seed}, trained {slow.percent:.1f} % longer than the median run"
        yield Fact("slow_first_run", "Note", sentence(f"{longer}, an outlier, {warm_up} preceded it"), advice, NOTE)


def mixed(keys: Iterable[str], whose: str = "the runs") -> str:
    """Return why runs that differ in fingerprint keys are not one sample."""
    return f"{whose} differ in {', '.join(keys)}, so they are not one sample"


def _joined(lines: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    for label, words in lines:
        if label or not facts:
            facts.append(Fact("rank", label, words))
        else:
            facts[-1] = Fact("rank", facts[-1].label, f"{facts[-1].value}; {words}")
    return tuple(facts)
