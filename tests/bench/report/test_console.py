"""The summary: every time with its clock, a miss shown as one, nothing left out in silence, and lines that fit."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import frames
from bench.record import Record, build_record
from bench.report import console
from bench.rules import with_verdict
from tests.support.records import Run, changed, five_seeds

MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")


def render(*runs: Run | Record, width: int = 120, colour: bool = False, notes: tuple[str, ...] = ()) -> str:
    records = [with_verdict(run.record() if isinstance(run, Run) else run) for run in runs]
    table = frames.runs(records)
    return console.render(records, table, frames.summary(table), notes, width, colour)


def line(text: str, beginning: str) -> str:
    return next(each for each in text.splitlines() if each.strip().startswith(beginning))


def words(text: str, beginning: str) -> str:
    return " ".join(line(text, beginning).split())


def test_each_seed_has_a_line() -> None:
    text = render(*five_seeds())
    header = "seed status accuracy % at epoch dawnbench@1 s compile s cold s run s train s wall s images/s verdict"
    assert words(text, "seed") == header
    assert words(text, "0 ") == "0 done 94.08 5 51.50 20.00 71.50 51.00 50.00 85.50 4,966 clean"
    assert words(text, "2 ") == "2 done 93.99 missed inf 20.00 inf inf inf inf 4,869 clean"


HITS = [Run(seed=seed, train_seconds=10 + seed) for seed in range(3)]


def after_the_seeds(text: str) -> list[str]:
    """The lines below the table, each as its words."""
    return [" ".join(each.split()) for each in text.split("\n\n")[1].splitlines()]


def test_the_headline_has_its_clock_and_the_times_of_one_run_beside_it() -> None:
    headline, one, *_ = after_the_seeds(render(*HITS, width=200))
    assert headline == "Time to 94 % 45.50 s (dawnbench@1), median of 3 runs"
    assert one == (
        "seed 1, the median run: 45.50 s, with compilation (20.00 s) 65.50 s (dawnbench-cold@1), wall clock from "
        "process start 77.50 s (wall@1)"
    )


def test_with_misses_the_success_rate_and_the_expected_time_come_first() -> None:
    rate, expected, time, one, *_ = after_the_seeds(render(*five_seeds(), width=300))
    assert rate.startswith("Reached 94 % 4 of 5, 80 %")
    assert expected.startswith("expected time to the first success")
    assert "108.2 s [89.77 to 231.2 s] (wall@1, each retry in a new process); " in expected
    assert "(wall@1, retries in the same process); " in expected
    assert "65.62 s [54.47 to 139.8 s] (dawnbench@1, without start, compilation and evaluation)" in expected
    assert time.startswith("Time to 94 % 53.00 s (dawnbench@1), median run of the 4 that reached it")
    assert "missed" not in " ".join([rate, expected, time, one])


def test_success_accuracy_and_fixed_work_are_told_with_their_uncertainty() -> None:
    text = render(*five_seeds())
    assert "4 of 5, 80 % (95 % interval 38 to 96 %)" in line(text, "Reached 94 %")
    assert "94.09 ± 0.09 %" in line(text, "Final accuracy")
    assert "52.50 s (dawnbench@1) for the whole schedule" in line(text, "Fixed work")
    assert "51.50 to inf: fastest to slowest, 93.75 % interval of the median of all runs" in text


def test_figures_side_by_side_are_of_one_run_or_said_to_be_medians_of_their_own() -> None:
    several, one = " ".join(render(*five_seeds()).split()), " ".join(render(Run()).split())
    assert "images/s (medians, each over 5 runs)" in several
    assert "medians" not in one and "the median run" not in one


def test_how_steadily_it_trains_is_told_and_who_stands_out() -> None:
    runs = [Run(seed=seed, train_seconds=each) for seed, each in enumerate((10.0, 10.1, 9.9, 10.05, 20.0))]
    steadiness = " ".join(render(*runs).split())
    assert "Steadiness training time of one run spreads by 30.95 % (standard deviation)" in steadiness
    assert "seed 4 stands out from the others (modified z-score) and is in all figures" in steadiness
    assert "Steadiness" not in render(Run())


def test_without_a_miss_there_is_no_retry_to_expect() -> None:
    assert "expected time" not in render(*HITS)


def test_six_runs_tell_an_interval_of_their_median() -> None:
    runs = [Run(seed=seed, train_seconds=10 + seed / 100) for seed in range(6)]
    assert "41.50 to 41.70 s: 96.88 % interval of the median of all runs" in " ".join(render(*runs).split())


def test_the_cost_of_the_harness_is_told() -> None:
    assert "at most 0.06 % of one core in a run, woken 40 times; events cost the trainer 1.0 ms" in render(Run())


def test_a_campaign_of_misses_has_a_rate_and_no_time() -> None:
    rate, time, *_ = after_the_seeds(render(MISS))
    assert rate.startswith("Reached 94 % 0 of 1") and time == "Time to 94 % not reached by any run"


def test_what_is_left_out_is_told_with_the_reason_and_what_to_do() -> None:
    text = render(Run(), CRASH, Run(seed=3, hello={"seed": 9}), width=200)
    assert "2 of 3 planned runs (1 invalid, 1 unfinished): seed 2, 3; in none of these times" in line(text, "Left out")
    assert "seed 2: the run failed: the trainer left with exit code 5; read trainer.log" in text
    assert "seed 3: the trainer ran with seed 9, not 3; " in text


def test_nothing_but_crashes_have_no_headline() -> None:
    text = render(CRASH)
    assert "Time to" not in text
    assert words(text, "2 ").startswith("2 failed 90.00 - -")


def test_a_run_of_which_nothing_is_known_is_dashes() -> None:
    assert words(render(build_record([])), "-").startswith("- interrupted - - -")


def test_the_stand_in_is_told_for_what_it_is() -> None:
    synthetic = Run(dataset="synthetic", dataset_state="synthetic", recipe="smoke")
    assert "no CIFAR-10 result" in render(synthetic)
    assert "nobody verified that the images are those" in render(Run(dataset_state="unverified"), width=200)
    assert "CIFAR-10 result" not in render(Run())


def test_a_reason_found_in_every_seed_is_told_once() -> None:
    runs = [replace(run, git_dirty=True) for run in five_seeds()]
    text = render(*runs, width=200)
    assert text.count("changes that are not committed") == 1
    assert "seed 0" not in text
    assert "5 of the 5 runs" in text


def test_notes_about_the_campaign_stand_at_the_end() -> None:
    assert render(Run(), notes=("runs differ",)).splitlines()[-1].split() == ["Note", "runs", "differ."]


def test_configurations_are_told_apart() -> None:
    text = render(Run(), Run(recipe="keras24", seed=1))
    assert text.count("Time to 94 %") == 2
    assert "keras24, cifar10, Some CPU, bf16, host" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    text = render(*five_seeds(), CRASH, Run(seed=6, git_dirty=True), width=width)
    assert max(len(each) for each in text.splitlines()) <= width


def test_a_narrow_terminal_keeps_what_matters_most() -> None:
    header = line(render(*five_seeds(), width=60), "seed")
    assert re.split(" {2,}", header) == ["seed", "status", "accuracy %", "at epoch", "dawnbench@1 s", "verdict"]


def test_colour_is_for_terminals() -> None:
    assert "\x1b[32mclean" in render(Run(), colour=True)
    assert "\x1b" not in render(Run())


def test_words_of_a_trainer_cannot_steer_the_terminal() -> None:
    warning = {"v": 1, "event": "warning", "run": 0, "t_ns": 0, "message": "\x1b[2Jboo [bold]x[/bold]"}
    lines = changed(Run().lines(), "hello", device={"kind": "cpu", "name": "\x1b]0;x\x07", "uuid": ""})
    text = render(build_record([warning, *lines]))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "boo [bold]x[/bold]" in text


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("kind", [io.TextIOWrapper, Terminal])
def test_any_encoding_can_show_it(encoding: str, kind: type[io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = changed(Run().lines(), "hello", recipe={**Run().lines()[2]["recipe"], "name": "✓"})
    records = [with_verdict(build_record(lines)), *(with_verdict(Run(seed=seed).record()) for seed in (1, 2))]
    table = frames.runs(records)
    raw = io.BytesIO()
    out = kind(raw, encoding=encoding)
    console.show(records, table, frames.summary(table), out)
    text = raw.getvalue().decode(encoding)
    assert ("95.00 ± 0.00" if encoding == "utf-8" else "95.00 +- 0.00") in text
    assert ("\x1b" in text) == (kind is Terminal)
    assert max(len(re.sub("\x1b[^m]*m", "", each)) for each in text.splitlines()) <= 100


@pytest.mark.parametrize(("value", "shown"), [
    (74.041, "74.04 s"), (0.0, "0.00 s"), (340.631, "340.6 s"), (3412.5, "3,412.5 s"), (float("inf"), "inf"),
    (float("nan"), "-"), (None, "-"),
])  # fmt: skip
def test_times_are_written_as_people_read_them(value: float | None, shown: str) -> None:
    assert console.seconds(value) == shown


@settings(max_examples=10)
@given(st.lists(st.sampled_from([Run(), MISS, CRASH, Run(runs=2), Run(recipe="x")]), max_size=4), st.integers(1, 150))
def test_any_campaign_fits_any_width(runs: list[Run], width: int) -> None:
    assert max(len(each) for each in render(*runs, width=width).splitlines()) <= max(width, 20)


class Written(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch, value: str | None, wanted: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    records = [with_verdict(Run().record())]
    runs = frames.runs(records)
    out = Written()
    console.show(records, runs, frames.summary(runs), out)
    assert ("\x1b[32m" in out.getvalue()) == console.coloured(out) == wanted
    assert not console.coloured(io.StringIO())


def test_a_table_has_colours_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm")):  # Which do not ask for codes in a file.
        monkeypatch.setenv(name, value)
    plain, coloured = (
        console.table(("a", "b"), [("x", "1")], ["a line"], 80, colour, left="a", wrapped="a")
        for colour in (False, True)
    )
    assert plain.splitlines() == ["a  b", "x  1", "", "a line"] and "\x1b" in coloured
