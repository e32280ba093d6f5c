from __future__ import annotations

import contextlib
import io
import os
import pty
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import protocol
from bench.campaign import progress
from bench.campaign.progress import Progress, RunView
from bench.report.text import accuracy_text

S = 1_000_000_000
HELLO = protocol.Hello(
    trainer="resnet9 1",
    framework="tensorflow 2",
    runs=1,
    seed=0,
    recipe={"name": "page24", "sha256": "", "target_percent": 94.0, "epochs": 4, "steps_per_epoch": 97, "batch": 512},
    dataset={"name": "cifar10", "sha256": "", "state": "canonical"},
    precision="bf16",
    input="host",
    device={"kind": "cpu", "name": "A CPU", "uuid": None},
    threads=2,
    xla={"on": False, "flags": ""},
)


def epoch(number: float, correct: int = 5000, images: int = 50_000) -> protocol.Epoch:
    return protocol.Epoch(number, 97, images, 0.5, correct, 10_000, "plain")


def a_run(began_s: int = 100, correct: tuple[int, ...] = (5000, 9399, 9400)) -> Iterator[tuple[protocol.Event, int]]:
    """Events and the moments they come: hello 20 s in, then every epoch 10 s of training and 5 s of evaluation."""
    at = (began_s + 20) * S
    yield HELLO, at
    for number, right in enumerate(correct, start=1):
        yield protocol.Phase("train_k", at, at + 10 * S, float(number)), at + 10 * S
        yield protocol.Phase("eval_k", at + 10 * S, at + 15 * S, float(number)), at + 15 * S
        at += 15 * S
        yield epoch(number, right), at


def view_after(correct: tuple[int, ...]) -> RunView:
    view = RunView(3, 100 * S)
    for event, at in a_run(correct=correct):
        view.take(event, at)
    return view


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# What is shown of a run


def test_an_epoch_is_one_line_with_the_speed_of_its_training_phase() -> None:
    assert view_after((5000,)).line() == "seed 3  epoch    1/4  50.00 %  loss 0.5000       5,000 images/s"


def test_an_evaluation_in_views_says_so_and_an_odd_end_of_the_schedule_is_rounded() -> None:
    view = view_after((5000,))
    view.take(protocol.Epoch(7.59375, 0, 0, 0.5, 9397, 10_000, "six"), 200 * S)
    assert view.line().startswith("seed 3  epoch 7.59/4  93.97 % (six views)  loss 0.5000")


def test_the_speed_without_phases_is_that_of_the_time_between_epochs() -> None:
    view = RunView(0, 0)
    view.take(HELLO, 0)
    view.take(epoch(1), 10 * S)
    view.take(epoch(2), 35 * S)

    assert view.images_per_second == 2000


@pytest.mark.parametrize("event", [epoch(1, images=0), epoch(1)])
def test_a_speed_that_cannot_be_known_is_left_out(event: protocol.Epoch) -> None:
    view = RunView(0, 0)
    view.take(event, 0 if event.images else S)

    assert "images/s" not in view.line()


@pytest.mark.parametrize(("correct", "reached"), [((9399,), False), ((9400,), True)])
def test_the_target_is_reached_from_whole_numbers(correct: tuple[int, ...], reached: bool) -> None:
    assert view_after(correct).reached is reached


@pytest.mark.parametrize(
    ("correct", "total", "text"),
    [(93_999, 100_000, "93.99 %"), (9400, 10_000, "94.00 %"), (0, 7, "0.00 %"), (7, 7, "100.00 %"), (1, 3, "33.33 %")],
)
def test_an_accuracy_is_never_rounded_up(correct: int, total: int, text: str) -> None:
    assert accuracy_text(correct, total) == text


@given(st.integers(1, 10**9).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_an_accuracy_shown_is_not_above_the_one_measured(counts: tuple[int, int]) -> None:
    correct, total = counts
    hundredths = int(accuracy_text(correct, total).removesuffix(" %").replace(".", ""))
    assert hundredths * total <= 10_000 * correct < (hundredths + 1) * total


def test_the_time_left_is_the_mean_epoch_times_the_epochs_left() -> None:
    view = view_after((1, 2))
    ended = (100 + 20 + 30) * S

    assert view.seconds_left(ended) == 30
    assert view.seconds_left(ended + 10 * S) == 20
    assert view.seconds_left(ended + 1000 * S) == 0
    assert RunView(0, 0).seconds_left(5) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00"), (90_000, "25:00:00")]
)
def test_a_duration_is_read_at_a_glance(seconds: float, text: str) -> None:
    assert progress.duration_text(seconds) == text


# Plain lines


def shown(stream: io.StringIO, environ: dict[str, str], **how: Any) -> str:
    display = progress.of(stream, 2, environ)
    display.say("results/x")
    display.begin(0, 100 * S)
    display.tick(100 * S)
    for event, at in a_run(**how):
        display.event(event, at)
        display.tick(at)
    display.end(200 * S, "seed 0 is done")
    return stream.getvalue()


def test_a_file_gets_plain_lines_one_an_epoch() -> None:
    assert shown(io.StringIO(), {"TERM": "xterm"}).splitlines() == [
        "results/x",
        "seed 0  resnet9 1 on A CPU, bf16, input host",
        "seed 0  epoch    1/4  50.00 %  loss 0.5000       5,000 images/s",
        "seed 0  epoch    2/4  93.99 %  loss 0.5000       5,000 images/s",
        "seed 0  epoch    3/4  94.00 %  loss 0.5000       5,000 images/s",
        "seed 0 is done",
    ]


