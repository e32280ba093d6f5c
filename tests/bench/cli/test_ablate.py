"""``bench ablate``: every variant through the harness in turn, its table, and what is said of what cannot be."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cli import ablate
from bench.launch import trainer_command
from bench.record import StoredAblation, load_campaign, read_experiment
from tests.support.scripted_command import ScriptedCommand, greeting, installed

DECLARED = {
    "title": "Mine", "question": "What does it buy?", "proxy": "A small one.", "spread_percent": 0.3,
    "spread_source": "assumed", "throughput_spread": 0.03, "seeds": 3, "input": "host",
    "variants": [
        {"recipe": "smooth", "technique": "label smoothing"},
        {"recipe": "base", "input": "device", "technique": "on the device", "decides": "images_per_second"},
    ],
}  # fmt: skip
TABLES = {"ablation": DECLARED, "base": {"extends": "smoke"}, "smooth": {"extends": "base", "label_smoothing": 0.1}}


class Bench(ScriptedCommand):
    """``python -m bench ablate`` on the CPU; ``correct`` of 2,000 by variant, 1880 elsewhere."""

    module = ablate

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capfd)
        self.correct: dict[str, int] = {}
        self.scripts: dict[tuple[str, int], list[Any]] = {}
        self.asked: list[tuple[str, int]] = []
        (folder / "mine.json").write_text(json.dumps(TABLES))

    def script(self, request: trainer_command.Request) -> list[Any]:
        name = request.recipe.rpartition(":")[2] + ("-device" if request.input == "device" else "")
        run = (name, request.seed)
        self.asked.append(run)
        return self.scripts.get(run) or self.honest(request, self.correct.get(name, 1880))

    def honest(self, request: trainer_command.Request, correct: int) -> list[Any]:
        right = correct + request.seed % 50  # That of a warm-up is large.
        return [
            greeting(request, epochs=1), ["phase", {"name": "import"}], ["phase", {"name": "train_k", "epoch": 1}],
            ["predict", str(self.labels), right], ["phase", {"name": "eval_k", "epoch": 1}],
            ["epoch", {"epoch": 1, "correct": right, "total": 2000}], ["done"],
        ]  # fmt: skip

    def table(self) -> dict[str, dict[str, str]]:
        """``ablation.csv`` by variant."""
        return {row["variant"]: row for row in self.rows("ablation.csv")}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.setenv("COLUMNS", "200")
    return installed(Bench, tmp_path, monkeypatch, capfd)


def test_every_variant_of_a_seed_runs_before_the_next_and_the_table_is_written(bench: Bench) -> None:
    bench.correct["smooth"] = 1940

    code, out, err = bench("mine.json")

    assert (code, err) == (0, "")
    before, _, after = out.partition("base, seed 0 (run 1 of 9)")
    assert "Smallest detectable difference of accuracy with 3 runs each" in before
    assert "Smallest detectable difference of images/s with 3 runs each" in before
    assert "answers nothing about CIFAR-10" in before
    assert "label smoothing, seed 1 (run 5 of 9)" in after
    assert after.splitlines()[-1].startswith("The table, its records and logs are in results/")
    assert bench.asked == [(name, seed) for seed in range(3) for name in ("base", "smooth", "base-device")]
    table = bench.table()
    assert list(table) == ["base", "smooth", "base-device"]
    assert (table["smooth"]["answer"], table["smooth"]["difference"]) == ("better", "3.0")
    assert table["base-device"]["input"] == "device"
    assert table["base-device"]["answer"]
    assert bench.folder.name.endswith("Z-ablate-mine-cpu")
    assert sorted(path.name for path in bench.folder.iterdir()) == [
        "ablation.csv", "ablation.json", "ablation.md", "base", "base-device", "smooth",
    ]  # fmt: skip
    assert sorted(path.name for path in (bench.folder / "smooth").iterdir()) == [
        "campaign.json", "epochs.csv", "runs.csv", "seed-000", "seed-001", "seed-002", "summary.csv",
    ]  # fmt: skip
    stored = read_experiment(bench.folder, StoredAblation)
    assert (stored.status, stored.seeds, stored.variants[1].changes) == (
        "finished", (0, 1, 2), ("label_smoothing 0.1 instead of 0.0",),
    )  # fmt: skip


def test_a_plan_says_what_would_run_and_runs_nothing(bench: Bench) -> None:
    code, out, _ = bench("mine.json", "--plan", "--seeds", "5")

    assert code == 0
    assert "smooth: label smoothing: label_smoothing 0.1 instead of 0.0" in out
    assert "3 x 5 runs" in out
    assert bench.asked == []
    assert not bench.results.exists()


def test_without_a_set_the_sets_are_listed(bench: Bench) -> None:
    code, out, _ = bench()

    assert code == 0
    assert "author" in out
    assert "ladder" in out
    assert bench.asked == []


def test_the_set_and_its_seeds_may_come_as_variables(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SET": "mine.json", "SEEDS": "4,2", "DATA": "", "OUT": "", "INPUT": ""}.items():
        monkeypatch.setenv(name, value)

    assert bench()[0] == 0
    assert bench.asked[:3] == [("base", 4), ("smooth", 4), ("base-device", 4)]
    assert len(bench.asked) == 6


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_continues(bench: Bench) -> None:
    bench.scripts["smooth", 1] = [["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, out, err = bench("mine.json")

    assert code == 130
    assert "Stopped. What is finished is kept in results/" in err
    assert "the same command again makes the 5 runs left." in err
    assert bench.table()["base"]["runs"] == "2"
    assert bench.table()["smooth"]["answer"] == "not enough runs"

    kept = (bench.folder / "base" / "seed-001" / "events.jsonl").read_bytes()
    bench.scripts.clear()
    bench.asked.clear()
    code, out, _ = bench("mine.json")

    assert code == 0
    assert "4 runs kept, 5 to run" in out
    assert bench.asked == [("smooth", 1), ("base-device", 1), ("base", 2), ("smooth", 2), ("base-device", 2)]
    assert (bench.folder / "base" / "seed-001" / "events.jsonl").read_bytes() == kept


@pytest.mark.slow
def test_a_variant_that_fails_costs_its_runs_alone(bench: Bench) -> None:
    for seed in range(3):
        bench.scripts["smooth", seed] = [["print", "Segmentation fault"], ["exit", 139]]

    code, _, err = bench("mine.json")

    assert code == 5
    # Twice in a row, and it is not tried a third time.
    assert [run for run in bench.asked if run[0] == "smooth"] == [("smooth", 0), ("smooth", 1)]
    assert len(bench.asked) == 8
    assert "smooth, seed 1: the trainer ended with exit code 139" in err
    assert "makes the 3 runs left" in err
    assert bench.table()["smooth"]["answer"] == "not enough runs"
    assert bench.table()["base"]["runs"] == "3"


@pytest.mark.slow
def test_two_variants_that_cannot_be_trained_keep_no_other_from_its_runs(bench: Bench) -> None:
    for seed in range(3):
        bench.scripts["base", seed] = bench.scripts["smooth", seed] = [["exit", 1]]

    assert bench("mine.json")[0] == 5
    assert bench.table()["base-device"]["runs"] == "3"

    bench.asked.clear()
    assert bench("mine.json")[0] == 5
    # What was never tried comes first.
    assert bench.asked == [("base", 2), ("smooth", 2), ("base", 0), ("smooth", 0)]


def test_a_machine_that_cannot_ends_the_ablation_and_a_variant_that_cannot_ends_alone(bench: Bench) -> None:
    bench.scripts["smooth", 0] = [["exit", 2]]
    bench.scripts["base", 2] = [["exit", 4]]

    assert bench("mine.json")[0] == 4
    assert [name for name, _ in bench.asked] == ["base", "smooth", "base-device", "base", "base-device", "base"]


@pytest.mark.slow
def test_a_report_makes_every_table_again(bench: Bench) -> None:
    bench("mine.json")
    made = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
    tables = [path for path in bench.folder.rglob("*.csv") if path.name != "telemetry.csv"]
    for path in (*tables, *bench.folder.rglob("*.md"), *bench.folder.rglob("record.json")):
        path.write_text("nonsense")

    assert main(["report", str(bench.folder)]) == 0
    assert {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()} == made


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["authr"], 2, "did you mean `author`?"),
        (["gone.json"], 2, "no ablation set is called `gone.json`"),
        (["mine.json", "--seeds", "0,0"], 2, "seed 0 twice"),
        (["mine.json", "--input", "device"], 2, "declares the input of its base, host. Leave INPUT=device out"),
        (["mine.json", "--precision", "fp23"], 2, "'fp23' is not one of"),
        (["mine.json", "--out", "mine.json"], 2, "OUT=mine.json cannot be used as a folder"),
    ],
)
def test_a_wrong_word_is_one_sentence(bench: Bench, words: list[str], code: int, says: str) -> None:
    got, out, err = bench(*words)

    assert (got, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1
    assert bench.asked == []
    assert not bench.results.exists()


def test_a_trainer_of_one_s_own_is_refused_and_not_left_unheard(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINER", "python train.py")
    monkeypatch.setenv("TARGET", "94")

    code, _, err = bench("mine.json")

    assert code == 2 and "`bench ablate` trains recipes" in err and "`unset TRAINER TARGET`" in err
    assert bench.asked == [] and not bench.results.exists()


def test_an_ablation_warms_up_once_with_its_base_before_its_first_run(bench: Bench) -> None:
    code, out, err = bench("mine.json", "--warm-up", "1", "--seeds", "2")

    assert (code, err) == (0, "")
    assert bench.asked[0] == ("base", 10**9)
    assert [run for run in bench.asked if run[1] > 1] == bench.asked[:1]
    assert [path.parent.name for path in bench.folder.glob("*/warm-up")] == ["base"]
    assert "; 1 warm-up run first, 0 s idle between runs, kernel cache kept" in out
    for name in ("base", "smooth", "base-device"):
        records = load_campaign(bench.folder / name).records
        assert [record.seed for record in records] == [0, 1]
        assert all(record.circumstances["warm_up"] for record in records)
