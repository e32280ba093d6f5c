"""``make perf-sampler``: what the sampler costs the training it watches, by whole runs with it and without it.

Every run is the smoke recipe on the CPU with the same seed, so the same work, through ``python -m bench run`` as
anybody types it, one run a campaign. Pairs take turns (on off, off on, ...), so that a machine that warms up or slows
down does so for both. Compared is the train clock after the whole schedule, pair by pair: the mean of the logarithms'
differences with Student's 95 % interval. The first run is discarded. A folder that is there already is kept, so an
interrupted comparison goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.analysis import welch
from bench.record import load_campaign
from bench.record.clocks import CLOCKS, fixed_work_seconds
from bench.record.telemetry import TELEMETRY_FILE, Sampling

ROOT = Path(__file__).parents[2]
SEED = 0


@dataclass(frozen=True)
class Measured:
    """One run: its train clock for the whole schedule, and the sampler's account of itself."""

    train_seconds: float
    life_seconds: float
    sampling: Sampling
    tick_costs_us: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is time without the sampler over time with it: below 1 it costs, 0.99 being 1 %; low and high are the
    ends of its 95 % interval, NaN for fewer than two pairs.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    tick_median_us: float
    tick_max_us: float
    core_share_percent: float


def order(pairs: int) -> list[tuple[int, bool]]:
    """The runs in turn, each with its pair and whether it is sampled: on off, off on, on off, ..."""
    return [(pair, on) for pair in range(pairs) for on in ((True, False) if pair % 2 == 0 else (False, True))]


def folder_of(out: Path, pair: int, on: bool) -> Path:
    return out / f"pair-{pair + 1:02d}-{'on' if on else 'off'}"


def run(folder: Path, on: bool) -> None:
    """Make one run as a campaign of its own. Raises SystemExit where it does not end well."""
    command = [
        *(sys.executable, "-m", "bench", "run", "--smoke", "--device", "cpu", "--seeds", f"{SEED},"),
        *("--warm-up", "0", "--telemetry", "on" if on else "off", "--out", str(folder)),
    ]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        raise SystemExit(f"perf: the run into {folder} ended with exit code {ended.returncode}:\n{ended.stdout}")


def measured(folder: Path) -> Measured:
    """What a finished run took. Raises SystemExit where it trained less than its schedule."""
    (record,) = load_campaign(folder).records
    seconds = fixed_work_seconds(CLOCKS["train"], record)
    if seconds is None or record.life_ns is None:
        raise SystemExit(f"perf: the run in {folder} did not train its whole schedule")
    costs = ()
    rows = folder / f"seed-{SEED:03d}" / TELEMETRY_FILE
    if rows.exists():
        with open(rows, newline="") as stream:
            costs = tuple(float(row["cost_us"]) for row in csv.DictReader(stream))
    return Measured(seconds, record.life_ns / 1e9, record.telemetry.sampling, costs)


def compare(sampled: list[Measured], unsampled: list[Measured]) -> Comparison:
    """Both sides, which are given pair by pair."""
    pairs = zip(unsampled, sampled, strict=True)
    ratio = welch.mean([math.log(off.train_seconds / on.train_seconds) for off, on in pairs])
    costs = [cost for each in sampled for cost in each.tick_costs_us]
    spent = sum(each.sampling.cpu_seconds or math.nan for each in sampled)
    return Comparison(
        pairs=len(sampled),
        ratio=math.exp(ratio.estimate),
        low=math.exp(ratio.low),
        high=math.exp(ratio.high),
        tick_median_us=median(costs),
        tick_max_us=max(costs),
        core_share_percent=100 * spent / sum(each.life_seconds for each in sampled),
    )


def report(found: Comparison) -> str:
    """The comparison in words."""
    interval = "" if math.isnan(found.low) else f", 95 % interval {found.low:.4f} to {found.high:.4f}"
    return (
        f"time without the sampler / time with it: {found.ratio:.4f}{interval} ({found.pairs} pairs)\n"
        f"a tick: median {found.tick_median_us:.0f} us of CPU, at most {found.tick_max_us:.0f} us; "
        f"ticks and edges together {found.core_share_percent:.3f} % of a core"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="runs of each side")
    parser.add_argument("--out", type=Path, help="folder for the campaigns  [default: a new one in results/]")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    out = given.out or ROOT / "results" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-sampler"
    print(f"{given.pairs} pairs of smoke runs with the sampler and without, into {out}", flush=True)
    run(out / "discarded", on=True)
    sides: dict[bool, list[Measured]] = {True: [], False: []}
    for pair, on in order(given.pairs):
        run(folder_of(out, pair, on), on)
        sides[on].append(measured(folder_of(out, pair, on)))
        latest = sides[on][-1]
        print(f"pair {pair + 1:2d}  {'on ' if on else 'off'}  train {latest.train_seconds:8.3f} s", flush=True)
    found = compare(sides[True], sides[False])
    seconds = {("on" if on else "off"): [each.train_seconds for each in side] for on, side in sides.items()}
    figures = {name: None if math.isnan(value) else value for name, value in asdict(found).items()}
    (out / "comparison.json").write_text(json.dumps({**figures, "train_seconds": seconds}, indent=1) + "\n")
    print(report(found))


if __name__ == "__main__":
    main()
