"""``bench run --trainer``: a campaign of a person's own program, here the minimal one of examples/."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.cli import run
from bench.record import build_record_from, fingerprint_keys, load_campaign
from bench.rules import with_verdict
from resnet9.data import dataset, sources, synthetic
from tests.support.scripted_command import HIDDEN, hide_a_gpu

MINIMAL = Path(__file__).parents[3] / "examples" / "minimal_trainer.py"


@cache
def small() -> dataset.Dataset:
    return synthetic.make(train=300, test=100)


class Bench:
    """``python -m bench run`` on the CPU and on built-in data, in a folder with a copy of the minimal trainer."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.source, self._capfd = folder / "trainer.py", capfd
        # One epoch: the crossing is the last evaluation, and no later one can be counted for it on a loaded machine.
        self.source.write_text(MINIMAL.read_text().replace("EPOCHS = 3", "EPOCHS = 1"))
        self.results = folder / "results"
        self.trainer = f"{shlex.quote(sys.executable)} -I -S trainer.py"

    def change(self, old: str, new: str) -> None:
        """Change one text of the trainer."""
        assert self.source.read_text().count(old) == 1
        self.source.write_text(self.source.read_text().replace(old, new))

    def __call__(self, *words: str, trainer: str | None = None) -> tuple[int, str, str]:
        """The exit code, what was printed, and what was complained of."""
        typed = ("--trainer", self.trainer if trainer is None else trainer, "--device", "cpu", "--timeout", "20")
        code = main(["run", *typed, "--warm-up", "0", *words])
        told = self._capfd.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    @property
    def folders(self) -> list[Path]:
        """Every campaign made, oldest first."""
        return sorted(self.results.iterdir()) if self.results.exists() else []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "load", lambda where, default=None: small())
    made = Bench(tmp_path, capfd)
    monkeypatch.setattr(run, "RESULTS", made.results)
    return made


