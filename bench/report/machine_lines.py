"""How steady the machine was and what it did, in lines of the summary: the card and its energy, the CPUs, the input,
and the sampler's price.

A line is left out where nothing is known; a dataset that rests on the device has no stalls, which is not 0 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.text import Text

_AT_REST = "not applicable: the dataset rests on the device"


def lines(row: Any) -> Iterator[tuple[str, Text]]:
    """The lines of one configuration, from its row of the summary."""
    yield from _steadiness(row)
    watched = not pd.isna(row["gpu_role"]) and row["gpu_role"] != "trains"
    card = [_card(row, watched), _energy(row, watched)]
    for label, text in zip(("GPU", ""), filter(None, card), strict=False):
        yield label, Text(text)
    if not pd.isna(row["cost_to_target_usd"]):
        middle = "one run" if row["runs"] == 1 else f"median of {row['runs']}, misses infinite"
        cost = f"{dollars(row['cost_to_target_usd'])} for the whole machine on demand; {middle}"
        yield f"Cost to {row['target_percent']:g} %", Text(cost)
    if not pd.isna(row["trainer_cpu_cores"]):
        others = row["other_cpu_cores"]
        beside = "" if pd.isna(others) else f", {others:.2f} by everything else"
        busy = f"{row['trainer_cpu_cores']:.2f} cores kept busy by the trainer{beside}"
        yield "CPU", Text(f"{busy} ({_medians(row)})")
    stalls = _stalls(row)
    if stalls:
        yield "Input stalls", Text(stalls)


def _steadiness(row: Any) -> Iterator[tuple[str, Text]]:
    spread = row["fixed_work_spread_percent"]
    if pd.isna(spread):
        return
    runs = row["runs_for_1_percent_difference"]
    low, high = (row[f"runs_for_1_percent_difference_{end}"] for end in ("low", "high"))
    until = "more" if pd.isna(high) else f"{high:,}"
    needed = (
        "" if pd.isna(runs) else f"; to detect 1 % takes about {runs:,} runs a side (95 % interval {low:,} to {until})"
    )
    yield "Steadiness", Text(f"training time of one run spreads by {spread:.2f} % (standard deviation){needed}")
    if not pd.isna(row["outliers"]):
        seeds = str(row["outliers"]).replace(";", ", ")
        yield "", Text(f"seed {seeds} stands out from the others (modified z-score) and is in all figures")


def _card(row: Any, watched: bool) -> str:
    forms = (
        ("gpu_utilisation_percent", "busy {:.0f} %"),
        ("gpu_power_watts", "{:.0f} W"),
        ("sm_clock_mhz", "{:,.0f} MHz"),
    )
    parts = [form.format(row[name]) for name, form in forms if not pd.isna(row[name])]
    role = "; it was watched and did not train" if watched else ""
    return f"{', '.join(parts)} ({_medians(row)}){role}" if parts else ""


def _medians(row: Any) -> str:
    """What figures of the machine that stand side by side are: of one run, or each with a middle run of its own."""
    return "medians of training" if row["runs"] == 1 else f"medians of training, each over {row['runs']} runs"


def _energy(row: Any, watched: bool) -> str:
    if pd.isna(row["energy_joules"]):
        return ""
    uncertain = row["energy_uncertainty_joules"]
    spread = "" if pd.isna(uncertain) else f" ± {joules(uncertain)}"
    steps = "" if pd.isna(uncertain) else ", ± the steps of the counter"
    to_target = row["energy_to_target_joules"]
    which = "" if row["runs"] == 1 else f" (median of {row['runs']}, misses infinite)"
    reached = "" if pd.isna(to_target) else f", {joules(to_target)} J to {row['target_percent']:g} %{which}"
    whose = ", of the watched card and not of the training" if watched else ""
    return f"{joules(row['energy_joules'])}{spread} J a run ({row['energy_basis']}{steps}){reached}{whose}"


def _stalls(row: Any) -> str:
    if not pd.isna(row["input"]) and row["input"] == "device":
        return _AT_REST
    if pd.isna(row["stall_share"]):
        return ""
    share = f"{100 * row['stall_share']:.1f} % of training after the first epoch"
    return f"{share} was spent waiting for batches (median of the runs)"


def joules(value: float) -> str:
    """An amount of energy, or its uncertainty, as people read it: ``16,100``, ``85.3``, ``0.4`` or ``inf``."""
    if math.isinf(value):
        return "inf"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def dollars(value: float) -> str:
    """A price as DAWNBench's board shows it, to the nearest cent; one below a cent shows what it is."""
    if math.isinf(value):
        return "inf"
    return f"${value:,.2f}" if value >= 0.005 else f"${value:.2g}"


def sampler(runs: pd.DataFrame) -> str:
    """What watching the machine cost, for the line about the harness; empty where nothing watched it."""
    cost_us, late_ms = runs["sampler_tick_median_us"].max(), runs["sampler_late_max_ms"].max()
    if pd.isna(cost_us):
        return ""
    late = "" if pd.isna(late_ms) else f", at most {late_ms:.1f} ms late"
    missed = runs["sampler_missed"].sum()
    late += f", {missed:.0f} ticks left out" if missed else ""
    return f"; the sampler {cost_us:.0f} us a tick{late}"
