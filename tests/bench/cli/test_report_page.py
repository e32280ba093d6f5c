"""``report.html`` beside the tables: where it is, what it knows, and what happens where it cannot be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.errors import EnvironmentProblem
from bench.report import html
from tests.bench.report.html import pages
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds, write_campaign

Told = tuple[int, str, str]


@pytest.fixture(autouse=True)
def nothing_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OUT", "AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(*arguments: object) -> Told:
        code = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_report_writes_the_page_beside_the_tables_and_says_where(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "20260304T050607Z-page24-cpu", five_seeds())
    code, out, _ = bench("report", folder)
    assert code == 0
    assert str(folder / html.PAGE_FILE) in out
    facts = dict(pages.facts((folder / html.PAGE_FILE).read_text()))
    assert "4 of 5" in facts["reached"] and "rank" in facts


def test_the_page_shows_what_the_sampler_read(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "20260304T050607Z-page24-gpu", [Run(machine=Machine())])
    bench("report", folder)
    assert '"name":"GPU power"' in (folder / html.PAGE_FILE).read_text()


def test_a_stand_in_has_no_place_on_the_board(tmp_path: Path, bench: Callable[..., Told]) -> None:
    run = Run(dataset="synthetic", dataset_state="synthetic")
    folder = write_campaign(tmp_path / "20260304T050607Z-smoke-cpu", [run])
    bench("report", folder)
    facts = dict(pages.facts((folder / html.PAGE_FILE).read_text()))
    assert "synthetic" in facts and "rank" not in facts


def test_a_page_that_cannot_be_made_is_told_and_costs_nothing_else(
    tmp_path: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*anything: object, **more: object) -> None:
        raise EnvironmentProblem("the disk is full.")

    monkeypatch.setattr(html, "write_campaign", refuse)
    folder = write_campaign(tmp_path / "20260304T050607Z-page24-cpu", five_seeds())
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "No page: the disk is full." in out
    assert (folder / "runs.csv").is_file()
