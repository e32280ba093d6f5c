"""What a page says first: the figures of a campaign with their uncertainty, and the sentences behind its verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.analysis import frames, verdicts
from bench.analysis.effect import interval_text
from bench.analysis.figures import sides
from bench.record import Record, StoredCampaign
from bench.record.clocks import CLOCKS
from bench.report import console, machine_lines
from bench.report.comparison import how_compared
from bench.report.console import seconds

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison, Side, Versus

_NOTICES = {
    "note": "Note",
    "suspect": "Suspect",
    "invalid": "Invalid",
}


@dataclass(frozen=True)
class Card:
    """A figure of the headline: what it is, the number, the clock it is of, and how sure it is."""

    title: str
    value: str
    clock: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Said:
    """A sentence with the word before it: what it is about."""

    label: str
    sentence: str


@dataclass(frozen=True)
class Finding:
    """A finding of the rules, with what to do about it; ``level`` is its kind: note, suspect or invalid."""

    level: str
    title: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Configuration:
    """What one configuration's runs say together: its figures, and what the machine did in the terminal's words."""

    name: str
    cards: tuple[Card, ...]
    words: tuple[Said, ...]


@dataclass(frozen=True)
class Headline:
    """The head of a campaign's page. ``banner`` are its gravest sentences, ``empty`` says why there is no figure."""

    description: str
    banner: tuple[Finding, ...]
    configurations: tuple[Configuration, ...]
    findings: tuple[Finding, ...]
    costs: tuple[Said, ...]
    empty: str


def of_campaign(
    campaign: StoredCampaign,
    records: Sequence[Record],
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    notes: Sequence[str],
) -> Headline:
    """The head of the page of a campaign."""
    found = [_finding(each) for each in verdicts.shared(records)]
    found += [Finding("note", _NOTICES["note"], _sentence(note)) for note in notes]
    rows = [row for _, row in summary.iterrows()]
    return Headline(
        description=_description(campaign, records),
        banner=tuple(_banner(campaign, records)),
        configurations=tuple(_configuration(row, len(rows) > 1) for row in rows if row["runs"]),
        findings=tuple(reversed(found)),
        costs=tuple(Said(label, text.plain) for label, text in console.costs(runs)),
        empty="" if any(row["runs"] for row in rows) else _why_empty(campaign, records),
    )


@dataclass(frozen=True)
class Answered:
    """What a comparison answers of one side: the kind of answer, its sentence, and the effect in numbers."""

    kind: str
    sentence: str
    effect: str


@dataclass(frozen=True)
class SideHead:
    """One side of a comparison: its name, what it is, and its figures."""

    name: str
    title: str
    configurations: tuple[Configuration, ...]
    empty: str


@dataclass(frozen=True)
class Compared:
    """The head of a comparison's page."""

    answers: tuple[Answered, ...]
    how: str
    notes: tuple[Finding, ...]
    sides: tuple[SideHead, ...]


def of_comparison(comparison: Comparison) -> Compared:
    """The head of the page of a comparison: the answer of every side after the first, against the first."""
    return Compared(
        answers=tuple(
            Answered(each.answer.kind, _sentence(each.answer.sentence), _effect(each)) for each in comparison.versus
        ),
        how=_how(comparison),
        notes=tuple(Finding("note", _NOTICES["note"], _sentence(each)) for each in comparison.notes),
        sides=tuple(_side(each) for each in comparison.sides),
    )


def _how(comparison: Comparison) -> str:
    what = "the same work" if sides.same_work(comparison.sides) else sides.OWN_WORK
    return (
        f"Compared is fixed work ({comparison.work}): training time of {what}, target or not. A difference of "
        f"{comparison.tell_percent:g} % is of interest. Test, estimate and interval are of ranks, at 5 %, two-sided."
    )


def _side(side: Side) -> SideHead:

    summaries = [frames.summary(frames.runs(each.records), each.plan) for each in side.campaigns or (side,)]
    rows = [row for summary in summaries for _, row in summary.iterrows()]
    configurations = tuple(_configuration(row, len(rows) > 1) for row in rows if row["runs"])
    return SideHead(side.name, side.title, configurations, "" if configurations else _why_no_figure(side))


def _why_no_figure(side: Side) -> str:
    epochs = side.work.epochs
    if epochs is None or not side.counted:
        return "No finished run counts."
    ended = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    return f"Each run was ended after {ended}, so it has no time to the target."


def _effect(versus: Versus) -> str:
    effect = versus.effect
    if math.isnan(effect.estimate_percent):
        return "no effect can be estimated"
    chance = "" if math.isnan(effect.p_holm) else f", two-sided p = {effect.p_holm:.2g}"
    return f"{effect.estimate_percent:+,.2f} % time, {interval_text(effect)}{chance}; {how_compared(versus)}"


def _finding(found: verdicts.Shared) -> Finding:
    everywhere = f"seed {', '.join(found.seeds)}: " if found.seeds else ""
    title = _NOTICES.get(found.level, found.level)
    return Finding(found.level, title, _sentence(f"{everywhere}{found.evidence}"), _sentence(found.advice))


