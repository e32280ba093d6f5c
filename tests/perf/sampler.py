"""``make perf-sampler``: what the sampler costs the training it samples, an A/B of whole `smoke` runs on the CPU.

B is sampled and A is not; the answer is that of ``python -m bench ab``. The sampler's account of itself in the runs of
B is printed below it. An interrupted comparison is continued where its folder is named with ``--out``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.__main__ import main as bench
from bench.record import Record, load_campaign
from bench.system.paths import RESULTS


def compared(name: str, a: str, b: str, pairs: int, out: Path | None) -> list[tuple[Record, ...]]:
    """Make an A/B of `smoke` on the CPU and return the records of both sides. Raises SystemExit where it fails."""
    folder = out or RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    words = ["--a", a, "--b", b, "--recipe", "smoke", "--device", "cpu", "--pairs", str(pairs), "--out", str(folder)]
    code = bench(["ab", *words])
    if code:
        raise SystemExit(code)
    return [load_campaign(folder / side).records for side in "ab"]


def cost(records: Sequence[Record]) -> str:
    """Return what the sampler took by its own account, in words."""
    sampling = [each.telemetry.sampling for each in records]
    ticks = [each.cost_median_us for each in sampling if each.cost_median_us is not None]
    most = [each.cost_max_us for each in sampling if each.cost_max_us is not None]
    share = sum(each.cpu_seconds or 0 for each in sampling) / sum((each.life_ns or 0) / 1e9 for each in records)
    return (
        f"a tick: median {median(ticks):.0f} us of CPU (of the runs' medians), at most {max(most):.0f} us; "
        f"ticks and edges together {100 * share:.3f} % of a core"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="runs of each side")
    parser.add_argument("--out", type=Path, help="folder of the comparison  [default: a new one in results/]")
    given = parser.parse_args()
    _, sampled = compared("sampler", "TELEMETRY=off", "TELEMETRY=on", given.pairs, given.out)
    print(cost(sampled))


if __name__ == "__main__":
    main()
