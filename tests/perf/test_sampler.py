"""That the sampler's account of itself becomes the right figures."""

from __future__ import annotations

from dataclasses import replace

from bench.record.telemetry import Sampling
from tests.perf.sampler import cost
from tests.support.records import Run


def test_the_cost_of_a_tick_is_over_all_runs_and_the_share_of_a_core_of_their_whole_lives() -> None:
    record = Run().record()
    seconds = (record.life_ns or 0) / 1e9
    sampled = [
        replace(record, telemetry=replace(record.telemetry, sampling=Sampling(cpu_seconds=share * seconds, **costs)))
        for share, costs in (
            (0.001, {"cost_median_us": 100.0, "cost_max_us": 300.0}),
            (0.003, {"cost_median_us": 120.0, "cost_max_us": 200.0}),
        )
    ]
    assert cost(sampled) == (
        "a tick: median 110 us of CPU (of the runs' medians), at most 300 us; "
        "ticks and edges together 0.200 % of a core"
    )
