"""Telemetry of a run: what fell into its training, what its counters grew by, and why something is not known.

``Run`` lives 86 s: 25.5 s of preparation, five epochs of 10 s training and 2 s evaluation, and 0.5 s of exit.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Telemetry, Usage, build_record
from bench.record.telemetry import SILENT
from bench.record.ticks import TelemetrySample, ticks
from bench.system import json_schema
from tests.bench.record.test_build import HOSTILE_LINES, JSON_VALUES, REAL_LINES, bent_lines
from tests.support.machines import Machine, telemetry_text
from tests.support.records import NS, Run, changed


def telemetry(machine: Machine, **changes: Any) -> Telemetry:
    return Run(machine=machine, **changes).record().telemetry


def run_with(**edge: Any) -> Run:
    return Run(machine=Machine(edges=edge))


# Ticks


def test_an_epoch_has_the_ticks_of_its_own_training() -> None:
    found = telemetry(Machine())
    assert [(each.epoch, each.ticks, each.why_empty) for each in found.epochs] == [(k, 20, "") for k in range(1, 6)]
    usage = found.epochs[0].usage
    assert usage is not None and usage.gpu_utilisation_percent is not None and usage.gpu_power_watts is not None
    assert (usage.gpu_utilisation_percent.min, usage.gpu_utilisation_percent.max) == (90.0, 90.0)
    assert (usage.gpu_power_watts.mean, usage.gpu_power_watts.ticks) == (250.0, 20)
    assert usage.memory_clock_mhz is None
    assert found.training.ticks == 100


@pytest.mark.parametrize(("period_ms", "why"), [
    (3000.0, "3 ticks in the epoch; 5 are needed"), (11_000.0, "1 tick in the epoch; 5 are needed"), (2000.0, ""),
])  # fmt: skip
def test_too_few_ticks_say_nothing_about_an_epoch(period_ms: float, why: str) -> None:
    epoch = telemetry(Machine(period_ms=period_ms)).epochs[1]
    assert epoch.why_empty == why
    assert (epoch.usage is None) is bool(why)


def test_a_tick_on_the_edge_of_an_epoch_is_in_it() -> None:
    one = Run(correct=(9500,), epochs=1, machine=Machine(late_ms=0.0)).record()
    assert one.telemetry.epochs[0].ticks == 21  # Both its first and its last moment.


def test_an_epoch_evaluated_after_several_has_the_ticks_of_them_all() -> None:
    run = Run(machine=Machine())
    lines = [line for line in run.lines() if not (line["event"] == "epoch" and line["epoch"] in (2, 3))]
    found = build_record(lines, telemetry=run.ticks()).telemetry
    assert [(each.epoch, each.ticks, each.train_joules, each.train_uncertainty_joules) for each in found.epochs] == [
        (1, 20, 2500.0, 10.0), (4, 60, 7500.0, 30.0), (5, 20, 2500.0, 10.0)
    ]  # fmt: skip


def test_cores_kept_busy_are_told_of_the_trainer_and_of_others() -> None:
    usage = telemetry(Machine(trainer_cores=1.5, other_cores=0.25)).epochs[0].usage
    assert usage is not None and usage.trainer_cpu_cores is not None and usage.other_cpu_cores is not None
    assert usage.trainer_cpu_cores.median == pytest.approx(1.5)
    assert usage.trainer_cpu_cores.ticks == 19  # The time before the first tick is no training.
    assert usage.other_cpu_cores.median == pytest.approx(0.25)
    assert usage.other_cpu_cores.ticks == 9  # The machine is read on every second tick.


def test_cores_between_the_ticks_of_two_epochs_are_of_the_run_and_of_neither_epoch() -> None:
    # No tick falls into an evaluation, so that each epoch's first follows on the last one of the epoch before.
    found = telemetry(Machine(), train_seconds=9.75, eval_seconds=0.25)
    assert found.training.trainer_cpu_cores is not None
    usages = [each.usage for each in found.epochs]
    cores = [usage.trainer_cpu_cores for usage in usages if usage is not None]
    inside = [each.ticks for each in cores if each is not None]
    assert inside == [each.ticks - 1 for each in found.epochs]
    assert found.training.trainer_cpu_cores.ticks == found.training.ticks - 1 > sum(inside)


def test_a_machine_whose_times_are_not_to_be_read_has_no_others() -> None:
    usage = telemetry(Machine(every_tick={"system_busy_seconds": None})).training
    assert usage.other_cpu_cores is None
    assert usage.trainer_cpu_cores is not None


def test_cpu_time_that_goes_back_is_left_out() -> None:
    seconds = iter([1.0, 2.0, 1.5, 2.5])
    ticks: list[TelemetrySample] = [{"t_ns": (1026 + k) * NS, "trainer_cpu_seconds": next(seconds)} for k in range(4)]
    cores = build_record(Run().lines(), telemetry=ticks).telemetry.training.trainer_cpu_cores
    assert cores is not None
    assert (cores.ticks, cores.mean) == (2, 1.0)


def test_reasons_are_shares_of_the_training_ticks() -> None:
    shares = telemetry(Machine()).reason_shares
    assert (shares["software_power_cap"], shares["hardware_thermal"]) == (0.5, 0.0)
    assert telemetry(Machine(gpu=False)).reason_shares == {}


def test_the_sampler_accounts_for_itself() -> None:
    sampling = telemetry(Machine(late_ms=1.0)).sampling
    assert (sampling.period_ms, sampling.ticks, sampling.missed) == (500.0, 172, 0)
    assert (sampling.cost_median_us, sampling.cost_max_us, sampling.took_max_us) == (301.0, 302.0, 402.0)
    assert (sampling.late_median_ms, sampling.late_max_ms) == (1.0, 1.0)
    ticks_us, edges_us = 57 * (300 + 301 + 302) + 300, 21 * 2000  # 172 ticks; 21 edges
    assert sampling.cpu_seconds == pytest.approx((ticks_us + edges_us) / 1e6)


def test_missed_ticks_are_the_gaps_in_the_schedule() -> None:
    run = Run(machine=Machine())
    ticks = run.ticks()
    assert ticks is not None
    late = {**ticks[50], "late_ms": 480.0, "t_ns": ticks[50]["t_ns"] + 479_000_000}
    found = build_record(run.lines(), telemetry=[*ticks[:20], *ticks[23:50], late, *ticks[51:]]).telemetry
    assert found.sampling.missed == 3  # One that came late was not missed.


@pytest.mark.parametrize(("counts", "most"), [([0, 2, 1], 2), ([0, 0, 0], 0), ([None, None, None], None)])
def test_foreign_processes_are_the_most_that_were_seen(counts: list[int | None], most: int | None) -> None:
    ticks: list[TelemetrySample] = [
        {"t_ns": (1026 + k) * NS, **({} if n is None else {"foreign_processes": n})} for k, n in enumerate(counts)
    ]
    assert build_record(Run().lines(), telemetry=ticks).telemetry.foreign_processes == most


@pytest.mark.parametrize(
    ("role", "listed", "foreign", "told"),
    [("trains", 0, 0, None), ("trains", 1, 0, 0), ("trains", 0, 2, 2), ("trains", None, 0, 0), ("watched", 0, 0, 0)],
)
def test_a_list_that_had_nobody_on_it_says_nothing_of_others(
    role: str, listed: int | None, foreign: int, told: int | None
) -> None:
    machine = Machine(role=role, every_tick={"gpu_processes": listed, "foreign_processes": foreign})
    assert telemetry(machine).foreign_processes == told


CALLS = dict.fromkeys(("power", "event_reasons", "processes", "energy", "temperature", "lost_software_power_cap",
                      "lost_thermal", "newer"), "yes")  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "silent"),
    [
        ({}, {"lost_thermal"}),
        ({"every_tick": {"event_reasons": None}}, {"lost_thermal", "event_reasons"}),
        ({"every_tick": {"gpu_processes": None}}, {"lost_thermal", "processes"}),
        ({"every_tick": {"gpu_power_watts": 1e9}}, {"lost_thermal"}),
        ({"every_tick": {"gpu_temperature_celsius": None}}, {"lost_thermal"}),
        ({"edges": {"temperature_celsius": None}}, {"lost_thermal"}),
        ({"every_tick": {"gpu_temperature_celsius": None}, "edges": {"temperature_celsius": None}},
         {"lost_thermal", "temperature"}),
        ({"edges": {"energy_mj": None, "lost_ns": {}}}, {"lost_thermal", "lost_software_power_cap", "energy"}),
        ({"edges": {"energy_mj": 2**64 - 2, "lost_ns": {"thermal": 2**64 - 2}}}, set()),
    ],
)  # fmt: skip
def test_a_call_that_answered_once_and_never_in_the_run_is_told(changes: dict[str, Any], silent: set[str]) -> None:
    run = Run(machine=Machine(calls=CALLS, **changes))
    text = telemetry_text(run.ticks() or [])
    found = build_record(
        [json.dumps(line).encode() for line in run.lines()], telemetry=ticks(io.StringIO(text))
    ).telemetry
    assert {name for name, why in found.gpu["calls"].items() if why == SILENT} == silent
    assert {why for name, why in found.gpu["calls"].items() if name not in silent} == {"yes"}


def test_nothing_is_said_of_the_calls_of_a_lost_card_or_of_one_without_ticks() -> None:
    run = Run(machine=Machine(calls=CALLS, every_tick={"event_reasons": None}))
    lost = [*run.lines(), {"event": "harness_gpu_lost", "t_ns": 1, "why": "gone"}]
    refused = Run(machine=Machine(calls={"power": "no permission"}, every_tick={"gpu_power_watts": None}))
    assert build_record(lost, telemetry=run.ticks()).telemetry.gpu["calls"] == CALLS
    assert build_record(run.lines(), telemetry=None).telemetry.gpu["calls"] == CALLS
    assert build_record(refused.lines(), telemetry=refused.ticks()).telemetry.gpu["calls"] == {"power": "no permission"}


def test_what_the_sampler_left_empty_is_counted_with_what_the_file_holds() -> None:
    run = Run(machine=Machine())
    lines = [*run.lines(), {"event": "harness_impossible", "counts": {"gpu_power_watts": 7, "sm_clock_mhz": "x"}}]
    assert build_record(lines, telemetry=run.ticks()).telemetry.impossible == {"gpu_power_watts": 7}


def test_a_card_that_was_lost_marks_the_run_and_keeps_what_was_read() -> None:
    run = Run(machine=Machine())
    lost = {"event": "harness_gpu_lost", "t_ns": 1_080 * NS, "why": "Unknown Error"}
    lines = changed(run.lines(), "harness_edge", -1, energy_mj=None)
    found = build_record([*lines[:-1], lost, lines[-1]], telemetry=run.ticks()).telemetry
    assert found.gpu_lost == "Unknown Error"
    assert (found.energy.run_joules, found.energy.why_empty) == (None, "the GPU was lost: Unknown Error")
    assert found.training.ticks == 100


# Host


def test_the_host_is_told_over_the_life_of_the_process() -> None:
    found = telemetry(Machine(trainer_cores=1.5, other_cores=0.25))
    assert found.lost_seconds == {"hardware_thermal": 0.0, "software_power_cap": pytest.approx(8.6)}
    assert found.steal_share == pytest.approx(0.25 / (0.25 + 1.75))
    assert (found.swapped_bytes, found.read_bytes) == (0, 86_000)
    assert found.throttled_seconds == pytest.approx(43.0)
    assert found.pressure_shares == {"cpu": pytest.approx(0.125), "io": 0.0}
    assert found.start_temperature_celsius == 41


def test_what_the_trainer_read_from_disk_is_all_of_its_own_counter() -> None:
    run = Run(machine=Machine())
    lines = changed(run.lines(), "harness_edge", 0, read_bytes=None)  # Before the spawn there is no process to ask.
    lines = changed(lines, "harness_edge", 1, read_bytes=50_000)
    assert build_record(lines, telemetry=run.ticks()).telemetry.read_bytes == 86_000


def test_the_temperature_at_the_start_is_that_of_the_first_tick_where_the_edge_has_none() -> None:
    run = Run(machine=Machine())
    lines = changed(run.lines(), "harness_edge", 0, temperature_celsius=None)
    assert build_record(lines, telemetry=run.ticks()).telemetry.start_temperature_celsius == 50


@pytest.mark.parametrize("name", ["swapped_bytes", "throttled_seconds", "steal_seconds", "pressure_seconds", "lost_ns"])
def test_what_the_kernel_does_not_count_is_not_known(name: str) -> None:
    found = run_with(**{name: None}).record().telemetry
    gone = {
        "swapped_bytes": found.swapped_bytes,
        "throttled_seconds": found.throttled_seconds,
        "steal_seconds": found.steal_share,
        "pressure_seconds": found.pressure_shares or None,
        "lost_ns": found.lost_seconds or None,
    }
    assert gone[name] is None
    assert sum(value is None for value in gone.values()) == 1


# Runs of which little is known


def test_a_run_from_before_there_was_a_sampler_has_no_telemetry() -> None:
    assert Run().record().telemetry == Telemetry()


def test_a_run_without_a_card_keeps_what_the_host_said() -> None:
    found = telemetry(Machine(gpu=False))
    usage = found.epochs[0].usage
    assert usage is not None and usage.trainer_cpu_cores is not None
    assert usage.gpu_utilisation_percent is None
    assert found.why_no_gpu.startswith("there is no NVIDIA driver library")
    assert found.gpu == {}


def test_telemetry_that_was_switched_off_says_so() -> None:
    lines = Run(machine=Machine(sampler={"off": True})).lines()
    found = build_record([line for line in lines if line["event"] != "harness_edge"]).telemetry
    assert found.sampling.off
    assert found.sampling.why_no_ticks == ""
    assert {each.why_empty for each in found.epochs} == {"telemetry was off"}
    assert found.training == Usage()


def test_a_record_with_telemetry_comes_back_from_its_file_as_it_was() -> None:
    import json

    record = Run(machine=Machine()).record()
    assert json_schema.load(type(record), json.loads(json_schema.dump(record))) == record


MACHINE_LINES = st.sampled_from([line for line in Run(machine=Machine()).lines() if "harness" in line["event"]])


@st.composite
def bent_machine_lines(draw: st.DrawFn) -> dict[str, Any]:
    """A line of the sampler with one of its values replaced."""
    line = dict(draw(MACHINE_LINES))
    return {**line, draw(st.sampled_from(sorted(line))): draw(JSON_VALUES)}


@st.composite
def odd_ticks(draw: st.DrawFn) -> list[TelemetrySample]:
    """Ticks such as a file can hold: at increasing times, with any finite numbers."""
    names = ["late_ms", "cost_us", "gpu_power_watts", "event_reasons", "trainer_cpu_seconds", "system_busy_seconds"]
    number = st.floats(-(2.0**62), 2.0**62) | st.integers(-(2**62), 2**62)
    times = sorted(draw(st.sets(st.integers(-(2**62), 2**62) | st.integers(1_000 * NS, 1_090 * NS), max_size=12)))
    return [{"t_ns": t_ns, **draw(st.dictionaries(st.sampled_from(names), number))} for t_ns in times]


@given(st.lists(bent_machine_lines() | MACHINE_LINES | REAL_LINES | bent_lines() | HOSTILE_LINES), odd_ticks())
def test_nothing_breaks_the_folding_and_what_it_gives_can_be_written(
    lines: list[Any], ticks: list[TelemetrySample]
) -> None:
    found = build_record(lines, telemetry=ticks)
    # A text may well hold the letters; a number that is none may not be there.
    json.loads(json_schema.dump(found), parse_constant=pytest.fail)
    assert found.telemetry.energy.run_joules is None or math.isfinite(found.telemetry.energy.run_joules)
