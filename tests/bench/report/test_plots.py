"""The picture: every run is in it, the target and the crossings too, and it is the same file every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from bench.errors import EnvironmentProblem, UsageError
from bench.record import Record, build_record
from bench.report import plots
from tests.support.records import Run, five_seeds

RECORDS = [run.record() for run in five_seeds()]
#: Fast at first, slow near the target: what leaves room for an inset.
STEEP = [
    replace(run, epochs=12, correct=[3000, 7000, 8500, *range(8900, 9300, 50), run.correct[-1]]).record()
    for run in five_seeds()
]


def panels(records: list[Record], title: str = "") -> tuple[Axes, Axes]:
    above, below = plots.draw(records, title).axes[:2]
    return above, below


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_each_run_and_what_became_of_it_is_named() -> None:
    above, _ = panels(RECORDS)
    assert texts(above) == [
        "94 %", "seed 0: 51.50 s", "seed 1: 52.00 s", "seed 2: missed, 93.99 %", "seed 3: 53.00 s", "seed 4: 53.50 s",
    ]  # fmt: skip


def test_a_run_that_broke_off_is_drawn_as_far_as_it_came() -> None:
    above, _ = panels([Run(correct=(4000, 9000), status="timed_out").record()])
    assert texts(above)[1] == "seed 0: timed out, 90.00 %"


def test_curves_go_through_the_evaluations_and_marks_sit_on_the_crossings() -> None:
    above, _ = panels([Run().record()])
    target, curve, mark = above.lines
    assert list(target.get_ydata()) == [94.0, 94.0]
    assert [list(curve.get_xdata()), list(curve.get_ydata())] == [
        [11.5, 21.5, 31.5, 41.5, 51.5],
        [40, 90, 93.99, 94, 95],
    ]
    assert [list(mark.get_xdata()), list(mark.get_ydata())] == [[41.5], [94.0]]


def test_a_miss_has_no_mark_and_another_colour() -> None:
    hit, _ = panels([RECORDS[0]])
    miss, _ = panels([RECORDS[2]])
    assert len(miss.lines) == len(hit.lines) - 1
    assert miss.lines[1].get_color() != hit.lines[1].get_color()


def test_epochs_are_drawn_with_their_time() -> None:
    _, below = panels([RECORDS[1]])
    assert list(below.lines[0].get_ydata()) == pytest.approx([10.1] * 5)
    assert below.get_ylim()[0] == 0


def test_axes_carry_units_and_the_clock_its_version() -> None:
    above, below = panels(RECORDS)
    assert "dawnbench@1 (s)" in above.get_xlabel()
    assert "(%)" in above.get_ylabel()
    assert "(s/epoch)" in below.get_ylabel()


def test_the_last_points_are_shown_larger_where_there_is_room() -> None:
    assert len(plots.draw(STEEP).axes[0].child_axes) == 1
    assert len(plots.draw(RECORDS).axes[0].child_axes) == 0  # five epochs climb right through the place


def test_many_runs_are_all_drawn_and_the_names_that_do_not_fit_counted() -> None:
    above, _ = panels([replace(Run(), seed=seed).record() for seed in range(40)])
    assert len(above.lines) == 1 + 2 * 40
    assert texts(above)[-1] == "and 27 more"


@pytest.mark.parametrize("ending", plots.FORMATS)
def test_the_same_records_give_the_same_bytes(tmp_path: Path, ending: str) -> None:
    for name in ("a", "b"):
        plots.write(RECORDS, tmp_path / f"{name}.{ending}", "page24, 1 $ an hour and 2 $")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content == (tmp_path / f"b.{ending}").read_bytes()
    assert b"CreationDate" not in content
    assert b"dc:date" not in content
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending])


def test_another_ending_is_refused_with_those_that_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'a\.jpg'.*\.svg, \.png, \.pdf"):
        plots.write(RECORDS, tmp_path / "a.jpg")


@pytest.mark.parametrize("records", [[], [build_record([])]])
def test_nothing_to_draw_is_told(tmp_path: Path, records: list[Record]) -> None:
    with pytest.raises(UsageError, match="nothing to draw yet"):
        plots.write(records, tmp_path / "a.svg")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        plots.write(RECORDS, tmp_path / "nowhere" / "a.svg")
