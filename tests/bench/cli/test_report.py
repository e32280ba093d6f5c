"""``bench report`` and ``bench entry``: all from events alone, nothing that happened touched, bad input told."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cli import report
from bench.dawnbench import publish
from bench.record import Record
from bench.record.claims import Claims
from bench.record.experiment import StoredStalls, write_experiment
from bench.record.files import load_versioned
from bench.report.formats.csv import read_table
from bench.rules import with_verdict
from resnet9 import recipe
from tests.bench.report.html import pages
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

CLAIMS = {"AUTHOR": "Ada Lovelace", "EMAIL": "ada@example.org", "HARDWARE": "1 V100"}
PAIR = Path("dawnbench", "CIFAR10", "train")
Told = tuple[int, str, str]


@pytest.fixture(autouse=True)
def nothing_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OUT", "AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run a command; its exit code, what it said, and what it said of errors."""

    def run(*arguments: object) -> Told:
        code = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_campaign(tmp_path / "20260304T050607Z-page24-cpu", five_seeds())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_rebuilt_from_the_events(folder: Path, bench: Callable[..., Told]) -> None:
    before = contents(folder)
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "4 of 5; 80 %" in out
    assert list(read_table(folder / "runs.csv")["verdict"]) == ["clean"] * 5
    assert len(read_table(folder / "epochs.csv")) == 25
    assert read_table(folder / "summary.csv")["reached"][0] == 4
    record = load_versioned(Record, folder / "seed-003" / "record.json")
    assert record.verdict is not None
    assert {path: content for path, content in contents(folder).items() if path in before} == before


def test_what_the_machine_did_is_rebuilt_from_events_and_ticks(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "20260304T050607Z-page24-gpu", [Run(machine=Machine()), Run(seed=1)])
    before = contents(folder)
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "busy 90 %, 250 W, 1,530 MHz" in out
    runs = read_table(folder / "runs.csv")
    assert (runs["energy_joules"][0], runs["telemetry_note"][1]) == (16_100.0, "no telemetry was recorded")
    assert list(read_table(folder / "epochs.csv")["train_joules"][:5]) == [2500.0] * 5
    assert read_table(folder / "seed-000" / "telemetry.csv")["gpu_power_watts"].max() == 250.0
    assert load_versioned(Record, folder / "seed-000" / "record.json").telemetry.energy.run_joules == 16_100.0
    assert {path: content for path, content in contents(folder).items() if path in before} == before


def test_a_damaged_table_of_ticks_is_told_and_the_rest_is_kept(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "20260304T050607Z-page24-gpu", [Run(machine=Machine())])
    (folder / "seed-000" / "telemetry.csv").write_text("hours,accuracy\n1,2\n")
    code, _, _ = bench("report", folder)
    assert code == 0
    row = read_table(folder / "runs.csv").iloc[0]
    assert row["telemetry_note"].startswith("telemetry.csv")
    assert row["energy_joules"] == 16_100.0


def test_a_price_gives_the_cost_whether_it_was_said_before_or_now(folder: Path, bench: Callable[..., Told]) -> None:
    _, out, _ = bench("report", folder)
    assert "Cost to" not in out
    assert read_table(folder / "summary.csv")["cost_to_target_usd"].isna().all()
    _, out, _ = bench("report", folder, "--cost-per-hour", "3.06")
    assert "$0.05" in out
    assert read_table(folder / "summary.csv")["cost_to_target_usd"][0] == pytest.approx(3.06 * 53.0 / 3600)
    said = json.loads((folder / "campaign.json").read_text())
    (folder / "campaign.json").write_text(json.dumps({**said, "claims": {**said["claims"], "cost_per_hour": 7.2}}))
    bench("report", folder)
    assert read_table(folder / "runs.csv")["cost_to_target_usd"][0] == pytest.approx(7.2 * 51.5 / 3600)


