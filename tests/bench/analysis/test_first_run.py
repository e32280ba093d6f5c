"""The first run of a campaign, slow or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis import first_run
from bench.record import Record
from bench.rules import with_verdict
from tests.support.records import Run


def runs(*epoch_seconds: float, warm_up: bool = True) -> list[Record]:
    """Runs made one after the other, of five epochs each."""
    return [
        with_verdict(
            Run(
                seed=seed,
                train_seconds=seconds,
                spawned_ns=(1 + seed) * 10**12,
                start={"utc": f"2024-05-06T07:{seed:02d}:00+00:00", "circumstances": {"warm_up": warm_up}},
            ).record()
        )
        for seed, seconds in enumerate(epoch_seconds)
    ]


def test_a_first_run_outside_the_spread_of_the_others_is_found() -> None:
    found = first_run.slow(runs(11.0, 10.0, 10.1, 9.9, 10.0))
    assert found == first_run.SlowFirstRun(0, pytest.approx(10.0), warmed_up=True)


def test_it_is_known_whether_a_warm_up_run_preceded_it() -> None:
    found = first_run.slow(runs(11.0, 10.0, 10.1, 9.9, warm_up=False))
    assert found is not None and not found.warmed_up


@pytest.mark.parametrize(
    "seconds",
    [
        (10.2, 10.0, 10.1, 9.9, 10.0),  # within the spread
        (10.0, 10.0, 11.0, 10.1),  # a later one is slow
        (9.0, 10.0, 10.1, 9.9, 10.0),  # the first one is fast
        (11.0, 10.0, 10.0),  # too few to tell
        (10.0, 10.0, 10.0, 10.0),
        (),
    ],
)
def test_anything_else_is_no_finding(seconds: tuple[float, ...]) -> None:
    assert first_run.slow(runs(*seconds)) is None


def test_first_is_what_was_started_first_and_not_the_lowest_seed() -> None:
    records = runs(10.0, 11.0, 10.1, 9.9, 10.0)
    records[1] = replace(records[1], utc="2024-05-06T06:00:00+00:00")

    found = first_run.slow(records)
    assert found is not None and found.seed == 1


def test_runs_that_do_not_count_are_no_first_run_and_no_spread() -> None:
    slow, *others = runs(11.0, 10.0, 10.1, 9.9, 10.0)
    assert slow.verdict is not None
    left_out = replace(slow, verdict=replace(slow.verdict, level="invalid"))
    unfinished = replace(slow, status="interrupted", done_status=None, done_ns=None)

    assert first_run.slow([left_out, *others]) is None
    assert first_run.slow([unfinished, *others]) is None
