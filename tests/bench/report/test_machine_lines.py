"""What the machine did, told after the summary: only what is known, and a stall that cannot be is no 0 %."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.analysis import frames
from bench.record import Record, build_record
from bench.report import console, machine_lines
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run

WATCHED = Run(machine=Machine())


def render(*records: Record, cost_per_hour: float | None = None, width: int = 160) -> str:
    told = [with_verdict(record) for record in records]
    table = frames.runs(told, cost_per_hour)
    return console.render(told, table, frames.summary(table), (), width)


def lines(text: str, label: str) -> list[str]:
    """A labelled line without its label, and those that go on from it."""
    told = text.splitlines()
    begin = next((i for i, each in enumerate(told) if each.startswith(f"{label} ")), None)
    if begin is None:
        return []
    end = next(i for i in range(begin + 1, len(told)) if not told[i].startswith("  "))
    first, *others = told[begin:end]
    return [first.removeprefix(label).strip(), *(each.strip() for each in others)]


def waited(sum_us: float, **changes: Any) -> Record:
    """A run whose second epoch of 10 s waited 97 times, with a floor of 200 us."""
    run = Run(**changes)
    counts = {"epoch": 2.0, "edges_us": [1e3], "counts": [90, 7], "floor_us": 200.0, "sum_us": sum_us}
    told = run.lines()
    return build_record(
        [*told[:-1], {"v": 1, "event": "waits", "run": 0, "t_ns": told[-1]["received_ns"], **counts}, told[-1]]
    )


def test_the_card_its_energy_and_what_both_are_of_are_told() -> None:
    text = render(WATCHED.record(), replace(WATCHED, seed=1, machine=Machine(training_watts=350.0)).record())
    assert lines(text, "GPU") == [
        "busy 90 %, 300 W, 1,530 MHz (medians of training, each over 2 runs)",
        "18,600 ± 12 J a run (mean of 2 runs, ± the steps of the counter), 15,150 J to 94 % "
        "(median of 2, misses infinite)",
    ]


def test_a_miss_takes_infinite_energy_and_money_to_the_target() -> None:
    text = render(replace(WATCHED, correct=(1, 2, 3, 4, 9399)).record(), cost_per_hour=3.06)
    assert lines(text, "GPU")[1].endswith("16,100 ± 10 J a run (one run, ± the steps of the counter), inf J to 94 %")
    assert lines(text, "Cost to 94 %") == ["inf for the whole machine on demand; one run"]


def test_energy_by_readings_of_power_has_no_uncertainty_to_tell() -> None:
    machine = Machine(training_watts=200.0, idle_watts=200.0, counter=False)
    text = render(Run(machine=machine).record())
    assert lines(text, "GPU")[1] == "17,200 J a run (one run, by readings of power), 14,300 J to 94 %"


def test_a_card_that_did_not_train_is_told_for_what_it_is() -> None:
    text = render(Run(machine=Machine(role="watched")).record())
    assert lines(text, "GPU") == [
        "busy 90 %, 250 W, 1,530 MHz (medians of training); it was watched and did not train",
        "16,100 ± 10 J a run (one run, ± the steps of the counter), of the watched card and not of the training",
    ]


def test_the_energy_of_the_card_that_trained_is_not_told_for_that_of_one_that_was_watched() -> None:
    watched = Run(machine=Machine(role="watched"), hello={"precision": "fp32"}, seed=1)
    trained, other = render(WATCHED.record(), watched.record()).split("fp32")
    assert "of the watched card" not in trained
    assert "of the watched card" in other


def test_without_a_card_there_is_no_line_about_one() -> None:
    text = render(Run(machine=Machine(gpu=False)).record())
    assert lines(text, "GPU") == []
    assert lines(text, "CPU") == ["1.50 cores kept busy by the trainer, 0.25 by everything else (medians of training)"]


def test_the_price_is_shown_as_the_board_shows_it() -> None:
    assert lines(render(WATCHED.record(), cost_per_hour=3.06), "Cost to 94 %")[0].startswith("$0.04 for the whole")
    assert lines(render(WATCHED.record()), "Cost to 94 %") == []


@pytest.mark.parametrize(("value", "shown"), [
    (1.1829, "$1.18"), (0.2895, "$0.29"), (0.2582, "$0.26"), (6.8723, "$6.87"), (8.4396, "$8.44"), (0.0629, "$0.06"),
    (1234.5, "$1,234.50"), (0.0012, "$0.0012"), (float("inf"), "inf"),
])  # fmt: skip
def test_dollars_are_rounded_to_the_nearest_cent(value: float, shown: str) -> None:
    assert machine_lines.dollars(value) == shown


def test_stalls_are_the_share_of_training_beyond_the_floor() -> None:
    stalls = lines(render(waited(1_019_400.0)), "Input stalls")  # 1.0194 s of waits, 19.4 ms of them the floor.
    assert stalls == ["10.0 % of training after the first epoch was spent waiting for batches (median of the runs)"]


def test_a_dataset_on_the_device_is_not_applicable_rather_than_never_waited_for() -> None:
    for record in (Run(hello={"input": "device"}).record(), waited(1_019_400.0, hello={"input": "device"})):
        text = render(record)
        assert lines(text, "Input stalls") == ["not applicable: the dataset rests on the device"]


def test_waits_that_nobody_measured_have_no_line() -> None:
    assert lines(render(Run().record()), "Input stalls") == []


def test_the_sampler_is_part_of_what_the_harness_costs() -> None:
    assert "; the sampler 301 us a tick, at most 1.0 ms late" in render(WATCHED.record())
    whole = WATCHED.record()
    sampling = replace(whole.telemetry.sampling, missed=240)
    held_up = replace(whole, telemetry=replace(whole.telemetry, sampling=sampling))
    assert "at most 1.0 ms late, 240 ticks left out" in render(held_up, width=400)
    assert "the sampler" not in render(Run().record())


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    text = render(WATCHED.record(), waited(1_019_400.0, seed=1), cost_per_hour=3.06, width=width)
    assert max(len(each) for each in text.splitlines()) <= width


def test_a_run_that_does_not_say_where_its_input_was_says_nothing_of_stalls() -> None:
    silent = replace(Run().record(), input=None)
    assert lines(render(silent, Run(seed=1).record()), "Input stalls") == []
