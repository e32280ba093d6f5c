"""Whose lateness it is that an event was received late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Record, build_record
from bench.record.receipts import Receipts
from bench.rules import verdict_of
from tests.support.machines import Machine
from tests.support.records import NS, Run

MS = 1_000_000
Spans = list[tuple[int, int]]


def received(late_ms: float, *busy_ms: tuple[float, float], took_us: float = 0.0) -> Record:
    """A run whose first epoch is heard so late, while the harness was busy between these times after its claim."""
    run = Run(machine=Machine(late_ms=0.0))
    lines, ticks = run.lines(), run.ticks()
    assert ticks is not None
    index = next(i for i, line in enumerate(lines) if line["event"] == "epoch")
    claimed_ns = lines[index]["t_ns"]
    lines[index] = {**lines[index], "received_ns": claimed_ns + round(late_ms * MS)}
    busy: list[dict[str, Any]] = [
        {"event": "harness_busy", "begin_ns": claimed_ns + round(a * MS), "end_ns": claimed_ns + round(b * MS)}
        for a, b in busy_ms
    ]
    before = max((tick for tick in ticks if tick["t_ns"] <= claimed_ns), key=lambda tick: tick["t_ns"])
    before["took_us"] = took_us
    return build_record([*lines[:index], *busy, *lines[index:]], telemetry=ticks)


def rules(record: Record) -> set[str]:
    return {reason.rule for reason in verdict_of(record).reasons}


def test_lateness_that_nothing_explains_is_the_trainers() -> None:
    record = received(80)

    stamps = record.stamps
    assert (stamps.late_over_50ms, stamps.worst_late_ms, stamps.late_by_harness) == (1, 80.0, 0)
    assert "stamps" in rules(record) and "heard-late" not in rules(record)


@pytest.mark.parametrize("busy", [[(-900, 40)], [(0, 10), (50, 80)], [(-5, 30), (20, 35)]])
def test_lateness_while_the_harness_was_busy_is_its_own(busy: list[tuple[float, float]]) -> None:
    record = received(80, *busy)

    assert (record.stamps.late_over_50ms, record.stamps.late_by_harness) == (0, 1)
    assert 30 <= record.stamps.worst_harness_late_ms <= 40
    assert "heard-late" in rules(record) and "stamps" not in rules(record)
    assert verdict_of(record).level == verdict_of(received(0)).level


def test_what_the_harness_does_not_explain_is_still_the_trainers() -> None:
    record = received(5000, (4900, 5000))

    assert (record.stamps.late_over_50ms, record.stamps.worst_late_ms) == (1, 4900.0)
    assert record.stamps.worst_harness_late_ms == 100.0
    assert "stamps" in rules(record)


def test_tick_that_held_the_harness_up_explains_what_was_received_late() -> None:
    record = received(59_000, took_us=60e6)

    assert (record.stamps.late_over_50ms, record.stamps.late_by_harness) == (0, 1)


def test_line_without_times_explains_nothing() -> None:
    run = Run()
    lines = [{"event": "harness_busy"}, {"event": "harness_busy", "begin_ns": 9, "end_ns": 3}, *run.lines()]

    assert build_record(lines).stamps == build_record(run.lines()).stamps
    assert build_record(lines).malformed_lines == 0


@given(
    st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 500)), max_size=8),
    st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-100, 1500)), max_size=8),
)
def test_the_share_of_the_harness_is_what_overlaps(busy: Spans, events: Spans) -> None:
    receipts = Receipts()
    for begin, length in busy:
        receipts.take_busy({"begin_ns": begin * MS, "end_ns": (begin + length) * MS})
    for claimed, late in events:
        receipts.take(claimed * MS, (claimed + late) * MS)

    covered = {ms for begin, length in busy for ms in range(begin, begin + length)}
    rest = [sum(ms not in covered for ms in range(claimed, claimed + late)) for claimed, late in events if late > 50]
    stamps = receipts.stamps()
    assert stamps.late_over_50ms == sum(late > 50 for late in rest)
    assert stamps.late_by_harness == len(rest) - stamps.late_over_50ms
    assert stamps.ahead_over_50ms == sum(late < -50 for _, late in events)
    assert stamps.events == len(events)


def test_an_event_of_a_claim_long_ago_is_told_in_seconds() -> None:
    receipts = Receipts()
    receipts.take(0, 3600 * NS)

    assert receipts.stamps().worst_late_ms == 3_600_000.0
