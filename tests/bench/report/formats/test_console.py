"""The summary on a terminal: a row a seed, every line fits, and no name steers the terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record import Record, build_record
from bench.report import terminal
from bench.report.formats import console
from bench.report.text import seconds
from tests.support.facts import facts_of
from tests.support.machines import Machine
from tests.support.records import Run, changed, five_seeds

MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")


def render(*runs: Run | Record, width: int = 120, colour: bool = False) -> str:
    return console.render(facts_of(*runs), width, colour)


def cells(text: str, beginning: str) -> str:
    return " ".join(next(each for each in text.splitlines() if each.strip().startswith(beginning)).split())


def test_each_seed_has_a_line() -> None:
    text = render(*five_seeds())
    assert cells(text, "0 ") == "0 done 94.08 5 51.50 20.00 71.50 51.00 50.00 85.50 4,966 clean"
    assert cells(text, "2 ") == "2 done 93.99 missed inf 20.00 inf inf inf inf 4,869 clean"
    assert cells(render(CRASH), "2 ").startswith("2 failed 90.00 - -")
    assert cells(render(build_record([])), "-").startswith("- interrupted - - -")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    text = render(*five_seeds(), CRASH, Run(seed=6, git_dirty=True, machine=Machine()), width=width)
    assert max(len(each) for each in text.splitlines()) <= width


def test_a_narrow_terminal_keeps_what_matters_most() -> None:
    header = render(*five_seeds(), width=60).splitlines()[0]
    assert re.split(" {2,}", header) == ["seed", "status", "accuracy %", "at epoch", "dawnbench@1 s", "verdict"]


def test_colour_is_for_terminals() -> None:
    assert "\x1b[32mclean" in render(Run(), colour=True)
    assert "\x1b" not in render(Run())


def test_words_of_a_trainer_cannot_steer_the_terminal() -> None:
    warning = {"v": 1, "event": "warning", "run": 0, "t_ns": 0, "message": "\x1b[2Jboo [bold]x[/bold]"}
    lines = changed(Run().lines(), "hello", device={"kind": "cpu", "name": "\x1b]0;x\x07", "uuid": ""})
    text = render(build_record([warning, *lines]), Run(seed=1))
    assert "\x1b" not in text and "\x07" not in text
    assert "boo [bold]x[/bold]" in text


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("kind", [io.TextIOWrapper, Terminal])
def test_any_encoding_can_show_it(encoding: str, kind: type[io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = changed(Run().lines(), "hello", recipe={**Run().lines()[2]["recipe"], "name": "✓"})
    raw = io.BytesIO()
    out = kind(raw, encoding=encoding)
    console.write(facts_of(build_record(lines), Run(seed=1), Run(seed=2)), out)
    text = raw.getvalue().decode(encoding)
    assert ("95.00 ± 0.00" if encoding == "utf-8" else "95.00 +- 0.00") in text
    assert ("\x1b" in text) == (kind is Terminal)
    assert max(len(re.sub("\x1b[^m]*m", "", each)) for each in text.splitlines()) <= 100


@pytest.mark.parametrize(("value", "shown"), [
    (74.041, "74.04 s"), (0.0, "0.00 s"), (340.631, "340.6 s"), (3412.5, "3,412.5 s"), (float("inf"), "inf"),
    (float("nan"), "-"), (None, "-"),
])  # fmt: skip
def test_times_are_written_as_people_read_them(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


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
    out = Written()
    console.write(facts_of(Run()), out)
    assert ("\x1b[32m" in out.getvalue()) == terminal.coloured(out) == wanted
    assert not terminal.coloured(io.StringIO())


def test_a_table_has_colours_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm")):  # Which do not ask for codes in a file.
        monkeypatch.setenv(name, value)
    plain, coloured = (
        terminal.report(("a", "b"), [("x", "1")], ["a line"], 80, colour, left="a", wrapped="a")
        for colour in (False, True)
    )
    assert plain.splitlines() == ["a  b", "x  1", "", "a line"] and "\x1b" in coloured