def test_a_warm_up_is_called_so_and_is_none_of_the_campaigns_runs() -> None:
    stream = Terminal()
    display = progress.of(stream, 2, {"TERM": "xterm", "NO_COLOR": "1"})
    display.begin(None, 100 * S)
    for event, at in a_run(correct=(5000,)):
        display.event(event, at)
    assert display.living_line(140 * S) == "warm-up: training, 0:40 so far"
    display.end(150 * S, "the warm-up is over")
    display.begin(7, 150 * S)

    assert "\x1b[Kwarm-up  epoch    1/4  50.00 %" in stream.getvalue()
    assert "seed" not in stream.getvalue()
    assert display.living_line(151 * S) == "run 1 of 2, seed 7: starting, 0:01 so far"


def test_a_file_needs_no_timer() -> None:
    display = progress.of(io.StringIO(), 1, {})
    display.begin(0, 0)

    assert display.tick(0) is None


def test_a_terminal_that_cannot_erase_gets_plain_lines() -> None:
    assert "\x1b" not in shown(Terminal(), {"TERM": "dumb"})
    assert "\x1b" not in shown(Terminal(), {})


def test_warnings_of_the_trainer_are_shown() -> None:
    stream = io.StringIO()
    display = progress.of(stream, 1, {})
    display.begin(4, 0)
    display.event(protocol.Warning("slow disk"), 1)

    assert stream.getvalue() == "seed 4  warning: slow disk\n"


def test_words_of_a_trainer_neither_command_the_terminal_nor_silence_the_display() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    display = Progress(stream, 1, living=False, colour=False)
    display.begin(4, 0)
    display.event(replace(HELLO, trainer="half a \ud800 character"), 1)
    display.event(protocol.Warning("\x1b[2Jgone\nseed 4  done"), 2)

    stream.seek(0)
    assert stream.read() == (
        "seed 4  half a character on A CPU, bf16, input host\nseed 4  warning: [2Jgone seed 4 done\n"
    )


def test_a_closed_pipe_silences_the_display_and_nothing_else() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    display = Progress(stream, 1, living=False, colour=False)

    display.say("x" * 100_000)
    display.say("again")

    with contextlib.suppress(BrokenPipeError):
        stream.close()


# The living line


def test_a_terminal_gets_a_living_line_below_the_lines_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = shown(Terminal(), {"TERM": "xterm"})

    assert "seed 0  epoch    3/4  94.00 %" in text
    assert text.endswith("images/s\x1b[0m\nseed 0 is done\n")
    living = re.findall(r"\x1b\[2m(.*?)\x1b\[0m", text)
    assert living[0] == "run 1 of 2, seed 0: starting, 0:00 so far"
    assert living[1] == "run 1 of 2, seed 0: compiling, 0:20 so far"
    assert living[-1] == "run 1 of 2, seed 0: training, 1:05 so far, 0:15 more, campaign 1:35 more"


def test_the_target_reached_is_green_and_no_color_is_honoured() -> None:
    coloured, plain = shown(Terminal(), {"TERM": "xterm"}), shown(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})

    assert re.findall(r"\x1b\[32m(seed 0  epoch +\d)", coloured) == ["seed 0  epoch    3"]
    assert not re.search(r"\x1b\[\d*m", plain)


def test_the_living_line_is_drawn_at_most_twice_a_second_and_once_without_events() -> None:
    display = Progress(Terminal(), 1, living=True, colour=False)
    drawn: list[int] = []
    real = display._draw
    display._draw = lambda now_ns: (drawn.append(now_ns), real(now_ns))[1]  # type: ignore[method-assign]

    display.begin(0, 0)
    due = display.tick(0)
    for millisecond in range(1, 3000):
        now = millisecond * S // 1000
        display.event(protocol.Phase("train_k", 0, now, 1.0), now)
        if due is not None and now >= due:
            due = display.tick(now)
    busy, drawn[:] = len(drawn), []
    assert due is not None
    for _ in range(5):
        due = display.tick(due)
        assert due is not None

    assert 4 <= busy <= 7
    assert len(drawn) >= 3
    assert all(later - earlier >= S // 2 for earlier, later in pairwise(drawn))


def test_what_was_shown_last_is_brought_up_to_date_though_no_event_follows() -> None:
    stream = Terminal()
    display = Progress(stream, 1, living=True, colour=False)
    display.begin(0, 0)
    display.event(HELLO, 10 * S)
    display.event(protocol.Phase("preprocess", 0, 10 * S), 10 * S + 1)

    due = display.tick(10 * S + 2)
    assert due is not None
    assert due <= 10 * S + 2 + S // 2
    display.tick(due)

    assert stream.getvalue().rpartition("\r\x1b[K")[2].startswith("run 1 of 1, seed 0: training")


def test_the_living_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    text = shown(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})

    living = re.findall(r"(?:\x1b\[K|\n)(run[^\r\n]*)", text)
    assert living
    assert all(len(line) <= 19 for line in living)


def test_the_estimate_of_a_campaign_of_hours_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    display = progress.of(stream, 5, {"TERM": "xterm", "NO_COLOR": "1"})
    display.begin(0, 0)
    display.event(HELLO, 10 * S)
    display.event(epoch(2), 3600 * S)
    display.tick(3601 * S)

    assert ", 59:59 more, campaign 8:59:59" in stream.getvalue()


def test_a_real_terminal_is_recognised() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream, os.fdopen(master, "rb", buffering=0) as other_end:
        display = progress.of(stream, 1, {"TERM": "xterm"})
        display.begin(0, 0)
        display.event(HELLO, 10 * S)
        display.say("stays")

        assert display.tick(10 * S) is not None
        assert b"compiling" in other_end.read(4096)
