"""``telemetry.csv``: every whole row, nothing of a broken one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Telemetry, build_record_from
from bench.record.telemetry import COLUMNS
from bench.record.ticks import Damaged, RunTicks, impossible, read
from bench.telemetry.csv_writer import TelemetryFile
from tests.support.machines import Machine, telemetry_text
from tests.support.records import Run

RUN = Run(machine=Machine())
HEADER = ",".join(column.name for column in COLUMNS)


def file(folder: Path, text: str | bytes) -> Path:
    path = folder / "telemetry.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_what_was_written_is_read_and_what_is_empty_is_not_there(tmp_path: Path) -> None:
    ticks = RUN.ticks()
    assert ticks is not None
    assert list(read(file(tmp_path, telemetry_text(ticks)))) == ticks
    assert "memory_clock_mhz" not in ticks[0]


@pytest.mark.parametrize("cut", [1, 2, 5, 30])
def test_the_last_line_of_a_killed_harness_is_left_out(tmp_path: Path, cut: int) -> None:
    ticks = RUN.ticks()
    assert ticks is not None
    assert list(read(file(tmp_path, telemetry_text(ticks)[:-cut]))) == ticks[:-1]


def test_a_time_beyond_53_bits_keeps_all_its_digits(tmp_path: Path) -> None:
    (tick,) = read(file(tmp_path, f"t_ns\n{2**62 + 1}\n"))
    assert tick["t_ns"] == 2**62 + 1


def test_columns_of_a_newer_harness_are_passed_over(tmp_path: Path) -> None:
    assert list(read(file(tmp_path, "t_ns,colour\n5,red\n"))) == [{"t_ns": 5}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("epoch,hours\n1,2\n", "no table of this harness: its first line names no column t_ns"),
        ("t_ns,t_ns\n1,2\n", "no table of this harness: its first line names the column 't_ns' more than once"),
        ("colour,t_ns,colour\n1,2,3\n", "names the column 'colour' more than once"),
        ("t_ns,cost_us\n1,2\n3\n4,5\n", "row 3 of telemetry.csv has 1 cells for 2 columns"),
        ("t_ns,cost_us\nx,1\n", "row 2 of telemetry.csv does not say when it was"),
        ("t_ns,cost_us\nnan,1\n", "row 2 of telemetry.csv does not say when it was"),
        ("t_ns,cost_us\n1_0,1\n", "row 2 of telemetry.csv does not say when it was"),
        (f"t_ns,cost_us\n{2**63},1\n", "row 2 of telemetry.csv does not say when it was"),
        ("t_ns,cost_us\n1.5,1\n", "does not say when it was"),
        ("t_ns,cost_us\n,1\n", "row 2 of telemetry.csv does not say when it was"),
        ("t_ns\n5\n5\n", "row 3 of telemetry.csv is not later than the one before it"),
        ('t_ns\n"5\n', "is no CSV"),
        ("t_ns" + "x" * 70_000, "a line of over 65536 characters"),
    ],
)
def test_damage_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        list(read(file(tmp_path, text)))


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        *((each.name, str(2**64 - 500_000_000)) for each in COLUMNS if each.name != "t_ns"),
        *((each.name, "abc") for each in COLUMNS if each.name != "t_ns"),
        ("sm_clock_mhz", "0x10"),
        ("cost_us", "nan"),
        ("event_reasons", "nan"),
        ("event_reasons", "1.5"),
        ("sm_clock_mhz", "1_410"),
        ("load_average", "\u0661"),
        ("gpu_power_watts", "250 W"),
        ("late_ms", " "),
        ("took_us", "1e999"),
        ("late_ms", "-inf"),
        ("swapped_bytes", "9" * 5000),
        ("gpu_memory_bytes", str(2**63)),
        ("gpu_power_watts", "3700000.0"),
        ("gpu_temperature_celsius", "4294967290"),
        ("gpu_utilisation_percent", "4294967290"),
    ],
)
def test_what_is_no_number_or_cannot_be_one_costs_its_cell_and_is_counted(
    tmp_path: Path, column: str, cell: str
) -> None:
    (tmp_path / "events.jsonl").write_text(RUN.text())
    ticks = RUN.ticks()
    assert ticks is not None
    whole = fold_file_of(tmp_path, telemetry_text(ticks))
    broken: list[dict[str, Any]] = [dict(tick) for tick in ticks]
    for tick in broken[20:22]:
        tick[column] = cell

    found = fold_file_of(tmp_path, telemetry_text(broken))

    assert found.impossible == {column: 2}
    assert (found.sampling.ticks, found.sampling.why_no_ticks) == (whole.sampling.ticks, "")
    assert found.training.sm_clock_mhz == whole.training.sm_clock_mhz or column == "sm_clock_mhz"
    read_back = list(read(tmp_path / "telemetry.csv"))
    assert [column in tick for tick in read_back[20:22]] == [False, False]
    assert [impossible(tick) for tick in read_back[19:23]] == [[], [column], [column], []]


def test_two_bad_cells_of_a_row_cost_two_cells_and_its_others_are_read(tmp_path: Path) -> None:
    (tick,) = read(file(tmp_path, "t_ns,sm_clock_mhz,cost_us,colour,event_reasons\n5,abc,2.5,re_d,0x10\n"))
    assert (tick["t_ns"], tick["cost_us"], "colour" in tick) == (5, 2.5, False)
    assert impossible(tick) == ["sm_clock_mhz", "event_reasons"]


@given(st.lists(st.text("0123456789+-.eE_xnaif \u0661"), min_size=len(COLUMNS) - 1, max_size=len(COLUMNS) - 1))
def test_no_cell_but_the_time_makes_a_row_unusable(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    (tick,) = read(file(tmp_path_factory.mktemp("any"), f"{HEADER}\n{','.join(['1', *cells])}\n"))
    wrong = set(impossible(tick))
    for column, cell in zip(COLUMNS[1:], cells, strict=True):
        assert (cell != "") == ((column.name in tick) != (column.name in wrong))


def fold_file_of(folder: Path, text: str) -> Telemetry:
    file(folder, text)
    return build_record_from(folder / "events.jsonl").telemetry


@given(st.lists(st.none() | st.integers() | st.floats(), min_size=len(COLUMNS) - 1, max_size=len(COLUMNS) - 1))
def test_no_number_that_is_written_is_refused_by_who_reads_it(
    tmp_path_factory: pytest.TempPathFactory, row: list[float | None]
) -> None:
    path = tmp_path_factory.mktemp("any") / "telemetry.csv"
    table = TelemetryFile(path)
    table.write(dict(zip(HEADER.split(","), [1, *row], strict=True)))
    table.close()

    (tick,) = read(path)

    left_out = sum(value is not None for value in row) - (len(tick) - 1)
    assert impossible(tick) == []
    assert sum(table.impossible.values()) == left_out


def test_a_damaged_file_gives_no_telemetry_and_the_record_says_so(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(RUN.text())
    ticks = RUN.ticks()
    assert ticks is not None
    file(tmp_path, telemetry_text(ticks) + "1,2,3\n")
    telemetry = build_record_from(tmp_path / "events.jsonl").telemetry
    assert (telemetry.sampling.ticks, telemetry.training.ticks) == (0, 0)
    why = "row 174 of telemetry.csv has 3 cells for 23 columns"
    assert telemetry.sampling.why_no_ticks == why
    assert [(each.usage, each.why_empty) for each in telemetry.epochs] == [(None, why)] * 5
    assert telemetry.energy.run_joules == 16_100.0  # The counter was read at the edges, which are whole.


def test_a_file_that_is_not_there_is_told_where_a_sampler_ran(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(RUN.text())
    assert build_record_from(tmp_path / "events.jsonl").telemetry.sampling.why_no_ticks == "there is no telemetry.csv"


@given(st.binary(max_size=300) | st.lists(st.sampled_from([HEADER, "t_ns", *",\n\r\"'x-10.e9\0"])).map("".join))
def test_no_file_breaks_the_reading(tmp_path_factory: pytest.TempPathFactory, content: bytes | str) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "events.jsonl").write_text(RUN.text())
    file(folder, content)
    build_record_from(folder / "events.jsonl")


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