def _banner(campaign: StoredCampaign, records: Sequence[Record]) -> Iterator[Finding]:
    """What must be known before any number is read."""
    finished = [each for each in records if each.status == "done"]
    if any(each.dataset.get("name") == "synthetic" for each in records):
        yield Finding("note", "No CIFAR-10 result", _sentence(verdicts.SYNTHETIC))
    for level, then in (
        ("invalid", "in no time, and not successful in the success rate"),
        ("suspect", "in the figures, and marked"),
    ):
        seeds = [str(each.seed) for each in finished if each.verdict and each.verdict.level == level]
        if seeds:
            found = f"{len(seeds)} of {len(finished)} finished runs, seed {', '.join(seeds)}: {then}."
            yield Finding(level, _NOTICES[level], found)
    hows: dict[int | None, str] = dict.fromkeys(campaign.seeds, "not made")
    hows |= {each.seed: each.status for each in records}
    lost = {seed: how.replace("_", " ") for seed, how in hows.items() if how != "done"}
    if lost:
        names = ", ".join(f"seed {seed} {how}" for seed, how in lost.items())
        told = f"{names}, of {len(campaign.seeds)} planned: in no time, and not successful in the success rate."
        yield Finding("suspect", "Not finished", told)


def _why_empty(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    if not records:
        return f"No run of this campaign has begun yet; {len(campaign.seeds)} are to be made."
    if not any(each.status == "done" for each in records):
        return "No run of this campaign has finished, so there is no time to tell."
    return "No run of this campaign is to be believed, so there is no time to tell; the reasons are below."


def _description(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    asked = campaign.configuration
    run = next((each for each in records if each.precision is not None), None)
    dataset, state = asked.get("dataset", "?"), asked.get("dataset_state", "?")
    device = run.device.get("name") or run.device.get("kind") if run else asked.get("device", "?")
    parts = [
        f"{asked.get('recipe', '?')} on {dataset if dataset == state else f'{dataset} ({state})'}",
        str(device),
        str(run.precision if run else asked.get("precision", "?")),
        f"input {run.input if run else asked.get('input', '?')}",
        f"{len(campaign.seeds)} seed{'' if len(campaign.seeds) == 1 else 's'}",
    ]
    return ", ".join(parts)


def _configuration(row: Any, several: bool) -> Configuration:
    names = (row[key] for key in ("recipe", "dataset", "device", "precision", "input"))
    words = facts((label, text.plain) for label, text in machine_lines.lines(row))
    name = ", ".join("-" if pd.isna(each) else str(each) for each in names) if several else ""
    return Configuration(name, tuple(_cards(row)), words)


def facts(lines: Iterable[tuple[str, str]]) -> tuple[Said, ...]:
    """Sentences with a word before each; one without goes on from the one before it."""
    said: list[Said] = []
    for label, sentence in lines:
        if label or not said:
            said.append(Said(label, sentence))
        else:
            said[-1] = Said(said[-1].label, f"{said[-1].sentence}; {sentence}")
    return tuple(said)


def _cards(row: Any) -> Iterator[Card]:
    target = f"{row['target_percent']:g} %"
    rate = f"{100 * row['success_rate']:.0f} %"
    ends = f"{100 * row['success_low']:.0f} to {100 * row['success_high']:.0f} %"
    every = row["reached"] == row["planned"]
    expected = None if every or not row["reached"] else console.expected_text(row)
    details = (f"{rate}, 95 % interval {ends} (Wilson)", console.left_out_text(row), expected)
    reached = Card(f"Reached {target}", console.reached_text(row), "", "; ".join(filter(None, details)))
    # What happened comes first: a campaign in which some runs succeeded is not one that missed.
    times = [_time_card(row, target)] if row["reached"] else []
    yield from [*times, reached] if every else [reached, *times]
    if not pd.isna(row["median_run_seconds"]):
        run = "one run" if row["runs"] == 1 else f"seed {row['median_run_seed']}, the median run"
        compiling = f"{run}; of which compilation {seconds(row['median_run_compile_seconds'])}"
        yield Card("Cold", seconds(row["median_run_cold_seconds"]), CLOCKS["dawnbench-cold"].label, compiling)
        wall = f"{run}; from the start of its process to the evaluation that reached {target}"
        yield Card("Wall clock", seconds(row["median_run_wall_seconds"]), CLOCKS["wall"].label, wall)
    whole = "the whole schedule, target or not; median"
    yield Card("Fixed work", seconds(row["fixed_work_seconds"]), row["clock"], whole)
    if not pd.isna(row["accuracy_mean"]):
        spread = "" if pd.isna(row["accuracy_std"]) else f" ± {row['accuracy_std']:.2f}"
        view = "" if pd.isna(row["accuracy_view"]) else f", {row['accuracy_view']} view"
        told = "one run" if row["runs"] == 1 else "mean ± standard deviation"
        viewed = not pd.isna(row["plain_accuracy_mean"]) and row["accuracy_view"] != "plain"
        plain = f"; plain {row['plain_accuracy_mean']:.2f} %" if viewed else ""
        yield Card("Final accuracy", f"{row['accuracy_mean']:.2f}{spread} %", "", f"{told}{view}{plain}")
    if not pd.isna(row["images_per_second"]):
        yield Card("Speed", f"{row['images_per_second']:,.0f} images/s", "", "training alone; median of the runs")


def _time_card(row: Any, target: str) -> Card:
    value, middle = console.median_texts(row)
    details = [middle]
    if (interval := console.interval_text(row)) is not None:
        details.append(interval)
    return Card(f"Time to {target}", value, row["clock"], "; ".join(details))


def _sentence(words: str) -> str:
    printable = "".join(each if each.isprintable() else " " for each in words).strip()
    if not printable:
        return ""
    return f"{printable[0].upper()}{printable[1:].rstrip('.')}."
