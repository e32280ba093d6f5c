"""The text of a place: ordinals, widths, a miss without a place, and the same as JSON."""

from __future__ import annotations

import io
import json
import math

import pytest

from bench.analysis.ranking import Ranking, Sample, rank
from bench.dawnbench import board, later
from bench.dawnbench.board import BoardEntry
from bench.dawnbench.candidate import Candidate
from bench.report import ranking as shown
from bench.report import ranking_json

CANDIDATE = Candidate(
    title="results/x: hive on cifar10, NVIDIA H200", clock="dawnbench@1", target_percent=94.0, hardware="NVIDIA H200",
    framework="tensorflow 2.21.0", rule="the median successful run", recipe="hive",
)  # fmt: skip


def ranked(*seconds: float, price: float | None = None) -> Ranking[BoardEntry]:
    hits = sorted((each, seed) for seed, each in enumerate(seconds) if math.isfinite(each))
    sample = Sample(dict(enumerate(seconds)), hits[len(hits) // 2][1] if hits else None)
    return rank(sample, price, board.entries(), lambda each: each.seconds, lambda each: each.cost_usd)


def text(ranking: Ranking[BoardEntry], width: int = 120, whole: bool = False) -> str:
    return shown.render(CANDIDATE, ranking, board.entries(), later.records(), width, whole)


@pytest.mark.parametrize(
    ("rank_", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (32, "32nd"), (111, "111th"), (122, "122nd")],
)  # fmt: skip
def test_ranks_are_said_as_people_say_them(rank_: int, words: str) -> None:
    assert shown.ordinal(rank_) == words


def test_the_result_stands_between_its_neighbours() -> None:
    lines = [line for line in text(ranked(60.0)).splitlines() if line.lstrip()[:3] in ("5th", "6th", "7th")]
    assert [line.split()[:2] for line in lines] == [["5th", "0:00:58"], ["6th", "0:01:00"], ["7th", "0:01:12"]]
    assert "this result" in lines[1]


def test_the_result_stands_among_the_later_records_by_its_time() -> None:
    after = text(ranked(3.5)).partition("Later records")[2]
    order = [after.index(words) for words in ("airbench94, compiled", "this result", "hlb-CIFAR10")]
    assert order == sorted(order)


def test_every_record_has_the_remark_on_its_clock() -> None:
    after = " ".join(text(ranked(3.5), width=400).partition("Later records")[2].split())
    assert all(each.left_out in after for each in later.records())
    assert shown.OWN_LEFT_OUT in after


def test_a_time_is_never_shown_without_its_clock() -> None:
    assert "60.00 s (dawnbench@1)" in text(ranked(60.0))


def test_the_board_is_told_to_be_closed_and_of_single_runs() -> None:
    told = " ".join(text(ranked(60.0)).split())
    assert "closed in March 2020 and took one run of each entrant" in told
    assert "a difference of a few seconds is none" in told


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("whole", [False, True])
def test_lines_fit_and_the_result_is_found_at_any_width(width: int, whole: bool) -> None:
    told = text(ranked(60.0, price=3.0), width, whole)
    assert max(len(line) for line in told.splitlines()) <= width
    assert "this" in told.partition("Time to 94 % on the board")[2]


def test_a_miss_shows_neither_neighbours_nor_a_zero_and_the_board_where_it_is_asked_for() -> None:
    miss = ranked(math.inf)
    assert "No place" in text(miss)
    assert "0:00:10" not in text(miss)
    assert "0:00:00" not in text(miss, whole=True)
    assert "0:00:10" in text(miss, whole=True)


def test_a_result_without_a_place_is_not_called_one_in_the_tables() -> None:
    told = text(ranked(60.0, math.inf), width=200)
    assert "with one run of a result that has no place on it" in told
    assert "this result" not in told.replace("one run of this result", "")


def test_the_same_goes_into_json_where_a_miss_is_the_text_inf() -> None:
    body = ranking_json.body(CANDIDATE, ranked(60.0, math.inf, price=3.0), later.records())
    read = json.loads(json.dumps(body, allow_nan=False))
    assert (read["median_seconds"], read["time"], read["cost"]) == ("inf", None, None)
    assert (read["one_run_alone"]["rank"], read["reached"], read["runs"]) == (6, 1, 2)


def test_json_names_the_neighbours_by_their_files() -> None:
    body = ranking_json.body(CANDIDATE, ranked(60.0, price=3.0), later.records())
    assert body["time"]["above"][-1] == "CIFAR10/train/kakaobrain_custom-resnet9_1v100-braincloud_pytorch.json"
    assert body["time"]["below"][0] == "CIFAR10/train/BAIDU-USA-GAIT_BaiduNet9_1GV100_pytorch.json"
    assert round(body["cost"]["value"], 6) == 0.05


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
    shown.show(CANDIDATE, ranked(30.0), board.entries(), later.records(), out)
    assert ("\x1b" in out.getvalue()) == (no_color is None)
