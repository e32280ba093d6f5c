"""The page in a real browser: it opens from a disk, draws every chart, and answers mouse and keyboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.analysis import frames
from bench.rules import with_verdict
from tests.bench.report.html import pages
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

HOSTILE = '<b>bold</b> <a href="https://example.org">x</a> <script>alert(1)</script> %{x} $x^2$'
WIDTHS = (1280, 360)
CAMPAIGNS: dict[str, Callable[[], str]] = {
    "a card": lambda: pages.of(*(pages.watched(seed) for seed in range(3)), Run(seed=3, correct=(1, 2, 3, 4, 5))),
    "a CPU": lambda: pages.of(pages.watched(machine=Machine(gpu=False)), notes=["a note"], rank=[("Time", "1st")]),
    "nothing finished": lambda: pages.of(Run(correct=(4000, 9000), status="failed")),
    "nothing": lambda: pages.of(),
    "a hostile trainer": lambda: pages.of(Run(recipe=HOSTILE, hello={"trainer": HOSTILE})),
    "a comparison": lambda: pages.of_sides(five_seeds(), five_seeds(), five_seeds()),
    "a hostile comparison": lambda: pages.of_sides(five_seeds(), five_seeds(), names=(HOSTILE, "n" * 200)),
}


@dataclass
class Opened:
    """A page that is open, what it asked for, and what it complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def drawn(self) -> None:
        """Wait until every chart is."""
        self.page.wait_for_selector(".plot:not([data-drawn])", state="detached", timeout=30_000)

    def announced(self) -> str:
        return self.page.locator("#announced").inner_text()

    def column(self, title: str) -> list[str]:
        """The cells of the runs' table that are shown, under a title."""
        table = self.page.locator("table.sortable").first
        place = table.locator("thead button").all_inner_texts().index(title)
        rows = table.locator("tbody tr:visible")
        return [row.locator("td").nth(place).inner_text() for row in rows.all()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    reason = "needs playwright, which `make test-slow` installs"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    chromium = os.environ.get("BENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium: `apt-get install chromium`, or name one with BENCH_CHROMIUM=/path")
    with playwright.sync_playwright() as run:
        # As root, as in a container, Chromium starts without its sandbox only; the page is our own.
        found = run.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open a page at a width; what it complains of fails the test."""
    contexts = []

    def open_(text: str, width: int = 1280, **how: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, **how)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
        file = pages.write(tmp_path / f"{len(contexts)}.html", text)
        found.page.goto(file.as_uri())
        return found

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_it_opens_without_a_complaint_a_request_or_a_sideways_scroll(
    opened: Callable[..., Opened], name: str, width: int
) -> None:
    found = opened(CAMPAIGNS[name](), width)
    found.drawn()
    assert found.complaints == []
    assert [url for url in found.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    for plot in found.page.locator(".plot").all():
        assert plot.locator("svg.main-svg").count() > 0
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] <= width


def test_a_hostile_name_is_text_in_the_chart_too(opened: Callable[..., Opened]) -> None:
    found = opened(CAMPAIGNS["a hostile comparison"]())
    found.drawn()
    plot = found.page.locator("#figure-fixed-work .plot")
    plot.focus()
    plot.press("ArrowRight")
    assert HOSTILE in found.announced()
    assert str(plot.locator(".hovertext").text_content()).startswith("<b>bold</b>")
    assert found.page.locator(".plot a").count() == 0
    assert HOSTILE in found.page.locator("#figure-fixed-work .legend").inner_text()


def test_hovering_tells_the_values_of_epochs_csv(opened: Callable[..., Opened]) -> None:
    record = Run(train_seconds=10.0123456).record()
    epoch = frames.epochs([with_verdict(record)]).iloc[2]
    found = opened(pages.of(record))
    found.drawn()
    place = """([x, y]) => {
      const plot = document.querySelector("#figure-accuracy .plot"), box = plot.getBoundingClientRect();
      const {xaxis, yaxis} = plot._fullLayout;
      return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
    }"""
    found.page.locator("#figure-accuracy .plot").scroll_into_view_if_needed()
    x, y = found.page.evaluate(place, [epoch["dawnbench_seconds"], epoch["accuracy_percent"]])
    found.page.mouse.move(x, y)
    told = found.page.locator("#figure-accuracy .hovertext").first
    told.wait_for()
    words = told.evaluate("each => Array.from(each.querySelectorAll('tspan'), one => one.textContent)")
    assert "seed 0" in words
    assert f"time on dawnbench@1 (s): {float(epoch['dawnbench_seconds'])!r}" in words
    assert f"test accuracy (%): {float(epoch['accuracy_percent'])!r}" in words


def test_arrow_keys_walk_through_the_points_and_zero_shows_the_whole(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(Run(), Run(seed=1)))
    found.drawn()
    plot = found.page.locator("#figure-accuracy .plot")
    plot.focus()
    plot.press("ArrowRight")
    first = found.announced()
    assert first.startswith("seed 0, time on dawnbench@1 (s): 11.5, test accuracy (%): 40")
    plot.press("ArrowRight")
    assert "21.5" in found.announced()
    plot.press("ArrowDown")
    assert found.announced().startswith("seed 1,")
    plot.press("End")
    assert "51.5" in found.announced()
    axis = "document.querySelector('#figure-accuracy .plot')._fullLayout.xaxis.range.join()"
    whole = found.page.evaluate(axis)
    found.page.get_by_role("button", name="Zoom: near the target").click()
    assert found.page.evaluate(axis) != whole
    plot.press("0")
    assert found.page.evaluate(axis) == whole
    assert plot.locator(".hovertext").count() == 0


def test_keys_reach_every_panel_of_the_machine(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(pages.watched(), pages.watched(1)))
    found.drawn()
    plot = found.page.locator("#figure-machine .plot")
    plot.focus()
    plot.press("ArrowRight")
    heard = []
    for _ in range(5):
        heard.append(found.announced().split(",")[0])
        assert plot.locator(".hovertext").count() == 1
        plot.press("ArrowDown")
    assert heard == ["GPU utilisation", "GPU power", "SM clock", "GPU temperature", "trainer"]


def test_another_run_can_be_chosen_and_a_part_hidden(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(pages.watched(), pages.watched(1, train_seconds=20.0)))
    found.drawn()
    chart = found.page.locator("#figure-epochs")
    values = "document.querySelector('#figure-epochs .plot').data.map(each => [each.name, each.y[0], each.visible])"
    assert found.page.evaluate(values)[0] == ["training", 15, True]
    chart.get_by_role("combobox", name="Show").select_option("seed 1")
    assert found.page.evaluate(values)[0] == ["training", 20, True]
    chart.get_by_role("button", name="evaluation").click()
    assert found.page.evaluate(values)[1] == ["evaluation", 2, False]
    assert chart.get_by_role("button", name="evaluation").get_attribute("aria-pressed") == "false"


def test_the_table_sorts_by_click_and_by_keyboard_and_keeps_the_unknown_last(opened: Callable[..., Opened]) -> None:
    runs = [*five_seeds(), Run(seed=5, correct=(4000,), status="failed")]
    found = opened(pages.of(*reversed(runs)))
    heading = found.page.get_by_role("button", name="dawnbench@1 s", exact=True)
    heading.click()
    assert found.column("seed") == ["0", "1", "3", "4", "2", "5"]
    assert found.column("dawnbench@1 s")[-2:] == ["missed", ""]
    heading.press("Enter")
    assert found.column("seed") == ["2", "4", "3", "1", "0", "5"]
    assert found.page.locator("th[aria-sort=descending]").inner_text() == "dawnbench@1 s"


def test_the_table_is_filtered_by_words_and_by_verdict(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(Run(), Run(seed=1, hello={"seed": 9}), Run(seed=2, correct=(1,), status="failed")))
    table = found.page.locator(".seeds")
    table.get_by_label("Verdict").select_option("invalid")
    assert found.column("seed") == ["1", "2"]
    table.get_by_label("Status").select_option("failed")
    assert found.column("seed") == ["2"]
    table.get_by_label("Status").select_option("")
    table.get_by_label("Verdict").select_option("")
    table.get_by_role("searchbox", name="Filter").fill("clean")
    assert found.column("seed") == ["0"]
    assert table.locator(".count").inner_text() == "1 of 3 runs"
    table.get_by_role("button", name="columns").click()
    assert "harness_cpu_seconds" in table.locator("thead button:visible").all_inner_texts()


def test_it_is_dark_where_the_reader_wants_it_and_can_be_switched(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(Run()), color_scheme="dark")
    found.drawn()
    ink = "getComputedStyle(document.body).backgroundColor"
    line = "document.querySelector('#figure-accuracy .plot').data[0].line.color"
    dark = [found.page.evaluate(each) for each in (ink, line)]
    found.page.get_by_role("button", name="Dark").click()
    light = [found.page.evaluate(each) for each in (ink, line)]
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] != light[0]
    assert dark[1] != light[1]


def test_every_control_is_reached_by_the_tab_key_and_the_first_skips_to_the_results(
    opened: Callable[..., Opened],
) -> None:
    found = opened(pages.of(Run(), Run(seed=1)))
    found.drawn()
    found.page.keyboard.press("Tab")
    assert found.page.evaluate("document.activeElement.textContent") == "Skip to the results"
    found.page.keyboard.press("Enter")
    assert found.page.evaluate("document.activeElement.id") == "main"
    controls = found.page.locator("button:visible, select:visible, input:visible, summary, .plot").all()
    assert all(control.evaluate("each => each.disabled || each.tabIndex >= 0") for control in controls)


def test_it_prints_in_light_colours_with_every_chart(opened: Callable[..., Opened]) -> None:
    found = opened(pages.of(pages.watched()), color_scheme="dark")
    assert len(found.page.pdf()) > 20_000
    assert found.complaints == []


def test_fifty_seeds_open(opened: Callable[..., Opened]) -> None:
    runs = [replace(pages.watched(seed), machine=Machine(period_ms=250)) for seed in range(50)]
    found = opened(pages.of(*runs))
    found.drawn()
    assert found.complaints == []
    assert len(found.column("seed")) == 50


def test_without_javascript_the_numbers_are_there(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages.write(tmp_path / "page.html", pages.of(Run())).as_uri())
    page.locator("#figure-accuracy summary").click()
    assert page.locator("#figure-accuracy td", has_text="93.99").first.is_visible()
    context.close()