def test_the_first_line_says_what_hides_the_gpu(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_a_gpu(monkeypatch)
    code, out, err = bench("--data", "synthetic", "--seeds", "1", "--target", "5", "--device", "auto")
    assert (code, err, out.splitlines()[0]) == (0, "", HIDDEN)


def test_a_campaign_of_ones_own_trainer_ends_in_tables(bench: Bench) -> None:
    code, out, err = bench("--data", "synthetic", "--seeds", "2", "--target", "5")

    assert (code, err) == (0, "")
    assert "not a CIFAR-10 result" in out
    with open(bench.folders[0] / "runs.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["seed"], row["recipe"], row["status"]) for row in rows] == [
        ("0", "minimal", "done"),
        ("1", "minimal", "done"),
    ]
    assert all(float(row["dawnbench_seconds"]) > 0 and row["target_percent"] == "5.0" for row in rows)


def test_what_identifies_it_is_its_command_and_its_code(bench: Bench) -> None:
    bench("--data", "synthetic", "--seeds", "1", "--recipe", "mine")

    made = load_campaign(bench.folders[0]).configuration
    assert (made.recipe, made.input, made.precision, made.target_percent) == ("mine", "own", "own", 94.0)
    assert made.trainer == f"{Path(sys.executable).name} -I -S trainer.py"
    assert bench.folders[0].name.endswith("-mine-cpu")


def test_the_same_command_continues_and_another_code_begins_anew(bench: Bench) -> None:
    bench.change("sys.exit(4)", "sys.exit(3)")
    bench.change('if os.environ["BENCH_DEVICE"] != "cpu":', 'if seed == 1 and not os.path.exists("mended"):')
    assert bench("--data", "synthetic", "--seeds", "2")[0] == 3
    Path("mended").touch()

    code, out, _ = bench("--data", "synthetic", "--seeds", "2")

    assert (code, len(bench.folders)) == (0, 1)
    assert "seed 0 kept, 1 to run" in out
    bench.change("RATE = 0.01", "RATE = 0.02")
    bench("--data", "synthetic", "--seeds", "3")
    assert len(bench.folders) == 2


def test_a_folder_begun_with_another_code_is_refused_in_words(bench: Bench) -> None:
    words = ("--data", "synthetic", "--seeds", "1", "--out", "mine")
    assert bench(*words)[0] == 0
    bench.change("RATE = 0.01", "RATE = 0.02")

    code, _, err = bench(*words)

    assert code == 6
    told = "the trainer's command, folder or files are not those it was begun with. Name another folder."
    assert told in " ".join(err.split())
    assert re.search("[0-9a-f]{64}", err) is None


def test_the_summary_of_ones_own_trainer_says_nothing_of_our_recipes(bench: Bench) -> None:
    bench.change('"synthetic" if state == "synthetic" else "cifar10"', '"cifar10"')

    code, out, _ = bench("--data", "synthetic", "--seeds", "1")

    assert code == 0
    assert "recipe of this checkout" not in " ".join(out.split())


def test_an_input_called_memory_is_a_word_of_its_own(bench: Bench) -> None:
    bench.change('input="device"', 'input="memory"')

    assert bench("--data", "synthetic", "--seeds", "1")[0] == 0

    record = with_verdict(build_record_from(bench.folders[0] / "seed-000" / "events.jsonl"))
    assert record.input == "memory" and record.verdict is not None
    assert "memory-input" not in [each.rule for each in record.verdict.reasons]


def test_a_secret_in_the_command_is_in_no_record(bench: Bench) -> None:
    secrets = ("sk-12345", "10.0.0.5", "ada@example.org")
    typed = f"{bench.trainer} --api-key {secrets[0]} --log-to {secrets[1]}:1234 {secrets[2]}"

    assert bench("--data", "synthetic", "--seeds", "1", trainer=typed)[0] == 0

    files = [path for path in bench.folders[0].rglob("*") if path.is_file() and path.suffix != ".u8"]
    text = "".join(path.read_text() for path in files)
    assert files and "(withheld)" in text and not [each for each in secrets if each in text]


def test_a_trainer_that_claims_another_accuracy_is_not_believed(bench: Bench) -> None:
    bench.change("correct=correct", "correct=correct + 1")

    code, _, err = bench("--data", "synthetic", "--seeds", "1")

    assert code == 5
    assert "but its predictions give" in err


def test_its_file_may_not_change_while_it_runs(bench: Bench) -> None:
    bench.change('phase("exit")', 'open(__file__, "a").write("#\\n")\nphase("exit")')

    code, _, err = bench("--data", "synthetic", "--seeds", "2")

    assert code == 6
    assert "a file of the trainer trainer has changed since this campaign began" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--input", "host"), "a custom trainer decides on INPUT itself. Leave INPUT out."),
        (("--precision", "bf16"), "decides on PRECISION itself"),
        (("--smoke",), "`make check-trainer`"),
        (("--target", "101"), "--target"),
    ],
)
def test_what_only_our_trainer_can_be_told_is_refused(words: tuple[str, ...], told: str, bench: Bench) -> None:
    code, _, err = bench(*words)

    assert (code, bench.folders) == (2, [])
    assert told in err


def test_a_command_that_starts_nothing_costs_no_campaign(bench: Bench) -> None:
    code, _, err = bench(trainer="./missing.sh")

    assert (code, bench.folders) == (2, [])
    assert "there is no file ./missing.sh" in err


def test_a_target_needs_a_trainer_of_ones_own(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--device", "cpu", "--target", "90"]) == 2
    assert "TARGET" in capfd.readouterr().err


def test_our_environment_is_not_told_as_the_programs(bench: Bench, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    bench("--data", "synthetic", "--seeds", "1")

    events = (bench.folders[0] / "seed-000" / "events.jsonl").read_text().splitlines()
    start = next(line for line in map(json.loads, events) if line["event"] == "harness_start")
    found = start["fingerprint"]
    assert not [name for name in found if name.startswith("package.")]
    assert (found["python.version"], found["lock.name"]) == (None, None)
    assert len(found["trainer.commit"]) == 40 and found["trainer.commit"] != found["git.commit"]
    assert found["trainer.dirty"] is True
    assert fingerprint_keys.check(found) == ()


def test_the_record_holds_no_path_of_this_host(bench: Bench, tmp_path: Path) -> None:
    code, _, _ = bench("--data", "synthetic", "--seeds", "1", trainer=f"{sys.executable} -I -S {tmp_path}/trainer.py")

    assert code == 0
    events = (bench.folders[0] / "seed-000" / "events.jsonl").read_text()
    assert json.loads(events.splitlines()[0])["event"].startswith("harness_")
    for path in bench.folders[0].rglob("*.json*"):
        assert str(tmp_path) not in path.read_text()
