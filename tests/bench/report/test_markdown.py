"""A campaign as Markdown: the figures of the terminal, and names that no reader of Markdown or HTML obeys."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import frames
from bench.report import markdown
from bench.rules import with_verdict
from tests.support.records import Run, five_seeds


def text(runs: list[Run], title: str = "page24 on a CPU", plan: Sequence[int] = (), **more: list[str]) -> str:
    records = tuple(with_verdict(run.record()) for run in runs)
    table = frames.runs(records)
    return markdown.text(title, records, table, frames.summary(table, plan), **more)


def test_summary_and_seeds_stand_in_tables() -> None:
    lines = text(five_seeds(), notes=["the first run was slow"]).splitlines()
    assert lines[0] == "**page24 on a CPU**"
    assert any(line.startswith("| Reached 94 % | 4 of 5, 80 %") for line in lines)
    assert any(line.startswith("| Time to 94 % | 53.00 s (dawnbench@1)") for line in lines)
    assert "| Note | the first run was slow. |" in lines
    head = next(place for place, line in enumerate(lines) if line.startswith("| seed |"))
    assert lines[head + 1].startswith("| --: | :-- |")
    assert [line.split(" | ")[1] for line in lines[head + 2 :]] == ["done"] * 5
    assert lines[head + 4].split(" | ")[3:5] == ["missed", "inf"]


def test_planned_seeds_without_a_run_are_told() -> None:
    lines = text([Run(seed=1), Run(seed=4)], plan=range(5)).splitlines()
    assert any(line.startswith("| Reached 94 % | 2 of 5 planned, 40 %") for line in lines)
    assert any(line.startswith("| Left out | 3 of 5 planned runs (3 not made): seed 0, 2, 3;") for line in lines)


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    table: list[int] = []
    for line in text([Run(recipe="a|b", seed=0), Run(recipe="\\|", seed=1)]).splitlines():
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        assert not table or not cells or cells == table[-1], line
        table = [*table, cells] if cells else []


@pytest.mark.parametrize(("words", "shown"), [
    ("=cmd()", "'=cmd()"),
    ("a|b", "a\\|b"),
    ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("`rm`", "\\`rm\\`"),
    ("[x](https://example.org)", "\\[x\\](https&#58;//example.org)"),
    ("@everybody and ada@example.org", "'&#64;everybody and ada@example.org"),
    ("one\r\n\r\n# two", "one # two"),
    ("&lt;", "&amp;lt;"),
    ("-", "-"),
    ("https://example.org www.example.org", "https&#58;//example.org www&#46;example.org"),
    ("by @ada", "by &#64;ada"),
    ("a\x1b[2J\u202eb", "a \\[2J b"),
    (" =cmd()", "'=cmd()"),
    ("12 to 77 %", "12 to 77 %"),
])  # fmt: skip
def test_names_are_shown_and_not_obeyed(words: str, shown: str) -> None:
    assert markdown.escaped(words) == shown


@given(st.text())
def test_whatever_a_name_is_it_stays_one_cell_without_a_tag(words: str) -> None:
    shown = markdown.escaped(words)
    assert len(shown.splitlines()) <= 1
    assert "<" not in shown and ">" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", shown)


def test_a_campaign_without_runs_has_its_title_alone() -> None:
    assert text([]) == "**page24 on a CPU**\n"
