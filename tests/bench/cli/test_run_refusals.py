"""``bench run``: what is refused before anything runs, in one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.system import locks, subprocesses
from resnet9.data import dataset, sources
from tests.support.scripted_bench import Bench, installed, stand_in


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    return installed(Bench, tmp_path, monkeypatch, capfd)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--recipe", "pgae24"], 2, "did you mean `page24`?"),
        (["--seeds", "0,0"], 2, "SEEDS='0,0' has seed 0 twice"),
        (["--sedes", "3"], 2, "'--seeds'"),
        (["--precision", "fp23"], 2, "'fp23' is not one of"),
        (["--smoke", "--recipe", "page24"], 2, "RECIPE=page24"),
        (["--data", "/cifar"], 2, "DATA=/cifar"),
        (["--timeout", "0"], 2, "--timeout '0' is not from 1 to 1000000 seconds"),
        (["--timeout", "nan"], 2, "--timeout 'nan' is not a whole number"),
        (["--timeout", "1e9"], 2, "--timeout '1e9' is not a whole number"),
        (["--timeout", "3000000"], 2, "is not from 1 to 1000000 seconds"),
        (["--email", "nobody"], 2, "EMAIL='nobody' is not an e-mail address"),
        (["--cost-per-hour", "-2"], 2, "COST_PER_HOUR=-2.0 is not a price"),
        (
            ["--cost-per-hour", "cheap"],
            2,
            "--cost-per-hour 'cheap' is not a number. Write it in digits, such as --cost-per-hour 3.06.",
        ),
    ],
)
def test_a_wrong_word_is_one_sentence(bench: Bench, words: list[str], code: int, says: str) -> None:
    got, out, err = bench(*words)

    assert got == code
    assert says in err
    assert err.count("\n") == 1
    assert (out, bench.requests) == ("", [])
    assert not bench.results.exists()


def test_data_that_is_not_there_is_one_sentence_before_anything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load", stand_in.__wrapped__)

    code, _, err = bench("--recipe", "page24", "--data", "/no/such/folder")

    assert code == 3
    assert "/no/such/folder" in err
    assert not bench.results.exists()


def test_cifar10_that_is_not_there_is_downloaded_and_a_failure_ends_with_its_exit_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(dataset, "DEFAULT_FOLDER", Path.cwd() / "data")
    monkeypatch.setattr(subprocesses, "run_attached", lambda argv, cwd: asked.append(list(argv)) or 4)

    with pytest.raises(SystemExit) as ended:
        bench("--recipe", "page24")

    assert ended.value.code == 4
    assert asked == [[sys.executable, "-m", "resnet9", "data"]]


def test_two_campaigns_at_once_on_one_device_are_refused(bench: Bench) -> None:
    with locks.held(locks.device_lock("cpu", os.environ), "x"):
        code, _, err = bench("--seeds", "1")

    assert code == 6
    assert f"(process {os.getpid()})" in err


def test_two_campaigns_at_once_in_one_folder_are_refused(bench: Bench) -> None:
    Path("mine").mkdir()
    with locks.held(Path("mine/.lock"), "x"):
        code, _, err = bench("--seeds", "1", "--out", "mine")

    assert code == 6
    assert err.startswith("bench: mine is in use by another campaign")


def test_results_that_cannot_be_written_are_one_sentence(bench: Bench) -> None:
    Path("file").write_text("")

    code, _, err = bench("--seeds", "1", "--out", "file/x")

    assert code in (2, 4)
    assert "file/x" in err
    assert err.count("\n") == 1
