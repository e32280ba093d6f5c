"""``bench report`` on folders that somebody edited, mixed or made up: told in a sentence, and nothing obeyed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import _ab
from bench.errors import DataError
from bench.output import console, tables
from tests.bench.records import Run, ablation, ablation_folder, finals, five_seeds, variant, write_campaign

Told = tuple[int, str, str]
Bench = Callable[..., Told]
NAME = "=cmd()|<script>alert(1)</script>"


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run a command; its exit code, what it said, and what it said of errors."""
    for name in ("OUT", "AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: object) -> Told:
        code = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_cells_edited_by_hand_are_made_again(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", five_seeds())
    bench("report", folder)
    good = {path: path.read_bytes() for path in folder.glob("*.csv")}
    for path in good:
        path.write_text(path.read_text().replace("94.", "99."))
        assert path.read_bytes() != good[path]
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "99." not in out
    assert {path: path.read_bytes() for path in good} == good


def test_a_record_edited_by_hand_is_made_again(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", five_seeds())
    first = bench("report", folder)[1]
    record = folder / "seed-002" / "record.json"
    good = record.read_text()
    record.write_text(
        good.replace('"correct": 9399', '"correct": 9999').replace('"crossing_index": null', '"crossing_index": 4')
    )
    assert record.read_text() != good
    assert bench("report", folder)[1] == first
    assert record.read_text() == good


def test_two_datasets_in_one_campaign_are_two_rows_and_told(tmp_path: Path, bench: Bench) -> None:
    runs = [Run(), Run(seed=1, dataset="synthetic", dataset_state="synthetic"), Run(seed=2, recipe="hive")]
    folder = write_campaign(tmp_path / "c", runs)
    code, out, _ = bench("report", folder)
    assert code == 0
    assert len(tables.read(folder / "summary.csv")) == 3
    assert (
        "the runs are of 3 configurations, each with figures of its own: recipe (page24, hive), "
        "dataset (cifar10, synthetic), dataset_state (canonical, synthetic)"
    ) in out


def test_a_folder_without_events_is_told(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", five_seeds())
    (folder / "seed-001" / "events.jsonl").unlink()
    (folder / "seed-003" / "events.jsonl").unlink()
    out = bench("report", folder)[1]
    assert "no events.jsonl in seed-001, seed-003, so no table tells of them" in out
    assert "unfinished: 2 of 5 seeds are left" in out


def test_names_are_no_formula_no_tag_and_no_column(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(
        tmp_path / "c", [Run(recipe=NAME, hello={"device": {"kind": "cpu", "name": NAME, "uuid": ""}})]
    )
    code, _, _ = bench("report", folder)
    assert code == 0
    assert f"'{NAME}" in (folder / "runs.csv").read_text()
    assert tables.read(folder / "runs.csv")["recipe"][0] == NAME
    pasted = bench("report", folder, "--format", "markdown")[1]
    assert "<script" not in pasted and "=cmd()|" not in pasted.replace("\\|", "")
    assert "<script>alert" not in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    "runs", [[Run()], finals(90.0, 91.0), [Run(status="failed", correct=())]], ids=["one", "misses", "none"]
)
def test_one_seed_all_misses_or_no_finished_run_have_tables(tmp_path: Path, bench: Bench, runs: list[Run]) -> None:
    folder = write_campaign(tmp_path / "c", runs)
    for form in ("csv", "markdown"):
        code, out, err = bench("report", folder, "--format", form)
        assert (code, "Traceback" in out + err) == (0, False)
    assert len(tables.read(folder / "runs.csv")) == len(runs)
    assert len(tables.read(folder / "summary.csv")) == 1


def test_one_sentence_refuses_what_would_be_left_out(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", five_seeds())
    shutil.copytree(folder / "seed-001", folder / "seed-1")
    code, out, err = bench("report", folder)
    assert (code, out) == (3, "")
    assert err.count("\n") == 1 and "both of seed 1" in err


def test_more_seeds_than_anybody_reads_are_counted_and_told(tmp_path: Path, bench: Bench) -> None:
    more = console.MOST_SEEDS + 3
    folder = write_campaign(tmp_path / "c", [replace(Run(), seed=seed) for seed in range(more)])
    out = bench("report", folder)[1]
    assert "and 3 more runs, which the figures below count, too; runs.csv has every one" in out
    assert f"{more} of {more}, 100 %" in out
    assert len(tables.read(folder / "runs.csv")) == more


@pytest.mark.parametrize(
    ("text", "said"), [('{"schema": 1, "reci', "is not whole JSON"), ('{"schema": 99}', "update the checkout")]
)
def test_a_damaged_file_of_an_ab_is_told_and_nothing_is_written(
    tmp_path: Path, bench: Bench, text: str, said: str
) -> None:
    folder = write_campaign(tmp_path / "ab" / "a", [Run()]).parent
    (folder / "ab.json").write_text(text)
    code, out, err = bench("report", folder)
    assert (code, out) == (3, "")
    assert said in err and "ab.json" in err and err.count("\n") == 1
    assert not (folder / "a" / "runs.csv").exists()


@pytest.mark.parametrize("text", ['{"schema": 1, "reci', '{"schema": 99}'])
def test_a_damaged_file_of_an_ab_has_no_comparison(tmp_path: Path, text: str) -> None:
    (tmp_path / "ab.json").write_text(text)
    with pytest.raises(DataError, match=re.escape("ab.json")):
        _ab.compared(tmp_path)


# Names that would steer a terminal: its own codes, and marks that turn the order of letters.

STEERING = "\x1b]0;x\x07\u202egpj"


def steered(told: str) -> bool:
    return any(not each.isprintable() for line in told.splitlines() for each in line)


@pytest.mark.parametrize("options", [(), ("--format", "markdown")])
def test_a_name_cannot_steer_the_terminal(tmp_path: Path, bench: Bench, options: tuple[str, ...]) -> None:
    hello = {"device": {"kind": "cpu", "name": f"Big{STEERING} CPU", "uuid": ""}}
    folder = write_campaign(tmp_path / f"c{STEERING}", [Run(hello=hello)])
    code, out, err = bench("report", folder, *options)
    assert code == 0
    assert "Big" in out and "gpj CPU" in out
    assert "fit its events." in out + err
    assert not steered(out) and not steered(err)


def test_the_name_of_an_ablation_cannot_steer_the_terminal(tmp_path: Path, bench: Bench) -> None:
    stored = ablation(variant("base"), variant("other", "base", technique=f"with {STEERING}"), seeds=(0,))
    hello = {"device": {"kind": "cpu", "name": f"Big{STEERING} CPU", "uuid": ""}}
    runs = {"base": [Run(hello=hello)], "other": [Run(hello=hello)]}
    code, out, _ = bench("report", ablation_folder(tmp_path / f"c{STEERING}", stored, runs))
    assert code == 0 and not steered(out)
    assert "Big" in out and f"c{STEERING}".encode("unicode_escape").decode() in out


def test_a_name_in_an_error_shows_itself_and_steers_nothing(tmp_path: Path, bench: Bench) -> None:
    code, _, err = bench("report", tmp_path / f"no{STEERING}")
    assert code == 3 and not steered(err)
    assert "no\\x1b]0;x\\x07\\u202egpj; give" in err


def test_an_ordinary_name_is_printed_as_it_is(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "Läufe  vom Mai\\x", [Run()])
    out = bench("report", folder)[1]
    assert out.startswith(f"{folder}: ") and f"Records and tables in {folder} fit its events." in out
