from __future__ import annotations

import json
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.protocol import EVENTS_VARIABLE
from resnet9.data import dataset, sources, synthetic

ROOT = Path(__file__).parents[3]
MINIMAL = ROOT / "examples" / "minimal_trainer.py"
#: They hold times against each other, which a loaded machine may spoil in a run this short; their own tests are in
#: tests/bench/rules/conformance/test_conformance.py, and the slow one below.
OF_TIMES = {"phases", "stamps"}


@cache
def small() -> dataset.Dataset:
    """Built-in data that the minimal trainer goes through in a moment."""
    return synthetic.make(train=300, test=100)


class Check:
    """``python -m bench check-trainer`` of the minimal trainer, or of one that differs from it in a line or two."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capfd = folder, capfd

    def trainer(self, *changes: tuple[str, str]) -> str:
        """The command of the minimal trainer with these texts changed."""
        source = MINIMAL.read_text()
        if not any("EPOCHS" in old for old, _ in changes):
            # So the crossing is the last evaluation, and no later one can be counted for it on a loaded machine.
            source = source.replace("EPOCHS = 3", "EPOCHS = 1")
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        path = self.folder / "trainer.py"
        path.write_text(source)
        return shlex.join([sys.executable, "-I", "-S", str(path)])

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """The exit code, what was printed, and what was complained of."""
        code = main(["check-trainer", "--device", "cpu", "--timeout", "60", *words])
        told = self._capfd.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    def rules(self, *words: str) -> dict[str, dict[str, Any]]:
        """Every finding by its rule, of what ``--json`` prints."""
        _, out, _ = self(*words, "--json")
        return {each["rule"]: each for each in json.loads(out)["rules"]}

    def broken(self, *words: str) -> set[str]:
        """The broken rules that do not hang on times."""
        return {rule for rule, each in self.rules(*words).items() if each["verdict"] == "broken"} - OF_TIMES


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Check:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "load", lambda where, default=None: small())
    return Check(tmp_path, capfd)


def test_the_minimal_trainer_keeps_every_rule(check: Check) -> None:
    rules = check.rules(check.trainer())

    verdicts = {rule: each["verdict"] for rule, each in rules.items() if rule not in OF_TIMES}
    assert {rule for rule, verdict in verdicts.items() if verdict != "kept"} == {"emit-ns", "build", "model"}
    assert rules["seeds"]["evidence"] == "seeds 0 and 1 gave different runs"
    assert "the crossing of" in rules["predictions"]["evidence"]


@pytest.mark.slow
def test_on_the_whole_built_in_data_it_keeps_the_rules_on_times_too(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load", lambda where: synthetic.make())

    code, out, _ = check(check.trainer(("EPOCHS = 3", "EPOCHS = 30")))

    assert code == 0, out
    assert "It keeps every rule. A campaign: make bench TRAINER=" in out


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("greeting", ("tell(\n    \"hello\"", "phase(\"import\")\ntell(\n    \"hello\"")),
        ("request", ("seed=seed,", "seed=seed + 1,")),
        ("data", ("hashlib.sha256(data)", "hashlib.sha256(data[1:])")),
        ("evaluations", ("steps=first, images", "steps=1, images")),
        ("predictions", ("stream.write(predicted)", "stream.write(predicted[:-1])")),
        ("done", ('tell("done", status="done")', "")),
        ("end", ('tell("done", status="done")', 'tell("done", status="done")\nsys.exit(3)')),
    ],
)  # fmt: skip
def test_a_trainer_that_differs_in_one_line_breaks_one_rule(rule: str, change: tuple[str, str], check: Check) -> None:
    code, out, _ = check(check.trainer(change), "--quick")

    assert code == 1
    assert f"broken  {rule} " in out
    assert f"broken  {rule} " in out and "-> " in out
    assert check.broken(check.trainer(change), "--quick") == {rule}


def test_a_seed_and_a_target_that_are_not_used_are_found_by_the_second_run(check: Check) -> None:
    heedless = check.trainer(
        ("random.seed(seed)", "random.seed(0)"), ('"target_percent": target', '"target_percent": 94')
    )

    assert check.broken(heedless, "--quick") == set()
    assert check.broken(heedless) == {"request"}
    assert check.broken(check.trainer(("random.seed(seed)", "random.seed(0)"))) == {"seeds"}


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(PATH, "w") as stream:
            stream.write(str(os.getpid()))
        os.execve("/bin/sleep", ["sleep", "600"], {})
    os._exit(0)
os.wait()
"""


