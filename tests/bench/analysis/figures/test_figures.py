"""The figures as data: the values of the tables, every run in them, and a sentence where there is nothing to draw."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import figures
from bench.analysis.comparison import Side
from bench.analysis.figures import accuracy, machine, phases, sides, waits
from bench.analysis.figures.plotly import DARK, HIT, MISS, PHASES, STATES, UNFINISHED, line, of_phase, of_side
from bench.record import Record, build_record
from bench.record.clocks import CLOCKS, HEADLINE, fixed_work_seconds
from bench.record.ticks import TelemetrySample
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, changed, five_seeds

MISSED = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")


def with_waits(run: Run, **body: Any) -> Record:
    """The run with a histogram of the waits before each of its evaluations."""
    told = {"edges_us": [10.0, 100.0, 1000.0], "counts": [1, 90, 5, 1], "floor_us": 20.0, "sum_us": 2e6, **body}
    lines = run.lines()
    for epoch in range(1, len(run.correct) + 1):
        place = next(i for i, line in enumerate(lines) if line["event"] == "epoch" and line["epoch"] == epoch)
        lines.insert(place, {**lines[place], "event": "waits", **told})
    return with_verdict(build_record(lines))


def trace(figure: figures.Figure, name: str, choice: str = "") -> figures.Part:
    return next(
        each for each in figure.data if each["name"] == name and each.get("meta", {}).get("choice", choice) == choice
    )


def titles(figure: figures.Figure) -> list[str]:
    """The titles of the vertical axes, from the top."""
    return [axis["title"]["text"] for name, axis in figure.layout.items() if name.startswith("yaxis")]


# --- Accuracy ---


def test_a_curve_goes_through_the_evaluations_on_the_headline_clock() -> None:
    figure = accuracy.of_campaign([Run().record()])
    curve, mark = figure.data
    assert curve["x"] == [11.5, 21.5, 31.5, 41.5, 51.5]
    assert curve["y"] == [40, 90, 93.99, 94, 95]
    assert (mark["x"], mark["y"], mark["mode"]) == ([41.5], [94.0], "markers")
    assert f"{HEADLINE.label} (s)" in figure.layout["xaxis"]["title"]["text"]
    assert "(%)" in titles(figure)[0]
    assert [(each["y0"], each["y1"]) for each in figure.layout["shapes"]] == [(94.0, 94.0)]
    assert [each["text"] for each in figure.layout["annotations"]] == ["target 94 %"]


def test_hits_misses_and_what_broke_off_are_told_apart() -> None:
    figure = accuracy.of_campaign([Run().record(), MISSED.record(), CRASH.record()])
    states = {"seed 0": HIT, "seed 1": MISS, "seed 2": UNFINISHED, "seed 0 reaches the target": HIT}
    assert {each["name"]: (each["legendgroup"], each["marker"]["color"]) for each in figure.data} == {
        name: (STATES[state].legend, STATES[state].colour) for name, state in states.items()
    }


def test_many_runs_are_all_drawn() -> None:
    records = [replace(Run(), seed=seed).record() for seed in range(40)]
    assert len(accuracy.of_campaign(records).data) == 2 * 40


def test_the_closer_look_holds_every_crossing() -> None:
    records = [each.record() for each in five_seeds()]
    figure = accuracy.of_campaign(records)
    (close,) = figure.close_ups
    crossings = [each for each in figure.data if each["mode"] == "markers"]
    assert len(crossings) == 4
    for each in crossings:
        for values, (low, high) in ((each["x"], close.x), (each["y"], close.y)):
            assert low is not None and high is not None
            assert low < values[0] < high


def test_the_numbers_are_the_evaluations() -> None:
    numbers = accuracy.of_campaign([MISSED.record()]).numbers
    assert numbers.rows[-1] == (1, 5.0, "plain", 51.5, 93.99, 9399, 10_000)


def test_sides_have_a_colour_each_and_their_name_before_the_seeds() -> None:
    figure = accuracy.of_sides([("A", [Run().record()]), ("B", [MISSED.record()])])
    assert [(each["name"], each["legendgroup"], each["marker"]["color"]) for each in figure.data] == [
        ("A, seed 0", "A", of_side(0).colour),
        ("B, seed 1", "B", of_side(1).colour),
    ]
    assert [each["marker"]["symbol"] for each in figure.data] == ["circle", "square-open"]


# --- Phases ---


def test_an_epoch_is_the_sum_of_its_phases() -> None:
    run = Run(checkpoint_seconds=0.5, final_eval_seconds=3.0)
    table = phases.epochs(run.record())
    assert list(table[1.0].items()) == [("train_k", 10), ("eval_k", 2), ("checkpoint_k", 0.5)]
    assert table[5.0]["final_eval"] == 3.0


def test_waiting_is_shown_apart_from_the_rest_of_training_and_never_beyond_it() -> None:
    assert phases.epochs(with_waits(Run()))[2.0] == {"train_k": 8.0, "wait": 2.0, "eval_k": 2.0}
    assert phases.epochs(with_waits(Run(), sum_us=1e9))[2.0] == {"train_k": 0.0, "wait": 10.0, "eval_k": 2.0}


def test_the_life_of_a_run_is_the_sum_of_its_phases() -> None:
    record = with_waits(Run(checkpoint_seconds=0.5))
    assert math.fsum(phases.life(record).values()) == pytest.approx((record.life_ns or 0) / 1e9)


def test_the_median_is_of_the_runs_that_count() -> None:
    runs = [Run(seed=seed, train_seconds=seconds) for seed, seconds in enumerate((10.0, 11.0, 30.0))]
    figure = phases.of_epochs(
        [with_verdict(each.record()) for each in (*runs, replace(CRASH, seed=3, train_seconds=99))]
    )
    assert figure.choices == (phases.MEDIAN, "seed 0", "seed 1", "seed 2", "seed 3")
    assert trace(figure, "training", phases.MEDIAN)["y"] == [11.0] * 5
    assert trace(figure, "training", "seed 3")["y"] == [99.0, 99.0]


def test_one_run_needs_no_median_and_no_choice() -> None:
    figure = phases.of_epochs([with_verdict(Run().record())])
    assert figure.choices == ()
    assert trace(figure, "training", "seed 0")["y"] == [10.0] * 5


def test_a_phase_that_a_run_has_not_is_missing_and_not_zero() -> None:
    records = [Run().record(), Run(seed=1, checkpoint_seconds=1.0).record()]
    figure = phases.of_runs(records)
    assert trace(figure, "checkpoint")["y"] == ["seed 1"]
    place = figure.numbers.header.index("checkpoint")
    assert [row[place] for row in figure.numbers.rows] == [None, 5.0]


# --- The machine ---


def of_machine(*runs: Run) -> figures.Figure:
    return machine.of_runs(
        [with_verdict(each.record()) for each in runs], {each.seed: each.ticks() or [] for each in runs}
    )


def test_a_card_has_its_timelines_with_the_epochs_marked() -> None:
    figure = of_machine(Run(machine=Machine()))
    assert titles(figure) == [
        "utilisation (%)", "power (W)", "SM clock (MHz)", "temperature (C)", "CPU (cores)",
    ]  # fmt: skip
    assert set(trace(figure, "GPU power", "seed 0")["y"]) == {100.0, 250.0}
    assert set(trace(figure, "trainer", "seed 0")["y"]) == {1.5}
    marks = [(each["x"], each["text"]) for each in figure.layout["annotations"]]
    assert marks[:3] == [(25.5, "train"), (35.5, "1"), (47.5, "2")]
    assert [each["x0"] for each in figure.layout["shapes"]][:3] == [25.5, 35.5, 47.5]
    assert figure.close_ups[0].x[0] < 25.5


def test_without_a_card_the_cpus_are_shown() -> None:
    figure = of_machine(Run(machine=Machine(gpu=False)))
    assert titles(figure) == ["CPU (cores)", "memory (GiB)"]
    assert set(trace(figure, "everything else", "seed 0")["y"]) == {0.25}
    assert "No GPU was read" in figure.caption


def test_a_card_that_only_watches_is_told() -> None:
    assert "was watched and did not train" in of_machine(Run(machine=Machine(role="watched"))).caption


def test_a_quantity_that_was_not_read_has_no_panel() -> None:
    figure = of_machine(Run(machine=Machine(every_tick={"gpu_utilisation_percent": None})))
    assert titles(figure)[0] == "power (W)"
    assert trace(figure, "GPU power", "seed 0")["yaxis"] == "y"
    assert trace(figure, "SM clock", "seed 0")["yaxis"] == "y2"


def test_without_telemetry_a_sentence_says_why() -> None:
    figure = of_machine(Run())
    assert figure.empty == "There is no timeline of the machine: no telemetry was recorded."
    assert figure.data == ()


def test_a_long_run_is_thinned_and_says_so() -> None:
    figure = of_machine(Run(machine=Machine(period_ms=100)))
    assert max(len(each["x"]) for each in figure.data) <= machine.MOST_POINTS + 2
    assert f"about {machine.MOST_POINTS} points" in figure.caption


@given(st.lists(st.floats(-1e6, 1e6), max_size=2000), st.integers(10, 400))
def test_thinning_keeps_the_ends_the_lowest_and_the_highest_and_invents_nothing(values: list[float], most: int) -> None:
    points = [(float(index), value) for index, value in enumerate(values)]
    kept = machine.thinned(points, most)
    assert len(kept) <= most
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    if points:
        assert {points[0], points[-1]} <= set(kept)
        assert {min(values), max(values)} <= {value for _, value in kept}


# --- Waits ---


def test_waits_after_the_first_epoch_are_counted_together() -> None:
    records = [with_waits(Run()), with_waits(Run(seed=1))]
    figure = waits.of_runs(records)
    assert figure.choices == (waits.ALL, "seed 0", "seed 1")
    assert trace(figure, "steps", waits.ALL)["y"] == [8, 720, 40, 8]
    assert trace(figure, "steps", "seed 1")["y"] == [4, 360, 20, 4]
    assert figure.layout["xaxis"]["ticktext"] == ["below 10 us", "10 us to 100 us", "100 us to 1 ms", "1 ms or more"]


def test_the_floor_stands_where_it_lies_between_the_edges() -> None:
    layout = waits.of_runs([with_waits(Run(), floor_us=math.sqrt(10.0 * 100.0))]).layout
    assert layout["shapes"][0]["x0"] == pytest.approx(1.0)
    assert layout["annotations"][0]["text"] == "baseline 31.6 us"
    for floor_us, place in ((0.0, 0.0), (5000.0, 3.0)):
        assert waits.of_runs([with_waits(Run(), floor_us=floor_us)]).layout["shapes"][0]["x0"] == place


@pytest.mark.parametrize(
    "record, sentence",
    [
        (Run(hello={"input": "device"}).record(), "the dataset rests on the device"),
        (Run().record(), "measured no waits"),
        (with_waits(Run(epochs=1, correct=(9500,))), "no waits after the first epoch"),
    ],
)
def test_without_waits_a_sentence_says_why(record: Record, sentence: str) -> None:
    figure = waits.of_runs([with_verdict(record)])
    assert sentence in figure.empty
    assert figure.data == ()


# --- Sides ---


def side(name: str, *runs: Run) -> Side:
    return Side(name, name, tuple(with_verdict(each.record()) for each in runs))


def test_a_side_has_a_dot_for_each_run_that_is_compared_and_its_mean() -> None:
    one = side("A", *five_seeds(), replace(CRASH, seed=9))
    dots, middle = sides.fixed_work([one]).data
    assert dots["x"] == list(one.seconds)
    assert len(dots["x"]) == 5
    assert len({round(y, 3) for y in dots["y"]}) == 5
    assert middle["error_x"]["array"][0] > 0 and middle["error_x"]["arrayminus"][0] > 0


def test_one_run_a_side_has_no_interval() -> None:
    _, middle = sides.fixed_work([side("A", Run())]).data
    assert "error_x" not in middle


def test_the_epochs_of_a_side_are_medians_over_its_runs() -> None:
    figure = sides.epoch_times([side("A", *five_seeds()), side("B", replace(CRASH, seed=0))])
    assert [(each["name"], each["y"][0]) for each in figure.data] == [("A", pytest.approx(10.2))]


# --- Together ---


@pytest.mark.parametrize(
    "records",
    [
        (),
        (CRASH.record(),),
        (replace(CRASH, correct=()).record(),),
        (build_record(Run().lines()[:1]),),
        (replace(Run().record(), seed=None),),
        (build_record([line for line in Run().lines() if line["event"] != "phase"]),),
        (build_record(changed(Run().lines(), "hello", recipe={})),),
    ],
)
def test_every_figure_has_something_to_draw_or_says_why_not(records: tuple[Record, ...]) -> None:
    ticks: dict[int | None, list[TelemetrySample]] = {}
    drawn = (*figures.campaign([with_verdict(each) for each in records], ticks), *figures.comparison([]))
    for figure in drawn:
        assert bool(figure.data) != bool(figure.empty), figure.key
        choices = {each["meta"]["choice"] for each in figure.data if "meta" in each}
        assert choices <= set(figure.choices) or not figure.choices
        for each in figure.data:
            assert len(each["x"]) == len(each["y"])
            assert each["yaxis"].replace("y", "yaxis") in figure.layout
            assert len(each.get("text", each["y"])) == len(each["y"])
            assert None not in [*each["x"], *each["y"]]


def test_fixed_work_of_a_side_is_that_of_the_train_clock() -> None:
    one = side("A", Run())
    assert sides.fixed_work([one]).data[0]["x"] == [fixed_work_seconds(CLOCKS["train"], one.records[0])]


def test_only_whole_epochs_are_times_of_an_epoch() -> None:
    record = with_verdict(Run().record())
    one, two, *_, last = record.epochs
    part = replace(last, epoch=2.59, train_seconds=1.0)
    beside = replace(two, view="flip", train_seconds=0.0)
    cut = replace(record, epochs=(one, two, beside, part), recipe={**record.recipe, "epochs": 2.59})
    figure = sides.epoch_times([Side("A", "A", (cut,))])
    ((epochs, seconds),) = [(each["x"], each["y"]) for each in figure.data]
    assert epochs == [1.0, 2.0]
    assert seconds == [one.train_seconds, two.train_seconds]
    assert "Left out" in figure.caption


def test_evaluations_every_few_epochs_tell_no_time_of_one() -> None:
    record = Run().record()
    rare = replace(record, epochs=tuple(replace(each, epoch=5 * each.epoch) for each in record.epochs))
    figure = sides.epoch_times([Side("A", "A", (with_verdict(rare),))])
    assert not figure.data and "evaluated after each epoch" in figure.empty


def test_epochs_that_are_sums_of_floats_are_whole() -> None:
    record = Run().record()
    odd = replace(record, epochs=tuple(replace(each, epoch=each.epoch + 1e-9) for each in record.epochs))
    assert len(sides.epoch_times([Side("A", "A", (with_verdict(odd),))]).data[0]["x"]) == 5


def test_every_colour_of_a_figure_has_its_dark_one() -> None:
    both = {"#8b96a1", "#e69f00", "#cc79a7"}  # Light enough and dark enough for either page.
    looks = [*STATES.values(), *map(of_side, range(6)), *map(of_phase, (*PHASES, "of a trainer's own"))]
    assert {each.colour for each in looks} <= DARK.keys() | both


def test_what_is_not_finite_is_not_drawn() -> None:
    assert line("a", [1.0, math.nan], [math.inf, 7.440228319], STATES[HIT], ())["y"] == [None, 7.440228319]
    assert line("a", [1.0, math.nan], [math.inf, 7.440228319], STATES[HIT], ())["x"] == [1.0, None]
