"""Facts about the machine: run-to-run variation, GPU, energy, price, CPU, input, and the cost of the harness itself.

A fact is left out where nothing is known; a dataset on the device has no input stalls, which is not 0 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bench.report.facts import Fact
from bench.report.text import dollars, joules


def of_row(row: Any) -> Iterator[Fact]:
    """Yield the facts of one configuration, from its row of the summary."""
    several = f", each over {row['runs']} runs" if row["runs"] > 1 else ""
    medians = f"medians of training{several}"
    monitored = not pd.isna(row["gpu_role"]) and row["gpu_role"] != "trains"
    yield from _variation(row)
    yield from _gpu(row, medians, monitored)
    yield from _energy(row, monitored)
    if not pd.isna(row["cost_to_target_usd"]):
        detail = f"for the whole machine, on demand; {_median(row)}"
        yield Fact("cost", f"Cost to {row['target_percent']:g} %", dollars(row["cost_to_target_usd"]), detail)
    if not pd.isna(row["trainer_cpu_cores"]):
        cores, others = row["trainer_cpu_cores"], row["other_cpu_cores"]
        others_text = "" if pd.isna(others) else f", {others:.2f} by other processes"
        yield Fact("cpu", "CPU", f"{cores:.2f} cores", f"used by the trainer{others_text}; {medians}")
    if not pd.isna(row["input"]) and row["input"] == "device":
        yield Fact("stalls", "Input stalls", "not applicable", "the dataset is in the memory of the device")
    elif not pd.isna(row["stall_share"]):
        detail = "share of training time spent waiting for batches, without the first epoch; median of the runs"
        yield Fact("stalls", "Input stalls", f"{100 * row['stall_share']:.1f} %", detail)


def costs(runs: pd.DataFrame) -> Iterator[Fact]:
    """Yield what the harness and its sampler cost the runs, at most."""
    share, switches = runs["harness_cpu_share"].max(), runs["harness_voluntary_switches"].max()
    if pd.isna(share):
        return
    emit, sample_us, late_ms, missed = (
        runs["emit_seconds"].max(), runs["sampler_tick_median_us"].max(), runs["sampler_late_max_ms"].max(),
        runs["sampler_missed"].sum(),
    )  # fmt: skip
    details = [] if pd.isna(switches) else [f"{switches:,} wake-ups"]
    if not pd.isna(emit):
        details.append(f"{1000 * emit:.1f} ms of the trainer's time for events")
    if not pd.isna(sample_us):
        late = "" if pd.isna(late_ms) else f", at most {late_ms:.1f} ms late"
        skipped = f", {missed:.0f} samples skipped" if missed else ""
        details.append(f"sampler {sample_us:.0f} us per sample{late}{skipped}")
    yield Fact("harness", "Harness cost", f"at most {100 * share:.2f} % of one core in a run", "; ".join(details))


def _variation(row: Any) -> Iterator[Fact]:
    spread, runs = row["fixed_work_spread_percent"], row["runs_for_1_percent_difference"]
    if pd.isna(spread):
        return
    low, high = (row[f"runs_for_1_percent_difference_{end}"] for end in ("low", "high"))
    ends = f"95 % interval {low:,} to {'more' if pd.isna(high) else f'{high:,}'}"
    needed = "" if pd.isna(runs) else f"; detecting a 1 % difference takes about {runs:,} runs per side ({ends})"
    detail = f"standard deviation of the training time of one run{needed}"
    yield Fact("variation", "Run-to-run variation", f"{spread:.2f} %", detail)
    if not pd.isna(row["outliers"]):
        seeds = str(row["outliers"]).replace(";", ", ")
        yield Fact("outliers", "Outliers", f"seed {seeds}", "by the modified z-score; included in all figures")


def _gpu(row: Any, medians: str, monitored: bool) -> Iterator[Fact]:
    forms = {"gpu_utilisation_percent": "busy {:.0f} %", "gpu_power_watts": "{:.0f} W", "sm_clock_mhz": "{:,.0f} MHz"}
    parts = [form.format(row[name]) for name, form in forms.items() if not pd.isna(row[name])]
    if parts:
        role = "; monitored, not used for training" if monitored else ""
        yield Fact("gpu", "GPU", ", ".join(parts), f"{medians}{role}")


def _energy(row: Any, monitored: bool) -> Iterator[Fact]:
    if pd.isna(row["energy_joules"]):
        return
    uncertain, to_target = row["energy_uncertainty_joules"], row["energy_to_target_joules"]
    spread, steps = ("", "") if pd.isna(uncertain) else (f" ± {joules(uncertain)}", ", ± the counter's resolution")
    details = [f"{row['energy_basis']}{steps}"]
    if not pd.isna(to_target):
        details.append(f"{joules(to_target)} J to {row['target_percent']:g} %, {_median(row)}")
    if monitored:
        details.append("of the monitored GPU, not of the training")
    yield Fact("energy", "GPU energy", f"{joules(row['energy_joules'])}{spread} J a run", "; ".join(details))


def _median(row: Any) -> str:
    return "one run" if row["runs"] == 1 else f"median of {row['runs']} runs, misses counted as infinite"
