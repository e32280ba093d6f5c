"""``bench report --format`` and ``--figures``: what a campaign is given as beside its tables and its page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.report import formats
from tests.support.records import (
    Run,
    ablation,
    ablation_folder,
    finals,
    five_seeds,
    variant,
    write_campaign,
)

Told = tuple[int, str, str]
Bench = Callable[..., Told]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run a command; its exit code, what it said, and what it said of errors."""
    for name in ("OUT", "AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Told:
        code = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_campaign(tmp_path / "20260304T050607Z-page24-cpu", five_seeds()[:3])


def test_markdown_is_all_that_is_printed_to_be_pasted(folder: Path, bench: Bench) -> None:
    code, out, err = bench("report", folder, "--format", "markdown")
    assert code == 0
    assert out.startswith("**page24 on cifar10 (canonical), Some CPU, bf16, input host**\n\n|  |  |\n")
    assert all(line == "" or line[0] in "*|" for line in out.splitlines())
    assert str(folder) in err
    assert (folder / "runs.csv").exists()


def test_markdown_says_that_a_stand_in_is_no_result(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", [Run(dataset="synthetic", dataset_state="synthetic")])
    assert "CIFAR-10" in bench("report", folder, "--format", "markdown")[1].splitlines()[0]


def test_parquet_files_lie_beside_the_tables(folder: Path, bench: Bench) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow; type `make parquet`")
    code, out, _ = bench("report", folder, "--format", "parquet", "--format", "csv")
    assert code == 0
    assert "runs.parquet, epochs.parquet, summary.parquet" in out
    assert {path.name for path in folder.glob("*.parquet")} == {"runs.parquet", "epochs.parquet", "summary.parquet"}
    assert "2 of 3" in out


def test_parquet_without_pyarrow_is_refused_before_anything_is_made(
    folder: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, out, err = bench("report", folder, "--format", "parquet")
    assert (code, out) == (4, "")
    assert err.count("\n") == 1 and "`make parquet`" in err
    assert not (folder / "runs.csv").exists()


def test_the_figures_of_the_page_are_drawn_where_they_are_wanted(folder: Path, tmp_path: Path, bench: Bench) -> None:
    code, out, _ = bench("report", folder, "--figures", tmp_path / "pictures", "--figures-as", "svg")
    assert code == 0
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"accuracy.svg", "runs.svg"} <= names
    assert f"{len(names)} pictures" in out
    assert "What the machine did: " in out


def test_an_unknown_format_names_those_there_are(folder: Path, bench: Bench) -> None:
    code, _, err = bench("report", folder, "--format", "excel")
    assert code == 2
    assert all(name in err for name in formats.NAMES)


def test_every_format_is_in_the_help_with_what_it_is(bench: Bench) -> None:
    words = " ".join(bench("report", "--help")[1].split())
    assert set(formats.NAMES) >= {"console", "csv", "html", "markdown", "parquet"}
    for name in formats.NAMES:
        assert f"{name}: {formats.load(name).HELP}" in words


@pytest.mark.parametrize("asked", [("--format", "markdown"), ("--figures", "pictures")])
def test_an_ablation_has_no_such_forms(tmp_path: Path, bench: Bench, asked: tuple[str, str]) -> None:
    stored = ablation(variant("base"), variant("no_flip", "base"))
    folder = ablation_folder(tmp_path / "a", stored, {"base": finals(94.1), "no_flip": finals(93.1)})
    code, _, err = bench("report", folder, *asked)
    assert code == 2
    assert "no_flip" in err or "base" in err
