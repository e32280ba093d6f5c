"""``make perf-report``: how long many runs' records take to become tables, and in how much memory.

A published campaign is multiplied in a scratch folder: each copy of a run is of another seed, its events telling so.
Measured is a whole process, from its start to its end: Python and pandas are loaded, every record is built from its
events and ticks and judged, and the records, ``runs.csv``, ``epochs.csv`` and ``summary.csv`` are written.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.record import CAMPAIGN_FILE, EVENTS_FILE, TELEMETRY_FILE, seed_folder

ROOT = Path(__file__).parents[2]
#: Five runs on a GPU: 61 events and 229 ticks each.
SOURCE = ROOT / "results" / "published" / "20261126T052749Z-hive-nvidia-h200"
COUNTS = (100, 1_000, 10_000)


@dataclass(frozen=True)
class Measured:
    """One process: its runs, its life, its CPU time, its largest memory."""

    runs: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def multiply(source: Path, runs: int, out: Path) -> None:
    """A campaign of ``runs`` seeds in ``out``, made of the runs in ``source`` in turn."""
    out.mkdir(parents=True)
    campaign = json.loads((source / CAMPAIGN_FILE).read_bytes())
    (out / CAMPAIGN_FILE).write_text(json.dumps({**campaign, "seeds": list(range(runs))}))
    originals = sorted(each.parent for each in source.glob(f"seed-*/{EVENTS_FILE}"))
    lines = [[json.loads(line) for line in (each / EVENTS_FILE).read_bytes().splitlines()] for each in originals]
    ticks = []
    for number, each in enumerate(originals):
        ticks.append(out / f"{number}.{TELEMETRY_FILE}")
        ticks[-1].write_bytes((each / TELEMETRY_FILE).read_bytes())
    for seed in range(runs):
        folder = seed_folder(out, seed)
        folder.mkdir()
        told = ({**line, "seed": seed} if "seed" in line else line for line in lines[seed % len(lines)])
        (folder / EVENTS_FILE).write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in told))
        os.link(ticks[seed % len(ticks)], folder / TELEMETRY_FILE)


def tables(campaign: Path) -> None:
    """Everything of a report but what it prints, draws and publishes."""
    from bench.record import load_campaign
    from bench.report import campaign_files

    campaign_files.build(load_campaign(campaign)).write()


def measure(campaign: Path, runs: int) -> Measured:
    """The tables of a campaign of ``runs`` runs, made by a process of its own."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "tests.perf.report", "--tables", str(campaign)], cwd=ROOT)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"perf: the tables of {campaign} ended with exit code {child.returncode}")
    return Measured(runs, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def report(found: Sequence[Measured]) -> str:
    """The measurements as a table, and by which power of the number of runs the CPU time beyond the smallest grows."""
    lines = ["  runs   seconds   CPU s  CPU ms/run  memory MiB"]
    for each in found:
        times = f"{each.seconds:9.2f} {each.cpu_seconds:7.2f}  {1000 * each.cpu_seconds / each.runs:10.2f}"
        lines.append(f"{each.runs:6,} {times}  {each.peak_bytes / 2**20:10,.0f}")
    if len(found) >= 3:
        lines.append(f"CPU time grows with the runs to the power of {growth(found):.2f} (1 is linear)")
    return "\n".join(lines)


def growth(found: Sequence[Measured]) -> float:
    """The exponent between the two largest counts, what the smallest one takes left out as the price of starting."""
    base, middle, last = found[0], found[-2], found[-1]
    grown = (last.cpu_seconds - base.cpu_seconds) / (middle.cpu_seconds - base.cpu_seconds)
    return math.log(grown) / math.log((last.runs - base.runs) / (middle.runs - base.runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=COUNTS, help="how many, in increasing order")
    parser.add_argument("--tables", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.tables:
        tables(given.tables)
        return
    if min(given.runs) < 1 or list(given.runs) != sorted(set(given.runs)):
        parser.error("--runs must increase from 1 on")
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for runs in given.runs:
            folder = Path(scratch) / str(runs)
            multiply(SOURCE, runs, folder)
            found.append(measure(folder, runs))
    print(report(found))


if __name__ == "__main__":
    main()
