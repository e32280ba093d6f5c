"""No host name, user, address or home path in what a run leaves written down, whatever its trainer says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import record
from bench.launch import launch
from bench.launch.launch import RunSpec
from bench.system.hashing import hashed
from bench.system.identity import Identity
from tests.support.scripted_runs import SHORT, Hears, job, of_kind
from tests.support.scripted_trainer import HELLO, RECIPE

ALICE = Identity.of("gpubox7.lab.example.edu", "alice", "/home/alice")
UUID = "GPU-aaaaaaaa-0000-1111-2222-333333333333"
TELLING = {
    "trainer": "t at /home/alice/t.py",
    "framework": "x 2.21.0 from /home/bob/lib",
    "recipe": {**RECIPE, "name": "net of alice"},
    "device": {"kind": "cpu", "name": "cpu of gpubox7", "uuid": UUID},
    "xla": {"on": False, "flags": "--xla_dump_to=/home/alice/dump"},
    "build": {"prefix": "/home/alice/env", "/home/alice/key": "1", "cuda_version": "12.8.0.38"},
}


def telling(tmp_path: Path, *steps: list[Any]) -> RunSpec:
    return replace(job(tmp_path, *steps), identity=ALICE)


def written(work: RunSpec) -> str:
    """Everything that was written down of the run, its trainer's own log apart."""
    shown = record.build_record_from(work.folder / record.EVENTS_FILE)
    return (work.folder / "events.jsonl").read_text() + str(shown)


def test_no_word_of_a_trainer_tells_whose_machine_it_is(tmp_path: Path) -> None:
    warning = {"event": "warning", "message": f"cannot open /home/alice/cache on {UUID}", "hint": "ask bob@10.0.0.7"}
    work = telling(
        tmp_path, ["hello", TELLING], ["event", warning], ["print", "at '/home/alice/data.bin'"], ["exit", 1]
    )

    launch.launch(work, limits=SHORT)

    told = written(work)
    assert not ALICE.is_told_by(told)
    for private in ("/home", "10.0.0.7", "bob", UUID):
        assert private not in told
    (hello,) = of_kind(work, "hello")
    assert (hello["trainer"], hello["framework"]) == ("t at t.py", "x 2.21.0 from lib")
    assert hello["build"] == {"prefix": "env", "key": "1", "cuda_version": "12.8.0.38"}
    assert {**HELLO, **hello}["dataset"] == HELLO["dataset"]
    (warned,) = of_kind(work, "warning")
    assert (warned["message"], warned["hint"]) == (f"cannot open cache on GPU-{hashed(UUID)}", "ask (withheld)")
    assert of_kind(work, "harness_end")[0]["reason"].endswith("the last line of trainer.log is: at 'data.bin'")


@pytest.mark.parametrize(
    "steps",
    [
        [
            ["event", {"event": "error", "message": "no /home/alice/x", "hint": "alice knows", "code": "alice"}],
            ["exit", 2],
        ],
        [["raw", '{"path": "/home/alice/x", "on": "gpubox7"}\n']],
        [["event", {"event": "alice"}]],
        [["event", {"event": "phase", "name": "/home/alice", "begin_ns": 1, "end_ns": 2}]],
    ],
)
def test_no_failure_tells_whose_machine_it_is(tmp_path: Path, steps: list[list[Any]]) -> None:
    work = telling(tmp_path, ["hello"], *steps)

    launch.launch(work, limits=SHORT)

    assert of_kind(work, "harness_end")[0]["status"] == "failed"
    assert not ALICE.is_told_by(written(work))


def test_a_program_that_does_not_exist_is_told_without_its_folder(tmp_path: Path) -> None:
    work = replace(telling(tmp_path), argv=["/home/alice/nothing"])

    launch.launch(work, limits=SHORT)

    assert of_kind(work, "harness_end")[0]["reason"] == "cannot start nothing (No such file or directory)"


def test_who_looks_on_and_who_asked_are_told_the_trainers_own_words(tmp_path: Path) -> None:
    work = telling(tmp_path, ["hello"], ["event", {"event": "error", "message": "no /home/alice/x"}], ["exit", 2])
    heard = Hears()

    outcome = launch.launch(work, [heard], SHORT)

    assert outcome.reason == "no /home/alice/x"
    assert heard.kinds == ["hello", "error"]