def test_damaged_records_and_tables_do_no_harm(folder: Path, bench: Callable[..., Told]) -> None:
    bench("report", folder)
    good = contents(folder)
    for path in [*folder.glob("*.csv"), *folder.glob("*/record.json")]:
        path.write_text("nonsense")
    assert bench("report", folder)[0] == 0
    assert contents(folder) == good


def test_a_second_report_changes_no_file(folder: Path, bench: Callable[..., Told]) -> None:
    bench("report", folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    bench("report", folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_folder_that_cannot_be_written_is_reported_on_all_the_same(
    folder: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    # Root may write anywhere, whatever a mode says, so the answer is given in place of the kernel.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "4 of 5; 80 %" in out
    assert "read-only" in out
    assert contents(folder) == before


def test_a_disk_that_refuses_is_told_after_the_summary(folder: Path, bench: Callable[..., Told]) -> None:
    (folder / "runs.csv").mkdir()
    code, out, err = bench("report", folder)
    assert code == 4
    assert "4 of 5; 80 %" in out
    assert "cannot write" in err


def test_out_names_the_folder_as_make_does(
    folder: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUT", str(folder))
    assert str(folder) in bench("report")[1]


def test_without_a_folder_the_newest_campaign_is_meant(
    tmp_path: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    published = write_campaign(tmp_path / "published" / "20270101T000000Z-page24-cpu", [Run()])
    assert str(published) in bench("report")[1]
    write_campaign(tmp_path / "20260101T000000Z-page24-cpu", [Run()])
    newest = write_campaign(tmp_path / "20260301T000000Z-page24-cpu", [Run()])
    (tmp_path / "20260401T000000Z-nothing").mkdir()
    assert str(newest) in bench("report")[1]


def test_no_campaign_at_all_is_told_with_what_to_type(
    tmp_path: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    code, _, err = bench("report")
    assert (code, err.count("\n")) == (3, 1)
    assert "there is no campaign under results/ yet. Type `make bench`" in err


@pytest.mark.parametrize("command", ["report", "entry"])
@pytest.mark.parametrize(("content", "complaint"), [
    (None, "is not a campaign"), ("{", "is not whole JSON"), ("[]", "is damaged"), ('{"schema": 9}', "has schema 9"),
    ('{"schema": 1, "configuration": {}, "seeds": ["a"], "status": ""}', "`configuration.recipe` is missing"),
])  # fmt: skip
def test_what_is_no_campaign_is_refused_in_one_sentence(
    tmp_path: Path, bench: Callable[..., Told], command: str, content: str | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "campaign.json").write_text(content)
    code, _, err = bench(command, tmp_path)
    assert (code, err.count("\n")) == (3, 1)
    assert complaint in err


def test_an_unfinished_campaign_says_what_is_left(tmp_path: Path, bench: Callable[..., Told]) -> None:
    runs = [Run(), Run(seed=1, correct=(4000,), status="interrupted")]
    folder = write_campaign(tmp_path / "c", runs, seeds=[0, 1, 2], status="unfinished")
    out = bench("report", folder)[1]
    assert "2 of 3 seeds" in out
    assert "2 of 3 planned runs" in out


def test_a_campaign_without_a_run_is_told(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "c", [], seeds=[0], status="unfinished")
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "1 of 1 seeds" in out
    assert len(read_table(folder / "runs.csv")) == 0


def test_a_picture_is_drawn_on_request(folder: Path, tmp_path: Path, bench: Callable[..., Told]) -> None:
    code, out, _ = bench("report", folder, "--plot", tmp_path / "a.svg")
    assert code == 0
    assert (tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    assert f"The picture is in {tmp_path / 'a.svg'}" in out
    code, _, err = bench("report", folder, "--plot", tmp_path / "a.bmp")
    assert (code, err.count("\n")) == (2, 1)


def test_the_pair_is_written_where_author_email_and_hardware_are_given(
    folder: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CLAIMS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COST_PER_HOUR", "3.06")
    code, _, _ = bench("report", folder)
    assert code == 0
    (path,) = (folder / PAIR).glob("*.json")
    entry = json.loads(path.read_text())
    assert (entry["author"], entry["costPerHour"]) == ("Ada Lovelace", 3.06)
    assert entry["misc"]["seed"] == 3  # 51.5, 52, 53, 53.5: of an even count the slower of the two middle ones
    assert bench("validate", folder)[0] == 0


def test_without_them_the_one_command_is_told(folder: Path, bench: Callable[..., Told]) -> None:
    assert f"make report OUT={folder} AUTHOR=" in bench("report", folder)[1]
    assert not (folder / "dawnbench").exists()


def test_claims_made_for_the_campaign_need_not_be_made_again(tmp_path: Path, bench: Callable[..., Told]) -> None:
    claims = {"author": "A", "email": "a@example.org", "hardware": "1 V100", "cost_per_hour": None, "code_url": None}
    folder = write_campaign(tmp_path / "c", five_seeds(), claims=claims)
    assert bench("entry", folder)[0] == 0
    assert len(list((folder / PAIR).glob("*.json"))) == 1


def test_a_claim_that_cannot_be_is_refused_before_anything_is_done(folder: Path, bench: Callable[..., Told]) -> None:
    code, out, err = bench("report", folder, "--email", "nobody")
    assert (code, out) == (2, "")
    assert "EMAIL='nobody' is not an e-mail address" in err


def arguments() -> list[str]:
    return ["--author", "A", "--email", "a@example.org", "--hardware", "1 V100"]


def test_an_entry_needs_its_claims(folder: Path, bench: Callable[..., Told]) -> None:
    code, _, err = bench("entry", folder, "--author", "A")
    assert code == 2
    assert "EMAIL=ada@example.org HARDWARE=" in err
    assert "AUTHOR=" not in err


def test_unverified_data_needs_a_word_and_is_told_in_the_entry(tmp_path: Path, bench: Callable[..., Told]) -> None:
    runs = [replace(run, dataset_state="unverified") for run in five_seeds()]
    folder = write_campaign(tmp_path / "c", runs)
    code, _, err = bench("entry", folder, *arguments())
    assert code == 6
    assert "--allow-unverified-data" in err
    assert bench("entry", folder, *arguments(), "--allow-unverified-data")[0] == 0
    (path,) = (folder / PAIR).glob("*.json")
    assert json.loads(path.read_text())["misc"]["datasetState"] == "unverified"


def test_code_without_a_commit_needs_a_word_and_the_entry_says_so(tmp_path: Path, bench: Callable[..., Told]) -> None:
    unknown = {"git.commit": None, "git.dirty": None, "git.problem": "other-owner"}
    folder = write_campaign(tmp_path / "c", [replace(run, start={"fingerprint": unknown}) for run in five_seeds()])
    code, _, err = bench("entry", folder, *arguments())
    assert code == 6
    assert "--allow-uncommitted-code" in err
    code, out, _ = bench("report", folder)
    assert (code, "No DAWNBench pair: " in out) == (0, True)
    assert bench("entry", folder, *arguments(), "--allow-uncommitted-code")[0] == 0
    (path,) = (folder / PAIR).glob("*.json")
    misc = json.loads(path.read_text())["misc"]
    assert ("commitHash" in misc, "codeNote" in misc) == (False, True)


def test_a_refused_pair_fails_a_report_only_where_it_was_asked_for(tmp_path: Path, bench: Callable[..., Told]) -> None:
    claims = {"author": "A", "email": "a@example.org", "hardware": "1 V100", "cost_per_hour": None, "code_url": None}
    folder = write_campaign(tmp_path / "c", [Run(dataset_state="unverified")], claims=claims)
    code, out, _ = bench("report", folder)
    assert code == 0
    assert "No DAWNBench pair: " in out
    code, out, _ = bench("report", folder, *arguments())
    assert code == 6
    assert "Reached 94 %" in out


@pytest.mark.parametrize(("run", "complaint"), [
    (Run(dataset="synthetic", dataset_state="synthetic", recipe="smoke"), "not a CIFAR-10 result"),
    (Run(correct=(1, 2, 3, 4, 9399)), "no run in .* reached the target"),
    (Run(hello={"seed": 5}), "verdict above invalid"),
])  # fmt: skip
def test_no_entry_is_made_of_what_is_none(tmp_path: Path, bench: Callable[..., Told], run: Run, complaint: str) -> None:
    folder = write_campaign(tmp_path / "c", [run])
    code, _, err = bench("entry", folder, *arguments())
    assert (code, err.count("\n")) == (6, 1)
    assert re.search(complaint, err)
    assert not (folder / "dawnbench").exists()


@pytest.mark.parametrize("command", ["report", "entry"])
def test_a_campaign_whose_seeds_were_deleted_says_so_in_everything_that_is_made_of_it(
    folder: Path, bench: Callable[..., Told], command: str
) -> None:
    for seed in (0, 2, 3):
        shutil.rmtree(folder / f"seed-{seed:03d}")

    assert bench(command, folder, *arguments())[0] == 0

    misc = entry_of(folder)["misc"]
    assert (misc["runsPlanned"], misc["runsReached"]) == (5, 2)
    assert "of 5 planned runs (3 without a result)" in misc["runSelection"]
    assert "2 of 5 planned; 40 %" in bench("report", folder)[1]
    row = read_table(folder / "summary.csv").iloc[0]
    assert (row["planned"], row["not_counted"], row["success_rate"]) == (5, "0;2;3", 0.4)
    assert "2 of 5 planned" in bench("report", folder, "--format", "markdown")[1]
    assert "not_counted" in dict(pages.facts((folder / "report.html").read_text()))


@pytest.mark.parametrize("command", ["report", "entry"])
def test_a_run_that_was_not_planned_makes_no_pair(tmp_path: Path, bench: Callable[..., Told], command: str) -> None:
    folder = write_campaign(tmp_path / "c", [Run(), Run(seed=7)], seeds=[0])
    code, _, err = bench(command, folder, *arguments())
    assert code == 6 and "seed 7" in err
    assert not (folder / PAIR).exists()


def entry_of(folder: Path) -> dict[str, Any]:
    (path,) = (folder / PAIR).glob("*.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("command", ["report", "entry"])
def test_the_pair_of_a_recipe_of_ones_own_is_that_which_its_run_wrote(
    tmp_path: Path, bench: Callable[..., Told], command: str
) -> None:
    table = asdict(replace(recipe.load("air94"), name="my:mine", label_smoothing=0.05))
    runs = [Run(recipe="my:mine")]
    folder = write_campaign(tmp_path / "c", runs, recipe=table)
    judged_runs = [with_verdict(run.record()) for run in runs]
    claims = Claims("A", "a@example.org", "1 V100")
    publish.write_dawnbench(tmp_path / "run", judged_runs, claims, table, "x", plan=[0], allow_unverified_data=False)

    assert bench(command, folder, *arguments())[0] == 0
    assert entry_of(folder) == entry_of(tmp_path / "run")
    assert entry_of(folder)["model"] == "airbench CNN (my:mine)"
    assert entry_of(folder)["misc"]["labelSmoothing"] == 0.05


def test_a_recipe_that_nobody_knows_any_more_makes_no_pair(tmp_path: Path, bench: Callable[..., Told]) -> None:
    claims = {"author": "A", "email": "a@example.org", "hardware": "1 V100", "cost_per_hour": None, "code_url": None}
    folder = write_campaign(tmp_path / "c", [Run(recipe="my:mine")], claims=claims)

    code, out, _ = bench("report", folder)
    assert code == 0
    assert "No DAWNBench pair: what the recipe my:mine was is neither in campaign.json nor in this checkout" in out

    code, _, err = bench("entry", folder)
    assert (code, err.count("\n")) == (6, 1)
    assert not (folder / "dawnbench").exists()


def test_another_recipe_of_the_same_name_is_not_taken_for_it(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "c", [Run()])
    path = folder / "campaign.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "configuration": {**body["configuration"], "recipe_sha256": "0" * 64}}))

    assert bench("entry", folder, *arguments())[0] == 6


def test_the_stand_in_makes_no_pair_even_where_claims_are_given(tmp_path: Path, bench: Callable[..., Told]) -> None:
    folder = write_campaign(tmp_path / "c", [Run(dataset="synthetic", dataset_state="synthetic", recipe="smoke")])
    code, out, _ = bench("report", folder, *arguments())
    assert code == 0
    assert "DAWNBench pair" not in out
    assert not (folder / "dawnbench").exists()


# An ablation


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    stored = ablation(variant("base"), variant("other", "base"))
    runs = {"base": finals(94.0, 94.1), "other": finals(95.0, 95.1)}
    return ablation_folder(tmp_path / "results" / "20260405T060708Z-ablate-mine-cpu", stored, runs)


def test_an_ablation_is_rebuilt_from_the_events_of_its_variants(compared: Path, bench: Callable[..., Told]) -> None:
    before = contents(compared)
    code, out, _ = bench("report", compared)
    assert code == 0
    assert "better" in out
    assert list(read_table(compared / "ablation.csv")["variant"]) == ["base", "other"]
    assert "| with other |" in (compared / "ablation.md").read_text()
    assert len(read_table(compared / "other" / "runs.csv")) == 2
    assert {path: content for path, content in contents(compared).items() if path in before} == before


def test_the_newest_may_be_an_ablation(
    compared: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_campaign(compared.with_name("20260304T050607Z-page24-cpu"), five_seeds())
    monkeypatch.setattr(report, "RESULTS", compared.parent)
    assert "better" in bench("report")[1]


def test_the_newest_may_be_a_measurement_of_the_input(
    tmp_path: Path, bench: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_campaign(tmp_path / "20260304T050607Z-page24-cpu", five_seeds())
    newest = tmp_path / "20260304T050608Z-stalls-smoke-cpu"
    newest.mkdir()
    write_experiment(StoredStalls(1, "smoke", "synthetic", 3, (0, 1)), newest)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    assert f"tables in {newest}." in bench("report")[1]


def test_an_ablation_has_no_pair_and_no_picture(compared: Path, bench: Callable[..., Told]) -> None:
    for words in (["--plot", "x.svg"], ["--author", "Ada Lovelace"]):
        code, _, err = bench("report", compared, *words)
        assert code == 2
        assert "DAWNBench pair" in err


def test_an_unfinished_variant_is_continued_by_its_ablation(compared: Path, bench: Callable[..., Told]) -> None:
    path = compared / "base" / "campaign.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seeds": [0, 1, 2]}))
    assert "`make ablate` continues" in bench("report", compared / "base")[1]


# Records


@pytest.mark.parametrize("command", ["entry", "report"])
def test_a_forged_record_makes_no_pair(tmp_path: Path, bench: Callable[..., Told], command: str) -> None:
    folder = write_campaign(tmp_path / "c", [Run()], claims={name.lower(): value for name, value in CLAIMS.items()})
    assert bench("report", folder)[0] == 0
    (pair,) = (folder / PAIR).glob("*.tsv")
    honest = pair.read_bytes()
    record = folder / "seed-000" / "record.json"
    record.write_text(record.read_text().replace('"train_seconds": 10.0', '"train_seconds": 0.1'))
    assert bench(command, folder)[0] == 0
    assert pair.read_bytes() == honest
