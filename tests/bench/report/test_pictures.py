"""The page's figures as pictures: a file each, from the same Plotly figures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import figures
from bench.analysis.figures import CloseUp, Figure, Part, accuracy
from bench.analysis.figures.plotly import HIT, STATES, axis, bars, layout, line, mark, of_phase, of_side, points, target
from bench.errors import EnvironmentProblem, UsageError
from bench.report import pictures
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds

LOOK = STATES[HIT]


def of_runs(runs: list[Run]) -> tuple[Figure, ...]:
    records = tuple(with_verdict(run.record()) for run in runs)
    return figures.campaign(records, {run.seed: run.ticks() or [] for run in runs})


def figure(*data: Part, x: Part | None = None, y: Part | None = None, lines: Any = (), **more: Any) -> Figure:
    return Figure("one", "One", "A figure.", data, layout(x or axis("x"), y or axis("y"), lines=lines), **more)


def test_each_figure_is_a_file_and_each_choice_of_it_one_of_its_own(tmp_path: Path) -> None:
    files, left_out = pictures.write(of_runs([Run(machine=Machine()), Run(seed=1)]), tmp_path / "new", "svg", "page24")
    names = {path.name for path in files}
    assert {
        "accuracy.svg",
        "runs.svg",
        "epochs-median-of-the-runs.svg",
        "epochs-seed-1.svg",
        "machine-seed-0.svg",
    } <= names
    assert names == {path.name for path in (tmp_path / "new").iterdir()}
    assert left_out == ["How long steps waited for input: The trainer measured no waits for its input."]


def test_more_choices_than_files_are_told(tmp_path: Path) -> None:
    names = tuple(f"seed {number}" for number in range(15))
    one = figure(*(line("a", [1.0], [1.0], LOOK, (), choice=name) for name in names), choices=names)
    files, left_out = pictures.write([one], tmp_path, "svg")
    assert len(files) == pictures.MOST_CHOICES
    assert left_out == ["One: 3 more are on the page, report.html."]


@pytest.mark.parametrize(("form", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_format_is_what_was_asked_for_and_the_bytes_are_the_same_twice(
    tmp_path: Path, form: str, begin: bytes
) -> None:
    one = figure(line("a", [1.0, 2.0], [3.0, 4.0], LOOK, ()))
    for place in ("a", "b"):
        pictures.write([one], tmp_path / place, form)
    content = (tmp_path / "a" / f"one.{form}").read_bytes()
    assert content.startswith(begin)
    assert content == (tmp_path / "b" / f"one.{form}").read_bytes()
    assert b"CreationDate" not in content
    assert b"dc:date" not in content


def test_lines_points_targets_and_marks_are_where_the_figure_says() -> None:
    one = figure(
        line("seed 0", [1.0, 2.0], [90.0, 95.0], LOOK, ()),
        points("crossing", [2.0], [95.0], LOOK, ()),
        y=axis("accuracy (%)", 0, 100), lines=(target(94.0), mark(1.5, "here")),
        close_ups=(CloseUp("near", (1.8, 2.2), (94.0, 96.0)),),
    )  # fmt: skip
    whole, close = pictures.draw(one).axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in whole.lines]
    assert ([1.0, 2.0], [90.0, 95.0]) in drawn
    assert ([2.0], [95.0]) in drawn
    assert ([0, 1], [94.0, 94.0]) in drawn
    assert ([1.5, 1.5], [0, 1]) in drawn
    assert whole.get_ylim() == (0, 100)
    assert (close.get_xlim(), close.get_ylim()) == ((1.8, 2.2), (94.0, 96.0))
    assert [text.get_text() for text in whole.texts] == ["target 94 %"]
    assert [text.get_text() for text in close.texts] == ["here"]


@pytest.mark.parametrize("horizontal", [False, True])
def test_stacked_bars_stand_on_each_other(horizontal: bool) -> None:
    named: Part = axis("run", type="category")
    parts = []
    for phase, runs, seconds in (("import", ["seed 0", "seed 1"], [1.0, 2.0]), ("train_k", ["seed 1"], [5.0])):
        along, more = ((seconds, runs), {"orientation": "h"}) if horizontal else ((runs, seconds), {})
        parts.append(bars(phase, *along, of_phase(phase), (), **more))
    one = figure(*parts, **({"y": named} if horizontal else {"x": named}))
    (axes,) = pictures.draw(one).axes
    spans = [
        (each.get_x(), each.get_width()) if horizontal else (each.get_y(), each.get_height()) for each in axes.patches
    ]
    assert spans == [(0.0, 1.0), (0.0, 2.0), (2.0, 5.0)]
    ticks = axes.get_yticklabels() if horizontal else axes.get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["seed 0", "seed 1"]


def test_an_interval_reaches_to_both_ends() -> None:
    reach = {"type": "data", "symmetric": False, "array": [3.0], "arrayminus": [2.0]}
    one = figure(points("a", [10.0], [0.0], of_side(0), (), error_x=reach))
    (axes,) = pictures.draw(one).axes
    ends = [tuple(segment[:, 0]) for each in axes.collections for segment in each.get_segments()]
    assert ends == [(8.0, 13.0)]


def test_only_what_is_chosen_is_drawn() -> None:
    both = [line("a", [place], [place], LOOK, (), choice=name) for place, name in ((1.0, "x"), (2.0, "y"))]
    one = figure(*both, choices=("x", "y"))
    assert [list(line.get_xdata()) for line in pictures.draw(one, "y").axes[0].lines] == [[2.0]]


def test_names_are_letters_and_no_markup(tmp_path: Path) -> None:
    name = "<script>alert(1)</script> $x^2$ $\\frac$ \x1b[31m 東京"
    look = replace(LOOK, legend=name)
    one = figure(*(bars(each, [each], [1.0], look, ()) for each in (name, "b")), x=axis("x", type="category"))
    pictures.write([one], tmp_path, "svg", name)
    root = ET.parse(tmp_path / "one.svg").getroot()
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert "$x^2$" in pictures.draw(one, of_what=name).get_suptitle()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match=r"cannot make .*pictures"):
        pictures.write([], tmp_path / "file" / "pictures", "svg")


def test_five_seeds_are_drawn_whole(tmp_path: Path) -> None:
    curves = [line for line in pictures.draw(of_runs(five_seeds())[0]).axes[0].lines if len(line.get_xdata()) == 5]
    assert len(curves) == 5


def test_a_miss_has_no_crossing_and_another_colour() -> None:
    def lines(run: Run) -> list[Any]:
        drawn = accuracy.of_campaign([run.record()])
        return list(pictures.draw(replace(drawn, close_ups=())).axes[0].lines)

    hit, miss = lines(five_seeds()[0]), lines(five_seeds()[2])
    assert len(miss) == len(hit) - 1
    assert miss[0].get_color() != hit[0].get_color()


def test_another_ending_is_refused_with_those_that_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'a\.jpg'.*\.svg, \.png, \.pdf"):
        pictures.write_one(of_runs(five_seeds())[0], tmp_path / "a.jpg")


def test_a_campaign_without_an_evaluation_has_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        pictures.write_one(accuracy.of_campaign([]), tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        pictures.write_one(of_runs(five_seeds())[0], tmp_path / "nowhere" / "a.svg")
