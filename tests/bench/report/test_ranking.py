"""The table of a position: the board, later records and the result in one order, in lines that fit."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from bench.dawnbench import board, later
from bench.dawnbench.candidate import Candidate
from bench.report import ranking

SHOWN = " ".join(ranking.THE_BOARD.split())


def candidate(seconds: float | None, **changes: Any) -> Candidate:
    given: dict[str, Any] = {
        "title": "x: hive on cifar10, NVIDIA H200", "clock": "dawnbench@1", "target_percent": 94.0,
        "hardware": "NVIDIA H200", "framework": "tensorflow 2.21.0", "model": "hive", "planned": 1,
        "reached": int(seconds is not None), "seconds": seconds, "rule": "the median successful run",
    }  # fmt: skip
    return Candidate(**{**given, **changes})


@pytest.mark.parametrize(
    ("rank", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (32, "32nd"), (111, "111th"), (122, "122nd")],
)  # fmt: skip
def test_ordinals(rank: int, words: str) -> None:
    assert ranking.ordinal(rank) == words


def test_rows_are_the_board_later_records_of_the_target_and_the_result_by_time() -> None:
    rows = ranking.rows(candidate(60.0))
    assert [each.seconds for each in rows] == sorted(each.seconds for each in rows)
    places = [each.place for each in rows if each.place is not None]
    assert (places, len(places)) == (sorted(places), 32)
    (own,) = (each for each in rows if each.name == "this result")
    assert (own.place, own.time) == (6, "60.00 s")
    places_by_name = {each.name: place for place, each in enumerate(rows)}
    same_target = [each for each in later.records() if each.target_percent == 94]
    assert [each.name for each in rows if each.place is None] == [each.name for each in same_target]
    assert all(each.left_out in rows[places_by_name[each.name]].source for each in same_target)


def test_a_tie_shares_the_rank_and_the_result_stands_first() -> None:
    rows = [each for each in ranking.rows(candidate(74.041416)) if each.seconds == 74.041416]
    assert [(each.place, each.name == "this result") for each in rows] == [(8, True), (8, False)]


def test_a_result_without_a_place_is_in_the_table_without_one() -> None:
    rows = ranking.rows(candidate(60.0, planned=2))
    (own,) = (each for each in rows if each.name == "one run of this result")
    assert own.place is None
    assert [each.place for each in rows if each.source.endswith(".json")] == sorted(
        each.place or 0 for each in rows if each.source.endswith(".json")
    )


def test_later_records_of_another_target_are_among_those_of_their_target() -> None:
    names = {each.name for each in ranking.rows(candidate(60.0, target_percent=96.0))}
    assert "airbench96" in names and "airbench94" not in names


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("whole", [False, True])
def test_lines_fit_and_the_result_is_found_at_any_width(width: int, whole: bool) -> None:
    text = ranking.render(candidate(60.0, cost_per_hour_usd=3.0), width, whole)
    assert max(len(line) for line in text.splitlines()) <= width
    assert any("60.00 s" in line and "this" in line for line in text.splitlines())
    assert SHOWN in " ".join(text.split())


def test_a_miss_shows_no_neighbours_and_the_board_only_where_it_is_requested() -> None:
    miss = candidate(None)
    assert "0:00:10" not in ranking.render(miss)
    assert "framework  date" not in ranking.render(miss)  # no heading above no rows
    assert "0:00:10" in ranking.render(miss, whole=True)
    assert "this result" not in ranking.render(miss, whole=True)


def test_json_has_the_positions_and_every_row() -> None:
    body = json.loads(json.dumps(ranking.body(candidate(60.0, cost_per_hour_usd=3.0)), allow_nan=False))
    assert body["time"] == {"value": 60.0, "rank": 6, "of": 32, "tied": 0}
    assert (body["cost"]["rank"], body["cost"]["of"], body["cost"]["value"]) == (3, 21, pytest.approx(0.05))
    assert {each.file for each in board.entries()} <= {row["source"] for row in body["board"]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", [None, "1"])
def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch, no_color: str | None) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    out = Terminal()
    ranking.show(candidate(30.0), out)
    assert ("\x1b" in out.getvalue()) == (no_color is None)
