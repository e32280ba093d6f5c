"""The closed board scores as it did, to the second and the cent, and its data are the reference's."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dawnbench import board
from bench.errors import BenchError, DataError, UsageError
from tests.bench.dawnbench.pairs import STEM, body, column, put, table

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "dawnbench_cifar10_train.csv"
BY_FILE = {Path(each.file).stem: each for each in board.entries()}

# The nine lines of the stored page of 2018-05-01 that can be computed anew


@pytest.mark.parametrize(
    ("stem", "time", "cost"),
    [
        ("fastai_pytorch", "0:02:54", "$1.18"),
        ("basenet", "0:05:41", "$0.29"),
        ("fastai_pytorch_single_volta", "0:06:45", "$0.26"),
    ],
)
def test_cifar10_lines_of_the_page_are_shown_as_they_were(stem: str, time: str, cost: str) -> None:
    entry = BY_FILE[stem]
    assert entry.cost_usd is not None
    assert (board.shown_time(entry.seconds), board.shown_cost(entry.cost_usd)) == (time, cost)


@pytest.mark.parametrize(
    ("seconds", "time", "cost_usd", "cost"),
    [
        (1843.000, "0:30:43", None, None),
        (3991.370, "1:06:32", None, None),
        (7103.092, "1:58:24", None, None),
        (27489.190, "7:38:10", 6.8723, "$6.87"),
        (28281.659, "7:51:22", None, None),
        (31419.325, "8:43:40", 8.4396, "$8.44"),
    ],
)
def test_imagenet_and_squad_lines_of_the_page_follow_the_same_rule(
    seconds: float, time: str, cost_usd: float | None, cost: str | None
) -> None:
    assert board.shown_time(seconds) == time
    assert cost_usd is None or board.shown_cost(cost_usd) == cost


@pytest.mark.parametrize("off", [0.0, 2.3e-13, 1.8e-7, -1.8e-7])
def test_dust_above_a_whole_second_is_not_another_second(off: float) -> None:
    assert board.shown_time(1843 + off) == "0:30:43"


def test_an_hour_written_with_ten_decimals_is_still_its_whole_second() -> None:
    assert {board.shown_time(board.seconds_of(float(f"{each / 3600:.10f}"))) for each in (1843, 1844)} == {
        "0:30:43",
        "0:30:44",
    }


@given(st.floats(0, 1e6))
def test_a_shown_time_is_never_faster_than_the_time_and_less_than_a_second_slower(seconds: float) -> None:
    hours, minutes, rest = (int(part) for part in board.shown_time(seconds).split(":"))
    shown = 3600 * hours + 60 * minutes + rest
    assert shown > seconds - 1e-6
    assert shown < seconds + 1
    assert minutes < 60 and rest < 60


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_a_miss_has_no_shown_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        board.shown_time(seconds)


# The rule of the first row


def test_the_first_row_at_94_counts_and_later_rows_do_not() -> None:
    assert board.first_at_target([(0.1, 93.99), (0.2, 94.0), (0.3, 93.5), (0.4, 95.0)]) == 0.2


def test_just_under_94_is_not_94() -> None:
    assert board.first_at_target([(0.1, 93.9999999)]) is None


# The data


def test_the_entries_are_31_in_the_order_of_the_board() -> None:
    times = [each.seconds for each in board.entries()]
    assert len(times) == 31
    assert times == sorted(times)
    assert (times[0], times[7]) == (9.42877, 74.041416)


def test_entries_without_a_price_are_not_on_the_cost_board() -> None:
    assert sum(each.cost_usd is not None for each in board.entries()) == 20


def test_score_columns_of_the_file_follow_from_its_hours_and_prices() -> None:
    with open(board.FILE, newline="") as stream:
        rows = list(csv.DictReader(stream))
    for entry, row in zip(board.entries(), rows, strict=True):
        assert f"{entry.seconds:.3f}" == row["time_to_94_seconds"]
        assert ("" if entry.cost_usd is None else f"{entry.cost_usd:.4f}") == row["cost_to_94"]


def test_the_file_is_the_references_cell_by_cell() -> None:
    if not REFERENCE.is_file():
        pytest.skip("the reference pages are not beside this checkout (../shared/reference), so none to compare with")
    with open(REFERENCE, newline="") as theirs, open(board.FILE, newline="") as ours:
        assert list(csv.reader(ours)) == list(csv.reader(theirs))


# Pairs


def test_a_pair_is_scored_by_its_first_row_at_94_and_its_price(tmp_path: Path) -> None:
    scored = board.score(put(tmp_path))
    assert scored.hours == 0.02056706
    assert board.shown_time(board.seconds_of(scored.hours)) == "0:01:15"
    assert board.shown_cost(board.cost_usd(74.041416, scored.cost_per_hour_usd) or 0) == "$0.06"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_pair_with_a_byte_order_mark_or_windows_line_ends_is_read_as_the_board_did(
    tmp_path: Path, line_end: str
) -> None:
    path = put(tmp_path, tsv_bytes=b"\xef\xbb\xbf" + table(line_end=line_end))
    assert board.score(path.with_suffix(".tsv")).hours == 0.02056706


def test_a_pair_that_never_reached_94_has_no_score(tmp_path: Path) -> None:
    assert board.score(put(tmp_path, tsv_bytes=column("top1Accuracy", "93.0", "93.99"))).hours is None


@pytest.mark.parametrize("price", [None, ...])
def test_a_pair_without_a_price_has_none(tmp_path: Path, price: object) -> None:
    assert board.score(put(tmp_path, json_bytes=body(costPerHour=price))).cost_per_hour_usd is None


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"json_bytes": b"{"}, "It is not JSON"),
        ({"json_bytes": body(author=...)}, "It has no `author`"),
        ({"json_bytes": body(costPerHour="cheap")}, "invalid costPerHour"),
        ({"tsv_bytes": b"epochs\thours\n1\t2\n"}, "Its columns are"),
        ({"tsv_bytes": column("hours", "0.1", "soon")}, "line 3 holds no hours"),
        ({"tsv_bytes": column("hours", "-0.1")}, "line 2 holds no hours"),
        ({"tsv_bytes": column("hours", "nan")}, "line 2 holds no hours"),
        ({"tsv_bytes": column("top1Accuracy", "9400")}, "line 2 holds no hours"),
    ],
)
def test_a_damaged_pair_is_told_in_a_sentence(tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as told:
        board.score(put(tmp_path, **files))
    assert STEM in str(told.value)


@given(st.binary(max_size=200))
def test_whatever_a_tsv_holds_there_is_a_score_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = put(tmp_path_factory.mktemp("pair"), tsv_bytes=content)
    with pytest.raises(BenchError):
        board.score(path)


def test_a_json_without_a_tsv_is_no_pair_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(DataError, match="no DAWNBench pair"):
        board.only_pair(tmp_path)
    assert board.only_pair(put(tmp_path).parent) == tmp_path / f"{STEM}.json"


def test_several_pairs_in_a_folder_are_not_chosen_from(tmp_path: Path) -> None:
    put(tmp_path, stem="a_b_c_d")
    put(tmp_path, stem="a_b_c_e")
    with pytest.raises(UsageError, match=r"holds 2 pairs\. Name one, such as .*a_b_c_d\.json"):
        board.only_pair(tmp_path)
