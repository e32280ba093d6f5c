"""The ticks of many runs: read when they are asked for, and none of what is damaged."""

from __future__ import annotations

from pathlib import Path

from bench.record.run_ticks import RunTicks
from tests.support.machines import Machine, telemetry_text
from tests.support.records import Run


def test_the_ticks_of_a_run_are_those_of_its_file(tmp_path: Path) -> None:
    rows = Run(machine=Machine()).ticks() or []
    path = tmp_path / "telemetry.csv"
    ticks = RunTicks({3: path})
    path.write_text(telemetry_text(rows))  # It is read when it is asked for, not before.
    assert list(ticks) == [3]
    assert len(ticks[3]) == len(rows)
    assert ticks[3][0]["gpu_power_watts"] == rows[0]["gpu_power_watts"]


def test_a_file_that_is_missing_or_damaged_half_way_has_no_ticks(tmp_path: Path) -> None:
    damaged = tmp_path / "telemetry.csv"
    text = telemetry_text(Run(machine=Machine()).ticks() or [])
    damaged.write_text(text + "nonsense\n")
    ticks = RunTicks({0: damaged, 1: tmp_path / "none.csv"})
    assert [ticks[0], ticks[1]] == [[], []]
    assert ticks.get(2) is None
