"""``bench report`` on folders that somebody edited, mixed or made up: told in a sentence, and nothing obeyed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.errors import DataError
from bench.record import describe
from bench.report import experiments
from bench.report.formats import console
from bench.report.formats.csv import read_table
from tests.support.machines import Machine
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
    assert len(read_table(folder / "summary.csv")) == 3
    assert "recipe (page24, hive), dataset (cifar10, synthetic), dataset_state (canonical, synthetic)" in out


UNSAID: list[tuple[str, ...]] = [
    *((kind,) for kind in ("hello", "harness_start", "harness_end", "phase", "epoch", "harness_sampler")),
    *(("hello", "harness_start"), ("hello", "epoch", "harness_end"), ("hello", "phase", "harness_recount")),
]


@pytest.mark.parametrize("unsaid", UNSAID, ids=" ".join)
@pytest.mark.parametrize("other", [Run(seed=1, recipe="hive"), Run(seed=1, target_percent=90.0, hello={"threads": 7})])
def test_a_run_that_says_too_little_beside_two_configurations_has_its_place(
    tmp_path: Path, bench: Bench, unsaid: tuple[str, ...], other: Run
) -> None:
    folder = write_campaign(tmp_path / "c", [Run(), other, Run(seed=2, machine=Machine())])
    events = folder / "seed-002" / "events.jsonl"
    kept = [line for line in events.read_text().splitlines() if json.loads(line)["event"] not in unsaid]
    events.write_text("".join(f"{line}\n" for line in kept))
    for form in ("csv", "markdown"):
        code, out, err = bench("report", folder, "--format", form)
        assert (code, "Traceback" in out + err) == (0, False)
    assert list(read_table(folder / "runs.csv")["seed"]) == [0, 1, 2]
    assert len(read_table(folder / "summary.csv")) == (3 if "hello" in unsaid else 2)
    assert (folder / "report.html").exists()


def test_a_folder_without_events_is_told(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", five_seeds())
    (folder / "seed-001" / "events.jsonl").unlink()
    (folder / "seed-003" / "events.jsonl").unlink()
    out = bench("report", folder)[1]
    assert "seed-001, seed-003" in out
    assert "unfinished: 2 of 5 seeds are left" in out


def test_names_are_no_formula_no_tag_and_no_column(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(
        tmp_path / "c", [Run(recipe=NAME, hello={"device": {"kind": "cpu", "name": NAME, "uuid": ""}})]
    )
    code, _, _ = bench("report", folder)
    assert code == 0
    assert f"'{NAME}" in (folder / "runs.csv").read_text()
    assert read_table(folder / "runs.csv")["recipe"][0] == NAME
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
    assert len(read_table(folder / "runs.csv")) == len(runs)
    assert len(read_table(folder / "summary.csv")) == 1


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
    assert "and 3 more runs" in out
    assert f"{more} of {more}; 100 %" in out
    assert len(read_table(folder / "runs.csv")) == more


@pytest.mark.parametrize(
    ("text", "said"), [('{"schema": 1, "reci', "is not whole JSON"), ('{"schema": 99}', "has schema 99")]
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
        experiments.compared(tmp_path)


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
    assert "Rebuilt" in out + err
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
    assert "no\\x1b]0;x\\x07\\u202egpj. Give" in err


def test_an_ordinary_name_is_printed_as_it_is(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "Läufe  vom Mai\\x", [Run()])
    out = bench("report", folder)[1]
    assert out.startswith(f"{folder}: ") and f"tables in {folder}." in out


# Links and pipes where files and folders belong


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A campaign of the reader's own, which no report of another folder may touch."""
    return write_campaign(tmp_path / "elsewhere", [Run(), Run(seed=1)])


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CLAIMED = ("--author", "A", "--email", "a@b.example", "--hardware", "1 x CPU")