@pytest.mark.slow
def test_a_process_that_outlives_its_trainer_is_named_and_ended(check: Check, tmp_path: Path) -> None:
    left = tmp_path / "pid"
    daemon = DAEMON.replace("PATH", repr(str(left)))

    found = check.rules(check.trainer(('phase("exit")\n', f'{daemon}phase("exit")\n')), "--quick")["processes"]

    pid = left.read_text()
    assert (found["verdict"], f"sleep (process {pid})" in found["evidence"]) == ("broken", True)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_a_trainer_that_does_not_mind_sigterm_is_killed_and_told(check: Check) -> None:
    stubborn = "import signal\nif seed == 2:\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"

    found = check.rules(
        check.trainer(
            ("imported_ns = ", f"{stubborn}imported_ns = "),
            ('phase("data_load")', 'if seed == 2:\n    time.sleep(600)\nphase("data_load")'),
        ),
        "--quick",
    )

    assert found["sigterm"]["evidence"] == "it still ran 5 s after SIGTERM and was killed"


def test_a_trainer_that_crashes_is_told_with_its_last_words(check: Check) -> None:
    code, out, _ = check(check.trainer(("random.seed(seed)", "raise ValueError('no luck')")), "--quick")

    assert code == 1
    assert "the last line of trainer.log is: ValueError: no luck" in out
    assert "It breaks 1 rule: greeting." in out


def test_ctrl_c_ends_the_check_and_its_trainer(check: Check) -> None:
    stops = ('phase("exit")', "import signal\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(600)")

    code, out, _ = check(check.trainer(stops))

    assert (code, out) == (130, "")


def test_what_was_printed_and_told_can_be_kept(check: Check, tmp_path: Path) -> None:
    _, out, _ = check(check.trainer(), "--quick", "--keep", "kept")

    assert "are in kept." in out
    assert sorted(os.listdir(tmp_path / "kept")) == ["seed-000", "stopped-002"]
    assert (tmp_path / "kept" / "seed-000" / "predictions.u8").stat().st_size == 100
    assert EVENTS_VARIABLE not in os.environ


# What cannot be checked


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "the trainer's command is empty"),
        (("python", "train.py"), "Put it into quotes: check-trainer 'python train.py'."),
        (("no-such-program",), "there is no program `no-such-program` on PATH"),
        (("./trainer.py",), "`chmod +x ./trainer.py`"),
        (("true", "--keep", "."), ". is there already. Name a new folder with --keep."),
        (("true", "--target", "0"), "--target"),
        (("true", "--target", "nan"), "--target"),
        (("true", "--device", "gqu"), "DEVICE='gqu' is none of auto, cpu, gpu"),
    ],
)
def test_a_wrong_word_is_told_in_a_sentence(words: tuple[str, ...], told: str, check: Check) -> None:
    check.trainer()

    code, _, err = check(*words)

    assert code == 2
    assert told in err


def test_the_command_may_come_as_make_passes_it(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINER", check.trainer())

    assert check.rules("--quick")["end"]["verdict"] == "kept"


def test_a_file_that_this_machine_cannot_run_is_no_trainer(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\x7fELF not really")
    path.chmod(0o755)

    code, _, err = check("./binary")

    assert code == 5
    assert "cannot start" in err and "Exec format error" in err
