"""What campaigns that were not interleaved may differ by, and what an answer says of how they were made."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.analysis import drift
from bench.analysis.comparison import FASTER, NO_DIFFERENCE, NOT_ENOUGH, SLOWER, WITHIN_DRIFT, Side, compare
from bench.analysis.fixed_work import WHOLE_SCHEDULE
from bench.record import Record
from tests.bench.analysis.test_comparison import EVEN, side, slowed, turns

MACHINE = {"cpu.model": "Some CPU", "cpu.cores": 8, "gpu.name": "Some GPU", "gpu.uuid_hash": "0123"}


def campaign(level: float, number: int = 0, **changes: Any) -> tuple[Record, ...]:
    """The records of campaign ``number``, whose runs take about ``level``, on MACHINE."""
    start = {"fingerprint": {**MACHINE, **changes}}
    return side(chr(5000 + number), [level * each / 10 for each in EVEN], start=start).records


def campaigns(*levels: float, **changes: Any) -> list[tuple[Record, ...]]:
    """Campaigns one after the other."""
    return [campaign(level, number, **changes) for number, level in enumerate(levels)]


def on_machine(name: str, times: Sequence[float]) -> Side:
    return side(name, times, start={"fingerprint": MACHINE})


def several(name: str, *levels: float) -> Side:
    """A side of several campaigns."""
    parts = [
        side(chr(10 * ord(name) + index), [level * each / 10 for each in EVEN]) for index, level in enumerate(levels)
    ]
    return replace(
        parts[0], name=name, records=tuple(each for part in parts for each in part.records), campaigns=tuple(parts)
    )


def test_two_per_cent_is_within_drift_between_campaigns_and_found_within_an_experiment() -> None:
    one, other = side("A", EVEN), side("B", slowed(EVEN, 2))
    apart, together = compare([one, other]), compare(turns(one, other))
    assert [each.versus[0].answer.kind for each in (apart, together)] == [WITHIN_DRIFT, SLOWER]
    assert apart.slower_than(0) == ()
    assert apart.versus[0].design.allowance == drift.Allowance(2.0, "stated, not measured")
    assert together.versus[0].design.allowance is None


def test_two_campaigns_in_the_folder_of_an_experiment_are_not_interleaved_by_that() -> None:
    one, other = side("A", EVEN), side("B", slowed(EVEN, 2))
    next_day = tuple(replace(each, utc="2026-03-05T05:06:07+00:00") for each in other.records)
    found = compare(turns(one, replace(other, records=next_day))).versus[0]
    assert (found.answer.kind, found.design.timing.interleaved) == (WITHIN_DRIFT, False)


def test_a_card_that_is_far_slower_is_slower_all_the_same() -> None:
    assert compare([side("A", EVEN), side("B", slowed(EVEN, 30))]).versus[0].answer.kind == SLOWER
    assert compare([side("B", slowed(EVEN, 30)), side("A", EVEN)]).versus[0].answer.kind == FASTER


def test_alike_campaigns_are_alike_within_the_allowance_where_that_is_enough() -> None:
    sides = [side("A", EVEN), side("B", EVEN[::-1])]
    assert compare(sides).versus[0].answer.kind == WITHIN_DRIFT
    assert compare(sides, tell_percent=5).versus[0].answer.kind == NO_DIFFERENCE
    assert compare(sides, allowance_percent=0).versus[0].answer.kind == NO_DIFFERENCE


def test_the_interval_is_wider_by_the_allowance_on_both_sides() -> None:
    sides = [side("A", EVEN), side("B", slowed(EVEN, 5))]
    bare, wide = (compare(sides, allowance_percent=each).versus[0].effect for each in (0.0, 3.0))
    assert wide.estimate_percent == bare.estimate_percent
    assert 1 + wide.low_percent / 100 == pytest.approx((1 + bare.low_percent / 100) / 1.03)
    assert 1 + wide.high_percent / 100 == pytest.approx((1 + bare.high_percent / 100) * 1.03)


def test_repeated_campaigns_on_the_machine_tell_the_allowance() -> None:
    sides = [on_machine("A", EVEN), on_machine("B", slowed(EVEN, 2))]
    levels = (10.0, 10.01, 9.99, 10.005, 10.0)
    others = campaigns(*levels)
    found = compare(sides, others=others).versus[0].design.allowance
    assert found is not None
    deviation = float(np.std(np.log(levels), ddof=1))
    assert found.percent == pytest.approx(100 * math.expm1(math.sqrt(2) * 2.7764 * deviation), rel=1e-3)
    assert "5 campaigns" in found.source
    assert compare(sides, others=others).versus[0].answer.kind == SLOWER


@pytest.mark.parametrize(
    "others",
    [
        campaigns(10, 11, 12),  # Too few.
        campaigns(10, 11, 12, 13, 14, **{"cpu.model": "Another"}),
        campaigns(10, 11, 12, 13, 14, **{"cpu.model": None}),
        [campaign(level, level, **{"gpu.driver_version": str(level)}) for level in range(10, 15)],  # None was repeated.
        [campaign(10)] * 5,  # Copies of one folder.
        [on_machine("A", EVEN).records, *campaigns(10, 11, 12)],  # A copy of a compared one.
        [],
    ],
    ids=[
        "three campaigns",
        "another machine",
        "an unknown machine",
        "no configuration twice",
        "copies",
        "a copy of a compared one",
        "none",
    ],
)
def test_else_it_is_the_stated_one(others: Sequence[Sequence[Record]]) -> None:
    sides = [on_machine("A", EVEN), on_machine("B", EVEN)]
    found = compare(sides, others=others, allowance_percent=2.5).versus[0].design.allowance
    assert found == drift.Allowance(2.5, "stated, not measured")


def test_a_slow_run_of_the_compared_ones_does_not_make_the_allowance_larger() -> None:
    others = campaigns(10.0, 10.01, 9.99, 10.005, 10.0)
    found = [
        compare([on_machine("A", EVEN), on_machine("B", times)], others=others).versus[0].design.allowance
        for times in (EVEN, [*EVEN[:4], 90.0])
    ]
    assert found[0] == found[1]


def test_an_unknown_machine_is_never_the_same_one() -> None:
    sides = [side("A", EVEN), side("B", EVEN)]
    nameless = campaigns(10.0, 10.01, 9.99, 10.005, 10.0, **{"cpu.model": None})
    found = compare(sides, others=nameless).versus[0].design
    assert found.allowance == drift.Allowance(2.0, "stated, not measured")
    assert found.timing.same_boot is None


def test_campaigns_are_the_unit_where_each_side_has_four() -> None:
    a, b = several("A", 10, 10.1, 9.9, 10.05), several("B", 10.5, 10.6, 10.4, 10.55)
    found = compare([a, b]).versus[0]
    assert (found.design.unit, found.design.allowance) == ("campaign", None)
    assert (found.answer.kind, found.effect.p_value) == (SLOWER, pytest.approx(2 / 70))
    mixed = several("B", 10.5, 10.0, 10.4, 9.8)  # Twenty runs a side would find it.
    answer = compare([a, mixed], tell_percent=6).versus[0].answer
    assert answer.kind == NOT_ENOUGH and answer.runs_needed is not None and 4 < answer.runs_needed < 20
    # Among three sides, four campaigns each cannot: it is campaigns that are counted, not their twenty runs.
    answer = compare([a, b, several("C", 10.5, 10.6, 10.4, 10.55)]).versus[0].answer
    assert (answer.kind, answer.runs_needed) == (NOT_ENOUGH, 5)


def test_fewer_campaigns_have_their_runs_ranked_with_the_allowance() -> None:
    a, b = several("A", 10, 10.1), several("B", 14, 14.1)
    found = compare([a, b]).versus[0]
    assert found.design.unit == "run"
    assert found.design.allowance is not None
    assert found.answer.kind == SLOWER


def test_how_campaigns_lie_in_time() -> None:
    one = on_machine("A", EVEN).records
    minutes = int(max(each.exited_ns or 0 for each in one) - min(each.spawned_ns or 0 for each in one)) / 60e9

    def later(records: Sequence[Record], hours: int, booted: int = 0) -> list[Record]:
        return [
            replace(
                each, utc=f"2026-03-04T{5 + hours:02d}:06:07+00:00",
                spawned_ns=(each.spawned_ns or 0) + (hours - booted) * 3600 * 10**9,
                exited_ns=(each.exited_ns or 0) + (hours - booted) * 3600 * 10**9,
            )
            for each in records
        ]  # fmt: skip

    first = [replace(one[0], utc="2026-03-04T05:06:07+00:00")]
    assert drift.timing(first, later(first, 3), False).same_boot is True
    # Stamps that went back are of another boot; stamps that lag behind UTC may be of a suspended machine, too.
    assert drift.timing(first, later(first, 3, booted=4), False).same_boot is False
    assert drift.timing(later(first, 3, booted=4), first, False).same_boot is False
    assert drift.timing(first, later(first, 3, booted=2), False).same_boot is None
    other = on_machine("B", EVEN).records
    moved = [replace(later(first, 3)[0], fingerprint={**other[0].fingerprint, "cpu.model": "Another"})]
    assert drift.timing(first, moved, False).same_boot is False
    gap = drift.timing(first, later(first, 3), False).minutes_apart
    assert gap is not None and 180 - minutes <= gap <= 180
    assert drift.timing(later(first, 3), first, False).minutes_apart == gap
    assert drift.timing(first, first, True) == drift.Timing(True, True, 0.0)
    assert "at the same time" in str(drift.timing(first, first, False))
    # One side was made wholly before the other: wherever their folders are, that is no interleaving.
    assert drift.timing(first, later(first, 3), True).interleaved is False
    unknown = [replace(first[0], utc=None)]
    assert drift.timing(first, unknown, False) == drift.Timing(False)
    assert "unknown" in str(drift.timing(first, unknown, False))


@pytest.mark.parametrize("utc", ["2026-03-04T05:06:07", "2026-03-04T05:06:07Z", "2026-03-04T06:06:07+01:00"])
def test_a_time_without_a_zone_is_of_utc_wherever_it_is_read(utc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = on_machine("A", EVEN[:1]).records
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        found = drift.timing(first, [replace(first[0], utc=utc)], False)
    time.tzset()
    assert found == drift.Timing(False, True, 0.0)


@pytest.mark.parametrize("utc", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00+23:59", "soon", ""])
def test_no_time_is_too_odd_to_compare(utc: str) -> None:
    first = on_machine("A", EVEN[:1]).records
    drift.timing(first, [replace(first[0], utc=utc)], False)


def test_the_level_of_a_campaign_is_the_median_of_its_logarithms() -> None:
    records = side("A", (10.0, 12.0, 90.0)).records
    assert drift.level(records, WHOLE_SCHEDULE) == pytest.approx(math.log(5 * 12.0))
    assert drift.level([], WHOLE_SCHEDULE) is None
