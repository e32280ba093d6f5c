"""An ablation as text: what it will compare and can find, before it runs, and its table, for console and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import ablation, config_diff, welch
from bench.analysis.ablation import ACCURACY, THROUGHPUT, UNITS
from bench.record import Record, StoredAblation, Variant
from bench.report import terminal
from bench.report.facts import sentence
from bench.report.facts.campaign import mixed
from bench.report.formats.markdown import escaped
from bench.report.terminal import PLAIN_WIDTH
from bench.report.text import UNKNOWN, counted, seconds

Records = Mapping[str, Sequence[Record]]
_HEADER = ("technique", "epochs", "accuracy %", "seconds", "images/s", "difference", "p (Holm)", "answer")
STAND_IN = "The built-in stand-in checks the harness and answers nothing about CIFAR-10."
_MIDDLES = "Accuracy is a mean over the runs; seconds and images/s are medians, each over all runs, so not of one run."
#: Fewer significant digits than this would hide what the interval says.
_PLACES = {ACCURACY: 2, THROUGHPUT: 1}


def plan(stored: StoredAblation) -> list[str]:
    """Return lines to print before anything runs: what is compared, by how many runs, what difference they can find."""
    base = stored.variants[0]
    return [
        *([STAND_IN] if stored.configuration.get("dataset_state") == "synthetic" else ()),
        f"{stored.title}: {stored.question}",
        f"A declared proxy decides. {stored.proxy}",
        f"base: {base.recipe}, {counted(base.epochs, 'epoch')}, input {base.input}",
        *(_changed(each, base) for each in stored.comparisons),
        *statement(stored),
    ]


def statement(stored: StoredAblation) -> list[str]:
    """Return the size of the experiment and what it can find, one sentence or two a line."""
    n, m = len(stored.seeds), len(stored.comparisons)
    lines = [
        f"{len(stored.variants)} x {counted(n, 'run')}, one process each: every variant with seed "
        f"{', '.join(map(str, stored.seeds))} in turn, so that drift of the machine is no difference."
    ]
    for decides, spread in (
        (ACCURACY, f"{stored.spread_percent:g} points between seeds"),
        (THROUGHPUT, f"{100 * stored.throughput_spread:g} % between runs"),
    ):
        if any(each.decides == decides for each in stored.comparisons):
            lines.append(f"{_smallest(stored, decides, n, m)} The spread is declared: {spread}.")
    source = stored.spread_source.rstrip(".")
    return [
        *lines,
        f"Where the spread of accuracy comes from: {source}.",
        f"Differences are judged by Welch's t test, p-values by Holm's method over {_all(m)}: a finding is "
        "below 0.05. Intervals are 95 %, each by itself.",
    ]


def _all(comparisons: int) -> str:
    return "the one comparison" if comparisons == 1 else f"all {comparisons} comparisons"


def _smallest(stored: StoredAblation, decides: str, runs: int, comparisons: int) -> str:
    def size(level: float) -> str:
        return _amount(ablation.smallest_detectable(stored, decides, runs, runs, level), decides)

    what = "accuracy" if decides == ACCURACY else "images/s"
    begin = f"Smallest detectable difference of {what}"
    if runs < 2:
        return f"{begin}: none, one run has no spread."
    first = f", {size(welch.LEVEL / comparisons)} as the first of {comparisons} under Holm" if comparisons > 1 else ""
    chance = f"{100 * welch.POWER:g} % power at 5 %, two-sided"
    return f"{begin} with {runs} runs each ({chance}): {size(welch.LEVEL)} by itself{first}."


def _changed(variant: Variant, base: Variant) -> str:
    against = "" if variant.against == base.name else f" (against {variant.against})"
    decides = "" if variant.decides == ACCURACY else ", decided on images/s"
    return f"{variant.name}: {variant.technique}{against}{decides}: {'; '.join(variant.changes)}"


def render(
    stored: StoredAblation, frame: pd.DataFrame, records: Records, width: int = PLAIN_WIDTH, colour: bool = False
) -> str:
    """Return the table and its notes as text, no line longer than ``width`` (40 at least)."""
    lines, worded = notes(stored, frame, records), ("technique", "answer")
    return terminal.report(_HEADER, _cells(frame), lines, width, colour, left=worded, wrapped=worded)


def markdown(stored: StoredAblation, frame: pd.DataFrame, records: Records) -> str:
    """Return ``ablation.md``: the declaration, the table, its notes and what each variant changes."""
    rule = tuple("---" if each in ("technique", "answer") else "---:" for each in _HEADER)
    # What stands between technique and answer are numbers made here, some with a sign, which is no formula.
    rows = [(escaped(first), *numbers, escaped(last)) for first, *numbers, last in _cells(frame)]
    table = ["| " + " | ".join(row) + " |" for row in (_HEADER, rule, *rows)]
    base = stored.variants[0]
    changes = [f"- {escaped(_changed(each, base))}" for each in stored.comparisons]
    lines = [
        f"# {escaped(stored.title)}", "", escaped(stored.question), "",
        f"**A declared proxy decides.** {escaped(stored.proxy)}", "",
        *(f"- {escaped(line)}" for line in statement(stored)), "",
        *table, "",
        *(f"- {escaped(line)}" for line in notes(stored, frame, records)), "",
        f"The base is {escaped(base.recipe)} with input {escaped(base.input)}. What each variant changes:", "",
        *changes,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def notes(stored: StoredAblation, frame: pd.DataFrame, records: Records) -> list[str]:
    """Return what a reader of the table must know: data and machine, the spread seen, runs that do not count."""
    lines = [_provenance(stored, records), _MIDDLES]
    for decides in (ACCURACY, THROUGHPUT):
        seen = ablation.spread_seen(stored, records, decides)
        if math.isnan(seen) or not any(each.decides == decides for each in stored.comparisons):
            continue
        declared = stored.spread_percent if decides == ACCURACY else 100 * stored.throughput_spread
        size = _amount(seen if decides == ACCURACY else 100 * seen, decides)
        more = " more than declared, so less was detectable than was said;" if seen > _declared(stored, decides) else ""
        what = "accuracy" if decides == ACCURACY else "images/s"
        lines.append(f"Spread of {what} seen between seeds: {size};{more} declared {declared:g} {UNITS[decides]}.")
    missing = [row["variant"] for _, row in frame.iterrows() if row["runs"] < len(stored.seeds)]
    if missing:
        lines.append(f"Not all runs are there, or count, of {', '.join(missing)}.")
    return lines + _caveats([each for group in records.values() for each in group])


def _caveats(records: Sequence[Record]) -> list[str]:
    """Verdicts that are not clean, and machines or versions that differ."""
    lines = []
    suspect = [each.verdict for each in records if each.verdict and each.verdict.level == "suspect"]
    if suspect:
        rules = sorted({reason.rule for each in suspect for reason in each.reasons if reason.level == "suspect"})
        lines.append(f"{len(suspect)} of the {len(records)} runs are suspect: {', '.join(rules)}; see record.json.")
    differing = config_diff.conflicting_keys(records)
    if differing:
        lines.append(sentence(mixed(differing)))
    return lines


def _declared(stored: StoredAblation, decides: str) -> float:
    return stored.spread_percent if decides == ACCURACY else stored.throughput_spread


def _provenance(stored: StoredAblation, records: Records) -> str:
    configuration = stored.configuration
    run = next((each for group in records.values() for each in group if each.precision is not None), None)
    device = run.device.get("name") if run else configuration.get("device", "?")
    precision = run.precision if run else configuration.get("precision", "?")
    data, state = configuration.get("dataset", "?"), configuration.get("dataset_state", "?")
    named = data if data == state else f"{data} ({state})"
    machine = f"{device}, {precision}, {configuration.get('threads', '?')} threads"
    stand_in = f" {STAND_IN}" if data == "synthetic" else ""
    return f"Trained on {named}, {machine}; set {stored.set}, {stored.sha256[:12]}.{stand_in}"


def _cells(frame: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for _, row in frame.iterrows():
        yield (
            str(row["technique"]),
            f"{row['epochs']:g}",
            _with_interval(row, "accuracy_mean", "accuracy_low", "accuracy_high", "{:.2f}"),
            seconds(row["train_seconds"], unit=""),
            UNKNOWN if pd.isna(row["images_per_second"]) else f"{row['images_per_second']:,.0f}",
            _difference(row),
            UNKNOWN if pd.isna(row["p_holm"]) else _p(row["p_holm"]),
            UNKNOWN if pd.isna(row["answer"]) else str(row["answer"]),
        )


def _difference(row: Any) -> str:
    if pd.isna(row["unit"]):
        return UNKNOWN
    text = _with_interval(row, "difference", "difference_low", "difference_high", f"{{:+.{_PLACES[row['decides']]}f}}")
    return text if text == UNKNOWN else f"{text} {row['unit']}"


def _with_interval(row: Any, middle: str, low: str, high: str, form: str) -> str:
    if pd.isna(row[middle]):
        return UNKNOWN
    ends = "" if pd.isna(row[low]) else f" ({form.format(row[low])} to {form.format(row[high])})"
    return form.format(row[middle]) + ends


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _amount(value: float, decides: str) -> str:
    return f"{value:.{_PLACES[decides]}f} {UNITS[decides]}"