@pytest.mark.parametrize("place", ["dawnbench", "dawnbench/CIFAR10", "dawnbench/CIFAR10/train"])
def test_a_pair_is_not_written_through_a_link(tmp_path: Path, bench: Bench, elsewhere: Path, place: str) -> None:
    folder, before = write_campaign(tmp_path / "c", five_seeds()), content(elsewhere)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).symlink_to(elsewhere)
    code, _, err = bench("report", folder, *CLAIMED)
    assert (code, content(elsewhere)) == (3, before)
    assert err.count("\n") == 1 and f"{folder / place} is a link" in err


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_side_that_is_a_link_is_refused_before_anything_is_written(
    tmp_path: Path, bench: Bench, elsewhere: Path, side: str
) -> None:
    folder, before = tmp_path / "ab", content(elsewhere)
    for name in {"a", "b"} - {side}:
        write_campaign(folder / name, [Run(), Run(seed=1)])
    own = {"settings": {}, "variables": {}, "configuration": {}}
    stored = {
        "schema": 1,
        "recipe": "page24",
        "dataset": "cifar10",
        "epochs": None,
        "seeds": [0, 1],
        "a": own,
        "b": own,
    }
    (folder / "ab.json").write_text(json.dumps(stored))
    (folder / side).symlink_to(elsewhere)
    files = sorted(path.name for path in folder.rglob("*"))
    code, _, err = bench("report", folder)
    assert (code, content(elsewhere)) == (3, before)
    assert err.count("\n") == 1 and f"{folder / side} is a link" in err
    assert sorted(path.name for path in folder.rglob("*")) == files


def test_a_variant_that_is_a_link_is_refused(tmp_path: Path, bench: Bench, elsewhere: Path) -> None:
    stored, before = ablation(variant("base"), variant("other", "base"), seeds=(0, 1)), content(elsewhere)
    folder = ablation_folder(tmp_path / "c", stored, {"base": [Run(), Run(seed=1)]})
    (folder / "other").symlink_to(elsewhere)
    assert bench("report", folder)[0] == 3
    assert content(elsewhere) == before


@pytest.mark.parametrize("target", ["seed-000", "../elsewhere/seed-001"])
def test_a_run_that_is_a_link_is_not_written_through(
    tmp_path: Path, bench: Bench, elsewhere: Path, target: str
) -> None:
    folder, before = write_campaign(tmp_path / "c", [Run()]), content(elsewhere)
    (folder / "seed-001").symlink_to(target)
    assert bench("report", folder)[0] == 3
    assert content(elsewhere) == before


def test_tables_that_are_links_become_files_and_planted_names_lead_nowhere(
    tmp_path: Path, bench: Bench, elsewhere: Path
) -> None:
    folder, before = write_campaign(tmp_path / "c", five_seeds()), content(elsewhere)
    names = ("runs.csv", "epochs.csv", "summary.csv", "report.html", "seed-000/record.json")
    for name in names:
        path = folder / name
        if not name.startswith("seed"):
            path.symlink_to(elsewhere / "campaign.json")
        for number in range(os.getpid() - 2, os.getpid() + 3):
            path.with_name(f".{path.name}.{number}.part").symlink_to(elsewhere / "campaign.json")
    assert bench("report", folder)[0] == 0
    assert content(elsewhere) == before
    assert not any((folder / name).is_symlink() for name in names)


def test_the_newest_campaign_is_no_link(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "results" / "20270101T000000Z-planted").parent.mkdir()
    (tmp_path / "results" / "20270101T000000Z-planted").symlink_to(elsewhere)
    with pytest.raises(DataError):
        describe.newest(tmp_path / "results")
    own = write_campaign(tmp_path / "results" / "20260101T000000Z-own", [Run()])
    assert describe.newest(tmp_path / "results") == own


@pytest.mark.parametrize(
    "name", ["campaign.json", *(f"seed-001/{name}" for name in ("events.jsonl", "telemetry.csv", "record.json"))]
)
@pytest.mark.parametrize("kind", ["pipe", "endless", "device"])
def test_what_is_no_file_of_ours_is_one_sentence(tmp_path: Path, bench: Bench, name: str, kind: str) -> None:
    folder = write_campaign(tmp_path / "c", [Run(), Run(seed=1, machine=Machine())])
    (folder / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "device":
        (folder / name).symlink_to("/dev/zero")
    else:
        with open(folder / name, "wb") as stream:
            stream.truncate(100 << 30)
    code, out, err = bench("report", folder)
    if name.endswith("record.json") and kind == "endless":
        assert code == 0  # It is made again.
        assert (folder / name).stat().st_size < 1 << 20
        return
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert str(folder / name) in err or "is not a campaign" in err


def test_a_line_without_an_end_is_counted_and_not_kept(tmp_path: Path, bench: Bench) -> None:
    folder = write_campaign(tmp_path / "c", [Run()])
    events = folder / "seed-000" / "events.jsonl"
    first, *rest = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join([first, b"x" * (20 << 20) + b"\n", *rest]))
    assert bench("report", folder)[0] == 0
    found = json.loads((folder / "seed-000" / "record.json").read_text())
    assert (found["malformed_lines"], len(found["epochs"])) == (1, 5)
