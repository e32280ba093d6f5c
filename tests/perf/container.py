"""``make perf-container``: what a container costs, an A/B of whole `smoke` runs on the CPU, natively and in one.

B runs in the container and A natively; the answer is that of ``python -m bench ab``. What the container adds to the
start of a run, until the trainer begins to load its data, and to its end is printed below it. For a fair comparison the
image has the lock file's TensorFlow and the host's Python (``IMAGE``, default: cpu).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.record import Record
from tests.perf.sampler import compared

START_PHASES = ("import", "device_init")


def edges(record: Record) -> tuple[float, float]:
    """Return the seconds of a run's start and from `done` to its end."""
    assert record.exited_ns is not None and record.done_ns is not None
    start_ns = sum(each.duration_ns for each in record.phases if each.name in START_PHASES)
    return start_ns / 1e9, (record.exited_ns - record.done_ns) / 1e9


def adds(contained: Sequence[tuple[float, float]], native: Sequence[tuple[float, float]]) -> str:
    """Return what the container adds to start and end, medians of the pairs' differences, in words."""
    start, end = (
        median(one[edge] - other[edge] for one, other in zip(contained, native, strict=True)) for edge in (0, 1)
    )
    return f"the container adds {start:.2f} s to the start of a run and {end:.2f} s to its end (medians of the pairs)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="runs of each side")
    parser.add_argument("--image", default=os.environ.get("IMAGE") or "cpu", help="of `bench image list`")
    parser.add_argument("--out", type=Path, help="folder of the comparison  [default: a new one in results/]")
    given = parser.parse_args()
    image = f"WHERE=container IMAGE={given.image}"
    native, contained = compared("container", "WHERE=native", image, given.pairs, given.out)
    print(adds([*map(edges, contained)], [*map(edges, native)]))


if __name__ == "__main__":
    main()
