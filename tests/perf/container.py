"""``make perf-container``: what a container costs, by whole runs in one and natively.

Every run is the smoke recipe on the CPU with the same seed, so the same work, through ``python -m bench run`` as
anybody types it, one run a campaign. Pairs take turns (container native, native container, ...). Compared pair by pair
are the train clock after the whole schedule, as the mean of the logarithms' differences with Student's 95 % interval,
and the start, from the harness's start of the run until the trainer begins to load its data. The first run of each is
discarded. For a fair comparison the image has the lock file's TensorFlow and the host's Python (``IMAGE``, cpu unless
told).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.analysis import welch
from bench.record import Record, load_campaign
from bench.record.clocks import CLOCKS, fixed_work_seconds
from tests.perf.sampler import order

ROOT = Path(__file__).parents[2]
SEED = 0
SIDES = {True: "container", False: "native"}
START_PHASES = ("import", "device_init")


@dataclass(frozen=True)
class Measured:
    """One run, in seconds: its train clock for the whole schedule, its start, and from `done` to its end."""

    train_seconds: float
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is training time in the container over native: above 1 it costs; low and high are the ends of its 95 %
    interval, NaN for fewer than two pairs. The others are medians of the pairs' differences, in seconds.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    start_adds_seconds: float
    end_adds_seconds: float


def run(folder: Path, contained: bool, image: str) -> None:
    """Make one run as a campaign of its own. Raises SystemExit where it does not end well."""
    where = ["--where", "container", "--image", image] if contained else ["--where", "native"]
    command = [
        *(sys.executable, "-m", "bench", "run", "--smoke", "--device", "cpu", "--seeds", f"{SEED},"),
        *("--warm-up", "0", "--out", str(folder), *where),
    ]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        raise SystemExit(f"perf: the run into {folder} ended with exit code {ended.returncode}:\n{ended.stdout}")


def measured(record: Record) -> Measured:
    """What a finished run took. Raises SystemExit where it trained less than its schedule."""
    seconds = fixed_work_seconds(CLOCKS["train"], record)
    if seconds is None or record.exited_ns is None or record.done_ns is None:
        raise SystemExit("perf: a run did not train its whole schedule")
    start_ns = sum(each.duration_ns for each in record.phases if each.name in START_PHASES)
    return Measured(seconds, start_ns / 1e9, (record.exited_ns - record.done_ns) / 1e9)


def compare(contained: list[Measured], native: list[Measured]) -> Comparison:
    """Both sides, which are given pair by pair."""
    pairs = list(zip(contained, native, strict=True))
    ratio = welch.mean([math.log(one.train_seconds / other.train_seconds) for one, other in pairs])
    return Comparison(
        pairs=len(pairs),
        ratio=math.exp(ratio.estimate),
        low=math.exp(ratio.low),
        high=math.exp(ratio.high),
        start_adds_seconds=median(one.start_seconds - other.start_seconds for one, other in pairs),
        end_adds_seconds=median(one.end_seconds - other.end_seconds for one, other in pairs),
    )


def report(found: Comparison) -> str:
    """The comparison in words."""
    interval = "" if math.isnan(found.low) else f", 95 % interval {found.low:.4f} to {found.high:.4f}"
    return (
        f"training in the container / native: {found.ratio:.4f}{interval} ({found.pairs} pairs)\n"
        f"the container adds {found.start_adds_seconds:.2f} s to the start of a run and {found.end_adds_seconds:.2f} s "
        "to its end (medians of the pairs' differences)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="runs of each side")
    parser.add_argument("--image", default=os.environ.get("IMAGE") or "cpu", help="of `bench image list`")
    parser.add_argument("--out", type=Path, help="folder for the campaigns  [default: a new one in results/]")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    for name in ("WHERE", "IMAGE", "OUT"):  # of make, for this program and not for the runs
        os.environ.pop(name, None)
    out = given.out or ROOT / "results" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-container"
    print(f"{given.pairs} pairs of smoke runs in the image {given.image} and natively, into {out}", flush=True)
    for contained, side in SIDES.items():
        run(out / f"discarded-{side}", contained, given.image)
    sides: dict[bool, list[Measured]] = {True: [], False: []}
    for pair, contained in order(given.pairs):
        folder = out / f"pair-{pair + 1:02d}-{SIDES[contained]}"
        run(folder, contained, given.image)
        sides[contained].append(measured(*load_campaign(folder).records))
        latest = sides[contained][-1]
        times = f"train {latest.train_seconds:8.3f} s  start {latest.start_seconds:6.3f} s"
        print(f"pair {pair + 1:2d}  {SIDES[contained]:9}  {times}", flush=True)
    found = compare(sides[True], sides[False])
    figures = {name: None if math.isnan(value) else value for name, value in asdict(found).items()}
    runs = {SIDES[side]: [asdict(each) for each in made] for side, made in sides.items()}
    (out / "comparison.json").write_text(json.dumps({**figures, "image": given.image, "runs": runs}, indent=1) + "\n")
    print(report(found))


if __name__ == "__main__":
    main()
