"""The file that says which recipes are reproduced, and where its numbers come from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.campaign import plan, reproductions
from bench.cli.evidence import command
from bench.errors import DataError
from bench.record import seed_folder
from bench.rules import with_verdict
from resnet9 import recipe as recipes
from tests.support.records import NS, Run, finals, write_campaign

AIR94 = recipes.load("air94")


def air94_runs(*percents: float) -> list[Run]:
    """Whole runs of air94, announced as the trainer announces them, that end with these accuracies."""
    recipe = {
        "name": AIR94.name, "sha256": AIR94.sha256, "target_percent": 94.0, "epochs": 5, "steps_per_epoch": 97,
        "batch": 512, "view": "plain",
    }  # fmt: skip
    committed = {"fingerprint": {"git.dirty": False, "git.commit": "c0ffee"}}
    made = [replace(run, recipe="air94", hello={"recipe": recipe}, start=committed) for run in finals(*percents)]
    return [replace(run, spawned_ns=run.correct[-1] * NS + run.seed) for run in made]


def write_published(folder: Path, runs: Sequence[Run], **changes: Any) -> Path:
    """A campaign of air94 as it is published: with the predictions of each run."""
    configuration = {"recipe": "air94", "recipe_sha256": AIR94.sha256, "dataset": "cifar10"}
    write_campaign(folder, runs, **{"configuration": configuration, **changes})
    for run in runs:
        classes = bytes(int(digit) for digit in f"{run.spawned_ns:016d}")
        (seed_folder(folder, run.seed) / "predictions.u8").write_bytes(classes * 625)
    return folder


@pytest.fixture
def judged_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes with the plain view, which is what the made runs end in."""
    found = {name: replace(each, view="plain") for name, each in reproductions.shipped().items()}
    monkeypatch.setattr(reproductions, "shipped", lambda: found)


def test_the_shipped_file_is_what_the_published_records_give() -> None:
    written = reproductions.REPRODUCED_FILE.read_text(encoding="utf-8")
    assert written == reproductions.text(reproductions.content()), "type `python -m bench evidence`"


@pytest.mark.parametrize("name", [plan.FULL, plan.FAST])
def test_recipes_that_we_recommend_meet_the_rule_for_a_default(name: str) -> None:
    rows = json.loads(reproductions.REPRODUCED_FILE.read_text(encoding="utf-8"))["own"]
    (row,) = (row for row in rows if row["recipe"] == name)
    assert row["recipe_sha256"] == recipes.load(name).sha256
    assert row["shortfall"] == "" and row["published_runs"] >= 50


@pytest.mark.usefixtures("judged_plainly")
def test_runs_of_every_campaign_are_taken_and_those_of_ablations_are_not(tmp_path: Path) -> None:
    write_published(tmp_path / "one", air94_runs(94.0, 94.2))
    write_published(tmp_path / "two", air94_runs(94.1))
    write_published(tmp_path / "ablation" / "base", air94_runs(80.0, 80.0))
    write_campaign(tmp_path / "smoke", [replace(Run(), recipe="smoke", dataset="synthetic", dataset_state="synthetic")])

    (row,) = reproductions.content(tmp_path)["recipes"]

    assert (row["recipe"], row["n"], row["mean_percent"], row["reproduced"]) == ("air94", 3, 94.1, True)
    assert [place.removeprefix(f"{tmp_path.as_posix()}/") for place in row["records"]] == [
        "one/seed-000", "one/seed-001", "two/seed-000",
    ]  # fmt: skip


@pytest.mark.usefixtures("judged_plainly")
def test_the_command_writes_the_file_and_says_what_is_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_published(tmp_path / "published" / "one", air94_runs(94.0, 93.0))
    body = reproductions.content(tmp_path / "published")
    monkeypatch.setattr(reproductions, "content", lambda: body)
    monkeypatch.setattr(reproductions, "CHECKOUT", tmp_path)
    monkeypatch.setattr(reproductions, "REPRODUCED_FILE", tmp_path / "reproduced.json")

    said = CliRunner().invoke(command, [], catch_exceptions=False).output

    assert "air94: not reproduced; 2 runs give 93.50 %, published is 94.01 %." in said
    assert json.loads((tmp_path / "reproduced.json").read_text())["recipes"] == body["recipes"]


@pytest.mark.usefixtures("judged_plainly")
def test_the_summary_of_a_campaign_that_reproduces_nothing_says_so(tmp_path: Path) -> None:
    campaign = write_campaign(tmp_path / "one", air94_runs(93.0, 93.1))
    from bench.cli.report import command as report

    said = CliRunner().invoke(report, [str(campaign)], catch_exceptions=False).output

    assert "ot reproduced here: air94 is published with 94.01 %" in " ".join(said.split())


@pytest.mark.usefixtures("judged_plainly")
def test_copied_folders_count_once_and_lost_seeds_are_told(tmp_path: Path) -> None:
    one = write_published(tmp_path / "one", air94_runs(94.0, 94.2), seeds=[0, 1, 2, 3])
    shutil.copytree(one / "seed-000", one / "seed-003")
    shutil.copytree(one / "seed-000", one / "seed-004")
    shutil.copytree(one / "seed-000", one / "seed-001.failed-1")  # made again since
    write_published(tmp_path / "two", air94_runs(94.0))

    (row,) = reproductions.content(tmp_path)["recipes"]

    assert (row["n"], row["reproduced"], row["commits"]) == (2, False, ["c0ffee"])
    assert row["left_out"] == {"copy": 1, "invalid": 2, "not run": 1}


@pytest.mark.usefixtures("judged_plainly")
@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"recipes": 5}', '{"recipes": [{}]}', '{"recipes": ["x"]}'])
def test_a_damaged_file_is_one_sentence_in_a_report(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproductions, "REPRODUCED_FILE", tmp_path / "reproduced.json")
    (tmp_path / "reproduced.json").write_text(content)
    records = [with_verdict(run.record()) for run in air94_runs(94.0)]
    with pytest.raises(DataError, match=r"^reproduced\.json cannot be read .*\. Type `python -m bench evidence`\.$"):
        reproductions.notes(records)
