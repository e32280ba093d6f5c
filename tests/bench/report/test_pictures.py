"""The page's figures as pictures: a file each, from the same data, in the same colours."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.analysis import figures
from bench.analysis.figures import BAR, INTERVAL, LINE, POINTS, CloseUp, Figure, Mark, Panel, Series, Target
from bench.errors import EnvironmentProblem
from bench.report import pictures
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds

CSS = Path(pictures.__file__).parent / "html" / "page.css"


def of_runs(runs: list[Run]) -> tuple[Figure, ...]:
    records = tuple(with_verdict(run.record()) for run in runs)
    return figures.campaign(records, {run.seed: run.ticks() or [] for run in runs})


def figure(*series: Series, **more: object) -> Figure:
    made: dict[str, object] = {
        "key": "one",
        "title": "One",
        "caption": "A figure.",
        "x_title": "x",
        "panels": (Panel("y"),),
    }
    return Figure(**{**made, "series": series, **more})  # type: ignore[arg-type]


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
    one = figure(*(Series("a", (1.0,), (1.0,), choice=name) for name in names), choices=names)
    files, left_out = pictures.write([one], tmp_path, "svg")
    assert len(files) == pictures.MOST_CHOICES
    assert left_out == ["One: 3 more are on the page, report.html."]


@pytest.mark.parametrize(("form", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_format_is_what_was_asked_for_and_the_bytes_are_the_same_twice(
    tmp_path: Path, form: str, begin: bytes
) -> None:
    one = figure(Series("a", (1.0, 2.0), (3.0, 4.0)))
    for place in ("a", "b"):
        pictures.write([one], tmp_path / place, form)
    assert (tmp_path / "a" / f"one.{form}").read_bytes().startswith(begin)
    assert (tmp_path / "a" / f"one.{form}").read_bytes() == (tmp_path / "b" / f"one.{form}").read_bytes()


def test_lines_points_targets_and_marks_are_where_the_figure_says() -> None:
    one = figure(
        Series("seed 0", (1.0, 2.0), (90.0, 95.0), LINE, state="hit"),
        Series("crossing", (2.0,), (95.0,), POINTS, state="hit"),
        panels=(Panel("accuracy (%)", (Target(94.0, "target"),), low=0, high=100),), marks=(Mark(1.5, "here"),),
        close_ups=(CloseUp("near", 1.8, 2.2, 94.0, 96.0),),
    )  # fmt: skip
    whole, close = pictures.draw(one).axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in whole.lines]
    assert ([1.0, 2.0], [90.0, 95.0]) in drawn
    assert ([2.0], [95.0]) in drawn
    assert ([0, 1], [94.0, 94.0]) in drawn
    assert ([1.5, 1.5], [0, 1]) in drawn
    assert whole.get_ylim() == (0, 100)
    assert (close.get_xlim(), close.get_ylim()) == ((1.8, 2.2), (94.0, 96.0))
    assert [text.get_text() for text in close.texts] == ["here"]


@pytest.mark.parametrize("horizontal", [False, True])
def test_stacked_bars_stand_on_each_other(horizontal: bool) -> None:
    parts = (
        Series("import", ("seed 0", "seed 1"), (1.0, 2.0), BAR, phase="import"),
        Series("training", ("seed 1",), (5.0,), BAR, phase="train_k"),
    )
    (axes,) = pictures.draw(figure(*parts, stacked=True, horizontal=horizontal)).axes
    spans = [
        (each.get_x(), each.get_width()) if horizontal else (each.get_y(), each.get_height()) for each in axes.patches
    ]
    assert spans == [(0.0, 1.0), (0.0, 2.0), (2.0, 5.0)]
    ticks = axes.get_yticklabels() if horizontal else axes.get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["seed 0", "seed 1"]


def test_an_interval_reaches_to_both_ends() -> None:
    one = figure(Series("a", (0.0,), (10.0,), INTERVAL, side=0, low=(8.0,), high=(13.0,)), horizontal=True)
    (axes,) = pictures.draw(one).axes
    ends = [tuple(segment[:, 0]) for each in axes.collections for segment in each.get_segments()]
    assert ends == [(8.0, 13.0)]


def test_only_what_is_chosen_is_drawn() -> None:
    one = figure(Series("a", (1.0,), (1.0,), choice="x"), Series("b", (2.0,), (2.0,), choice="y"), choices=("x", "y"))
    assert [list(line.get_xdata()) for line in pictures.draw(one, "y").axes[0].lines] == [[2.0]]


def test_names_are_letters_and_no_markup(tmp_path: Path) -> None:
    name = "<script>alert(1)</script> $x^2$ $\\frac$ \x1b[31m 東京"
    one = figure(Series(name, (name,), (1.0,), BAR), Series("b", ("b",), (1.0,), BAR))
    pictures.write([one], tmp_path, "svg", name)
    root = ET.parse(tmp_path / "one.svg").getroot()
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert "$x^2$" in pictures.draw(one, of_what=name).get_suptitle()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="name another folder"):
        pictures.write([], tmp_path / "file" / "pictures", "svg")


def test_colours_are_those_of_the_page() -> None:
    light = CSS.read_text().split("}")[0]
    page = dict(re.findall(r"--([a-z_0-9-]+): (#[0-9a-f]{6});", light))
    ours = {**pictures._STATES, **pictures._PHASES, "other": pictures._OTHER}
    ours |= {f"side-{place}": colour for place, colour in enumerate(pictures._SIDES)}
    assert ours == {name: page.get(name) for name in ours}


def test_five_seeds_are_drawn_whole(tmp_path: Path) -> None:
    curves = [line for line in pictures.draw(of_runs(five_seeds())[0]).axes[0].lines if len(line.get_xdata()) == 5]
    assert len(curves) == 5
