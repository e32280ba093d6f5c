"""A campaign as Markdown: the figures of the terminal, and names that no reader of Markdown or HTML obeys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.formats import markdown
from tests.support.facts import facts_of
from tests.support.records import Run, five_seeds


def test_seeds_stand_in_a_table() -> None:
    lines = markdown.render(facts_of(*five_seeds())).splitlines()
    assert lines[0] == "**page24 on a CPU**"
    head = next(place for place, line in enumerate(lines) if line.startswith("| seed |"))
    assert lines[head + 1].startswith("| --: | :-- |")
    assert [line.split(" | ")[1] for line in lines[head + 2 :]] == ["done"] * 5
    assert lines[head + 4].split(" | ")[3:5] == ["missed", "inf"]


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    table: list[int] = []
    for line in markdown.render(facts_of(Run(recipe="a|b", seed=0), Run(recipe="\\|", seed=1))).splitlines():
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
