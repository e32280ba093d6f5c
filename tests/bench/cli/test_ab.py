"""``bench ab``: both sides through the harness in turn, what each has of its own, and what is said and refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cli import ab
from bench.launch import trainer_command
from bench.record import describe, load_campaign
from bench.record.experiment import StoredAB, read_experiment
from bench.system.paths import CHECKOUT
from tests.support import fake_engine
from tests.support.scripted_command import ScriptedCommand, greeting, installed

#: So that a test knows from a request whose run it is.
SIDES = ("--a", "THREADS=1", "--b", "THREADS=2")
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


class Bench(ScriptedCommand):
    """``python -m bench ab`` on the CPU; ``train_seconds`` by side, and ``scripts`` in place of an honest run."""

    module = ab
    usual = ("--warm-up", "0", "--telemetry", "off")

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capfd)
        self.asked: list[tuple[str, int]] = []
        self.scripts: dict[tuple[str, int], list[Any]] = {}
        self.train_seconds = {"A": 0.0, "B": 0.0}
        self.epochs = 2
        self.goes_on = False

    def script(self, request: trainer_command.Request) -> list[Any]:
        run = ("A" if request.threads == 1 else "B", request.seed)
        self.asked.append(run)
        return self.scripts.get(run) or self.honest(request, self.train_seconds[run[0]])

    def honest(self, request: trainer_command.Request, train_seconds: float) -> list[Any]:
        """A run of ``epochs`` epochs; one that ``goes_on`` says nothing more after its second and waits to be ended."""
        steps: list[Any] = [greeting(request, self.epochs), ["tell", ONEDNN], ["phase", {"name": "import"}]]
        for epoch in range(1, self.epochs + 1):
            steps += [["sleep", train_seconds], ["phase", {"name": "train_k", "epoch": epoch}]]
            steps += [["predict", str(self.labels), 1880], ["phase", {"name": "eval_k", "epoch": epoch}]]
            steps += [["epoch", {"epoch": epoch, "correct": 1880, "total": 2000}]]
            if self.goes_on and epoch == 2:
                return [*steps, ["sleep"]]
        return [*steps, ["done"]]

    def fingerprints(self, side: str) -> list[dict[str, Any]]:
        return [dict(record.fingerprint) for record in load_campaign(self.folder / side).records]

    def logs(self, side: str) -> str:
        return "".join(path.read_text() for path in sorted((self.folder / side).glob("seed-*/trainer.log")))

    def compared(self) -> dict[str, dict[str, str]]:
        """``comparison.csv`` by side."""
        return {row["side"]: row for row in self.rows("comparison.csv")}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.setenv("COLUMNS", "200")
    return installed(Bench, tmp_path, monkeypatch, capfd)


def test_the_sides_take_turns_with_the_same_seeds_and_the_order_of_a_pair_alternates(bench: Bench) -> None:
    code, out, err = bench(*SIDES, "--pairs", "3")

    assert (code, err) == (0, "")
    assert bench.asked == [("A", 0), ("B", 0), ("B", 1), ("A", 1), ("A", 2), ("B", 2)]
    assert bench.folder.name.endswith("Z-ab-smoke-cpu")
    assert sorted(path.name for path in bench.folder.iterdir()) == [
        "a", "ab.json", "b", "comparison.csv", "comparison.md", "report.html",
    ]  # fmt: skip
    before, _, after = out.partition("A, seed 0 (run 1 of 6)")
    assert "A has THREADS=1; B has THREADS=2. All else is the same." in before
    assert "smoke: 3 pairs of runs of one seed, in the order A B B A" in before
    assert "the training time of the whole schedule" in before
    assert "B, seed 1 (run 3 of 6)" in after and "train@1, whole schedule" in after


def test_what_it_compares_is_in_its_file(bench: Bench) -> None:
    bench("--a", f"THREADS=1 PRECISION=fp32 {ONEDNN}=0", "--b", "", "--pairs", "4,2")

    stored = read_experiment(bench.folder, StoredAB)
    assert (stored.recipe, stored.dataset, stored.epochs, stored.seeds) == ("smoke", "synthetic", None, (4, 2))
    assert stored.a.settings == {"THREADS": "1", "PRECISION": "fp32"} and stored.a.variables == {ONEDNN: "0"}
    assert (stored.a.configuration["precision"], stored.a.configuration["threads"]) == ("fp32", 1)
    assert (stored.b.settings, stored.b.variables, stored.alike) == ({}, {}, False)
    assert stored.b.configuration["precision"] == "auto"


def test_what_a_side_says_goes_before_what_both_share(bench: Bench) -> None:
    bench("--a", "THREADS=1", "--threads", "3", "--pairs", "1")

    stored = read_experiment(bench.folder, StoredAB)
    assert (stored.a.configuration["threads"], stored.b.configuration["threads"]) == (1, 3)


def test_a_variable_of_a_side_reaches_its_trainer_alone_and_is_in_its_records(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ONEDNN, raising=False)

    bench("--a", f"THREADS=1 {ONEDNN}=0", "--b", "THREADS=2", "--pairs", "2")

    assert bench.logs("a") == f"{ONEDNN} is '0'\n" * 2 and bench.logs("b") == f"{ONEDNN} is None\n" * 2
    assert [each.get(f"env.{ONEDNN}") for each in bench.fingerprints("a")] == ["0", "0"]
    assert [each.get(f"env.{ONEDNN}") for each in bench.fingerprints("b")] == [None, None]
    assert ONEDNN not in os.environ


def test_a_side_alone_may_be_sampled(bench: Bench) -> None:
    bench("--a", "THREADS=1 TELEMETRY=on", "--b", "THREADS=2", "--pairs", "1")

    off = [record.telemetry.sampling.off for side in "ab" for record in load_campaign(bench.folder / side).records]
    assert off == [False, True]
    assert [(bench.folder / side / "seed-000" / "telemetry.csv").exists() for side in "ab"] == [True, False]


def test_a_variable_of_a_side_goes_before_one_of_the_person_s_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ONEDNN, "1")

    bench("--a", f"THREADS=1 {ONEDNN}=0", "--b", "THREADS=2", "--pairs", "1")

    assert (bench.logs("a"), bench.logs("b")) == (f"{ONEDNN} is '0'\n", f"{ONEDNN} is '1'\n")


def test_the_sides_may_come_as_variables_and_empty_ones_say_nothing_differs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"A": "", "B": "", "SEEDS": "1", "DATA": "", "OUT": ""}.items():
        monkeypatch.setenv(name, value)
    code, out, _ = bench()
    assert code == 0 and "A and B are alike: this measures the method." in out

    monkeypatch.setenv("A", "THREADS=1")
    _, out, _ = bench()
    assert "A has THREADS=1; B has nothing of its own." in out


@pytest.mark.parametrize("both", ["", "THREADS=2"])
def test_sides_that_are_alike_are_compared_and_told_to_measure_the_method(bench: Bench, both: str) -> None:
    code, out, err = bench("--a", both, "--b", both, "--pairs", "1")

    assert (code, err) == (0, "")
    assert out.startswith("A and B are alike: this measures the method.\n")
    assert len(bench.asked) == 2 and read_experiment(bench.folder, StoredAB).alike


def test_each_side_is_warmed_up_once_before_the_first_run_and_neither_counts(bench: Bench) -> None:
    _, out, _ = bench(*SIDES, "--pairs", "1", "--warm-up", "1")

    assert bench.asked == [("A", 10**9), ("B", 10**9), ("A", 0), ("B", 0)]
    assert "1 warm-up run of each side first" in out
    assert [row["runs"] for row in bench.compared().values()] == ["1", "1"]


def test_runs_of_fixed_work_are_ended_and_compared_without_their_first_epoch(bench: Bench) -> None:
    bench.epochs, bench.goes_on = 6, True

    code, out, err = bench(*SIDES, "--pairs", "1", "--fixed-work", "2")

    assert (code, err) == (0, "")
    assert "each run is ended after 2 epochs, and the training time of epoch 2 is compared" in out
    assert "train@1, epoch 2" in out
    assert read_experiment(bench.folder, StoredAB).epochs == 2
    (record,) = load_campaign(bench.folder / "b").records
    assert record.status == "cut_short" and len(record.epochs) == 2
    compared = float(bench.compared()["B"]["fixed_work_seconds"])
    assert compared == pytest.approx(record.epochs[1].train_seconds, rel=1e-3)


def test_fixed_work_of_one_epoch_says_that_the_first_is_all_there_is(bench: Bench) -> None:
    _, out, _ = bench(*SIDES, "--pairs", "1", "--fixed-work", "1")
    assert "whose first-use costs are part of the training time compared" in out and "train@1, epoch 1" in out


def test_an_interruption_keeps_what_is_finished_and_the_same_command_makes_a_torn_pair_anew(bench: Bench) -> None:
    bench.scripts["A", 1] = [["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, out, err = bench(*SIDES, "--pairs", "3")

    assert code == 130 and "Stopped. What is finished is kept in results/" in err
    assert "the same command again makes the 4 runs left." in err and "not enough runs" in out.lower()
    assert bench.asked == [("A", 0), ("B", 0), ("B", 1), ("A", 1)]
    kept = (bench.folder / "b" / "seed-000" / "events.jsonl").read_bytes()

    bench.scripts.clear()
    bench.asked.clear()
    code, out, err = bench(*SIDES, "--pairs", "3")

    assert (code, err) == (0, "") and "2 runs kept, 4 to run" in out
    # Of the second pair B was finished, hours ago for all that is known.
    assert bench.asked == [("B", 1), ("A", 1), ("A", 2), ("B", 2)]
    assert (bench.folder / "b" / "seed-000" / "events.jsonl").read_bytes() == kept
    assert (bench.folder / "b" / "seed-001.done-1").is_dir()
    assert [row["runs"] for row in bench.compared().values()] == ["3", "3"]


def test_an_interruption_before_the_first_run_ends_leaves_nothing_to_compare(bench: Bench) -> None:
    bench.scripts["A", 0] = [["signal_parent", int(signal.SIGINT)], ["sleep"]]

    code, out, err = bench(*SIDES)

    assert code == 130 and "There is nothing to compare yet: each side needs a run." in out and "10 runs left" in err
    assert read_experiment(bench.folder, StoredAB).seeds == (0, 1, 2, 3, 4)
    assert not (bench.folder / "comparison.csv").exists()


def test_another_comparison_is_not_continued(bench: Bench) -> None:
    bench(*SIDES, "--pairs", "1", "--out", "here")
    bench.asked.clear()

    code, _, err = bench("--out", "here", *SIDES, "--pairs", "1", "--idle", "1")

    assert code == 6 and "OUT=here holds another A/B: idle_seconds 0.0 instead of 1.0" in err and bench.asked == []


def test_what_is_finished_is_told_again_and_not_made_again_where_its_folder_is_named(bench: Bench) -> None:
    bench(*SIDES, "--pairs", "1", "--out", "here")
    bench.asked.clear()

    code, out, _ = bench("--b", "THREADS=2", "--a", "THREADS=1", "--pairs", "1", "--out", "here")

    assert code == 0 and bench.asked == [] and "2 runs kept, 0 to run" in out and "Clock: train@1" in out


def test_a_gate_says_no_where_b_is_slower_by_more(bench: Bench) -> None:
    bench.train_seconds, bench.epochs = {"A": 0.01, "B": 0.06}, 1
    words = (*SIDES, "--pairs", "4", "--out", "here", "--fail-if-slower")

    code, out, err = bench(*words, "2%")
    assert (code, "Gate failed: B takes" in err) == (1, True)
    assert "B is slower than A" in " ".join(out.split())

    code, _, err = bench(*words, "1000000")
    assert (code, len(bench.asked)) == (0, 8) and "Gate passed" in err


def test_a_gate_that_could_not_fail_is_none(bench: Bench) -> None:
    code, _, err = bench(*SIDES, "--pairs", "1", "--fail-if-slower", "2%")
    assert code == 1 and "Gate failed: too few runs to detect a regression of B" in err


def test_a_side_that_fails_twice_in_a_row_ends_both_as_neither_is_worth_anything_alone(bench: Bench) -> None:
    bench.scripts["B", 0] = bench.scripts["B", 1] = [["print", "out of luck"], ["exit", 1]]

    code, _, err = bench(*SIDES, "--fail-if-slower", "2%")

    assert code == 5 and bench.asked == [("A", 0), ("B", 0), ("B", 1)]
    assert "B, seed 0: the trainer ended with exit code 1" in err and "out of luck" in err
    assert "The gate" not in err


def test_a_side_that_cannot_be_trained_at_all_is_told_by_its_letter_and_ends_both(bench: Bench) -> None:
    bench.scripts["B", 10**9] = [
        ["event", {"event": "error", "message": "no fp16 here", "hint": "type fp32"}],
        ["exit", 2],
    ]

    code, _, err = bench(*SIDES, "--warm-up", "1")

    assert code == 2 and err == "bench: B, the warm-up: no fp16 here; type fp32.\n"
    assert bench.asked == [("A", 10**9), ("B", 10**9)]


def test_a_report_writes_and_prints_the_same_again(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = bench(*SIDES, "--pairs", "2")
    made = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
    for name in ("comparison.csv", "comparison.md", "a/runs.csv", "b/seed-001/record.json"):
        (bench.folder / name).unlink()

    assert main(["report", str(bench.folder)]) == 0

    again = capfd.readouterr().out
    assert {path for path in bench.folder.rglob("*") if path.is_file()} == set(made)
    assert [path.name for path, body in made.items() if path.read_bytes() != body] in ([], ["report.html"])
    assert again[again.index("Clock:") : again.index("Rebuilt records")] in out


def test_a_report_on_the_newest_folder_knows_an_a_b(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:

    bench(*SIDES, "--pairs", "1")
    assert describe.newest(bench.results) == bench.folder
    assert main(["report", str(bench.folder), "--plot", "x.svg"]) == 2
    assert "is an A/B, of which there is neither a picture nor a DAWNBench pair" in capfd.readouterr().err


@pytest.mark.parametrize(("words", "said"), [((), ""), (("--fixed-work", "2"), ", each run ended after epoch 2")])
def test_a_side_is_no_campaign_to_continue(
    bench: Bench, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    bench(*SIDES, "--pairs", "1", *words)

    assert main(["report", str(bench.folder / "a")]) == 0

    told = capfd.readouterr().out
    assert f"one side of an A/B{said}\n" in told and "continues" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "A and B are not given"),
        (("--a", "RECIPE=page24"), "A has RECIPE: another recipe is other work"),
        (("--b", "DATA=here"), "B has DATA, which both sides share"),
        (("--a", "PRECISION=fp23"), "A has PRECISION=fp23, which is none of auto, bf16, fp16, fp32."),
        (("--a", "", "--fixed-work", "7"), "smoke has 6 epochs, and --fixed-work 7 needs more"),
        (("--a", "", "--fail-if-slower", "much"), "--fail-if-slower 'much' is not a number"),
        (("--a", "WHERE=native IMAGE=cpu"), "WHERE=native runs in no image"),
    ],
)
def test_a_wrong_word_is_one_sentence(bench: Bench, words: tuple[str, ...], said: str) -> None:
    code, out, err = bench(*words)

    assert (code, out, err.count("\n")) == (2, "", 1) and said in err
    assert bench.asked == [] and not bench.results.exists()


@pytest.mark.parametrize("name", ["TRAINER", "TARGET"])
def test_a_trainer_of_one_s_own_is_refused_and_not_left_unheard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "95")

    code, _, err = bench(*SIDES)

    assert code == 2 and f"`bench ab` trains recipes, and {name} of your environment" in err and bench.asked == []


def test_a_folder_with_something_in_it_is_left_alone(bench: Bench) -> None:
    (bench.place / "full").mkdir()
    (bench.place / "full" / "letter.txt").write_text("dear")

    code, _, err = bench(*SIDES, "--out", "full")

    assert code == 2 and "OUT=full holds 'letter.txt' and no A/B" in err and bench.asked == []


def test_a_container_is_compared_with_none_and_each_place_is_told_with_its_side(
    bench: Bench, engine: Callable[..., Path]
) -> None:
    state = engine()
    b = f"THREADS=2 {ONEDNN}=0"

    code, out, err = bench("--a", "THREADS=1 WHERE=native", "--b", b, "--image", "cpu", "--pairs", "1")

    assert (code, err) == (0, "")
    assert "B: In the image cpu (resnet9-bench:cpu)" in out and "A: In" not in out
    assert [words[0] for words in fake_engine.calls(state)].count("run") == 1
    assert [load_campaign(bench.folder / side).configuration.image != "" for side in "ab"] == [False, True]
    assert read_experiment(bench.folder, StoredAB).b.configuration["engine"]
    assert bench.logs("b") == f"{ONEDNN} is '0'\n" and bench.fingerprints("b")[0][f"env.{ONEDNN}"] == "0"
    (run,) = (words for words in fake_engine.calls(state) if words[0] == "run")
    assert f"--env={ONEDNN}" in run or ONEDNN in run


@pytest.mark.slow
def test_a_real_comparison_of_two_that_are_alike_compares_the_second_epoch(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--a", "", "--b", "", "--recipe", "smoke", "--pairs", "2", "--fixed-work", "2", "--out", str(out))
    environ = {name: value for name, value in os.environ.items() if name not in ("A", "B")}

    done = subprocess.run(
        [sys.executable, "-m", "bench", "ab", *words, "--warm-up", "0", "--device", "cpu"],
        cwd=CHECKOUT, env={**environ, "XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "A and B are alike" in done.stdout and "train@1, epoch 2" in done.stdout
    for side in "ab":
        records = load_campaign(out / side).records
        assert [(record.seed, record.status) for record in records] == [(0, "cut_short"), (1, "cut_short")]
    assert read_experiment(out, StoredAB).epochs == 2
