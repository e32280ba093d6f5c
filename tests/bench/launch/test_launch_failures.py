"""A trainer that does not do what it should, does nothing, or too much."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import protocol
from bench.errors import EnvironmentProblem
from bench.launch import launch
from bench.launch.launch import RunSpec
from bench.launch.monitor import Limits
from bench.record import build_record_from
from tests.support.scripted_runs import IMPATIENT, SHORT, Hears, events, gone, job, of_kind

# A trainer that does not do what it should


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (["raw", "Epoch 1/24 loss 2.3\n"], "not a line of JSON"),
        (["raw", '{"v":1,"event":"no'], "not a line of JSON"),
        (["raw", "[", 100_000], "not a line of JSON"),
        (["bytes", "fffe007b0a"], "not a line of JSON"),
        (["raw", '{"v":1,"event":"warning","run":0,"t_ns":1,"message":"m","extra":1e999}\n'], "Out of range"),
        (["raw", '{"v":1,"event":"harness_end","run":0,"t_ns":1,"status":"done"}\n'], "`event` must be one of"),
        (["raw", "x" * 1000, 1100], "is longer than 1048576"),
    ],
)
def test_a_line_that_is_no_event_stops_the_run(tmp_path: Path, line: list[Any], why: str) -> None:
    work = job(tmp_path, ["hello"], line)

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.code) == ("failed", "malformed-line")
    assert why in outcome.reason
    (malformed,) = of_kind(work, "harness_malformed")
    assert len(malformed["line"]) <= 200
    assert outcome.reason.endswith(malformed["why"])


def test_of_much_garbage_the_first_line_is_kept(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["raw", "first\n"], ["raw", "more\n", 1000])

    launch.launch(work, limits=SHORT)

    assert [each["line"] for each in of_kind(work, "harness_malformed")] == ["first"]


def test_an_event_that_no_honest_run_sends_stops_the_run(tmp_path: Path) -> None:
    outcome = launch.launch(job(tmp_path, ["hello", {"seed": 9}], ["sleep"]), limits=SHORT)

    assert (outcome.status, outcome.code, outcome.signal) == ("failed", "wrong-seed", signal.SIGTERM)


def test_a_crash_is_told_with_the_last_line_of_its_log(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["epoch", {"epoch": 1}], ["print", "Traceback"], ["no_such_step"])

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.reason == (
        "the trainer ended with exit code 1 after epoch 1; the last line of trainer.log is: "
        "AttributeError: 'Scripted' object has no attribute 'no_such_step'"
    )


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([["signal", int(signal.SIGKILL)]], launch.KILLED),
        ([["hello"], ["signal", int(signal.SIGABRT)]], launch.KILLED),
        ([["hello"]], launch.NO_DONE),
        ([["hello"], ["done"], ["exit", 7]], launch.BAD_EXIT),
        ([], launch.NO_DONE),
        ([["hello"], ["close"], ["exit", 0]], launch.NO_DONE),
    ],
)
def test_a_trainer_that_ends_without_finishing_has_failed(tmp_path: Path, steps: list[Any], code: str) -> None:
    outcome = launch.launch(job(tmp_path, *steps), limits=SHORT)

    assert (outcome.status, outcome.code) == ("failed", code)


def test_the_trainers_own_reason_is_told_and_its_exit_code_kept(tmp_path: Path) -> None:
    error = {
        "event": "error",
        "message": "libcudnn.so.9\n\x1b[31mdid not load",
        "hint": "DEVICE=cpu uses the CPU",
        "code": "no-gpu",
    }
    work = job(tmp_path, ["event", error], ["exit", 4])

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.code, outcome.exit_code) == ("failed", "no-gpu", 4)
    assert outcome.reason == "libcudnn.so.9 [31mdid not load; DEVICE=cpu uses the CPU"
    assert events(work)[-1]["reason_code"] == "no-gpu"


def test_a_program_that_does_not_exist_is_a_failed_run_with_a_record(tmp_path: Path) -> None:
    work = RunSpec(**{**vars(job(tmp_path)), "argv": ["no-such-trainer"]})

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.code) == ("failed", launch.NOT_STARTED)
    assert [each["event"] for each in events(work)] == ["harness_start", "harness_end"]


# Silence


@pytest.mark.parametrize(
    ("steps", "limits", "code"),
    [
        ([["sleep"]], Limits(start_seconds=0.1), "hello-timeout"),
        ([["event", {"event": "warning", "message": "slow disk"}], ["sleep"]], Limits(start_seconds=0.3),
         "hello-timeout"),
        ([["hello"], ["sleep"]], Limits(silence_seconds=0.1), "event-timeout"),
        ([["hello"], ["epoch", {"epoch": 2}], ["close"], ["sleep"]], Limits(silence_seconds=0.1),
         "event-timeout"),
        ([["hello"], ["done"], ["sleep"]], Limits(exit_seconds=0.1), "exit-timeout"),
    ],
)  # fmt: skip
def test_a_trainer_that_hangs_is_stopped(tmp_path: Path, steps: list[Any], limits: Limits, code: str) -> None:
    work = job(tmp_path, *steps)

    outcome = launch.launch(work, limits=limits)

    assert (outcome.status, outcome.code, outcome.signal) == ("timed_out", code, signal.SIGTERM)
    assert events(work)[-1]["status"] == "timed_out"


def test_a_trainer_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["sleep"])

    outcome = launch.launch(work, limits=Limits(silence_seconds=0.05, grace_seconds=0.05))

    assert (outcome.status, outcome.signal) == ("timed_out", signal.SIGKILL)


# What a trainer leaves behind


@pytest.mark.parametrize("steps", [["fork"], ["daemon"], ["daemon", "daemon", "fork"]], ids="-".join)
def test_what_a_trainer_leaves_behind_is_killed_and_told(tmp_path: Path, steps: list[str]) -> None:
    files = [tmp_path / f"pid-{number}" for number in range(len(steps))]
    work = job(tmp_path, *([step, str(file)] for step, file in zip(steps, files, strict=True)), ["run", 1, 1])

    outcome = launch.launch(work, limits=IMPATIENT)

    pids = [int(file.read_text()) for file in files]
    assert outcome.status == "done"
    assert sorted(each.pid for each in outcome.left_running) == sorted(pids)
    assert all(map(gone, pids))
    assert build_record_from(work.folder / "events.jsonl").leftover_processes == len(steps)


def test_a_child_that_ends_because_the_trainer_has_is_waited_for(tmp_path: Path) -> None:
    work = job(tmp_path, ["tracker"], ["run", 1, 1])

    outcome = launch.launch(work, limits=SHORT)

    assert (outcome.status, outcome.left_running) == ("done", ())
    assert build_record_from(work.folder / "events.jsonl").leftover_processes == 0


def test_ctrl_c_ends_the_wait_for_what_is_left(tmp_path: Path) -> None:
    class AtTheEnd(Hears):
        def prepare(self, folder: Path, write: Any) -> None:
            pass

        def account(self) -> tuple[float | None, int | None]:
            return None, None

        def began(self, pid: int, is_client: bool = False) -> None:
            pass

        def ended(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    work = job(tmp_path, ["daemon", str(tmp_path / "pid")], ["run", 1, 1])

    outcome = launch.launch(work, limits=replace(SHORT, orphan_seconds=1000), sampler=AtTheEnd())

    assert (outcome.status, len(outcome.left_running)) == ("interrupted", 1)


def test_a_daemon_does_not_outlive_a_run_that_the_disk_ends(tmp_path: Path) -> None:
    class FullDisk(Hears):
        def event(self, event: protocol.Event, received_ns: int) -> None:
            raise EnvironmentProblem("the disk is full")

    pid_file = tmp_path / "pid"
    work = job(tmp_path, ["daemon", str(pid_file)], ["hello"], ["sleep"])

    with pytest.raises(EnvironmentProblem):
        launch.launch(work, [FullDisk()], SHORT)

    assert gone(int(pid_file.read_text()))


# Floods

WARNING = '{"v":1,"event":"warning","run":0,"t_ns":1,"message":"slow step"}\n'


def test_of_a_flood_of_warnings_a_thousand_are_written_and_the_others_counted(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["raw", WARNING, 1200], ["run", 1, 1])

    outcome = launch.launch(work, limits=SHORT)

    record = build_record_from(work.folder / "events.jsonl")
    assert outcome.status == "done"
    assert len(of_kind(work, "warning")) == 1000
    assert events(work)[-1]["dropped_warnings"] == 200
    assert (len(record.warnings), record.warnings_not_kept) == (100, 1100)


@pytest.mark.parametrize(
    "limits", [replace(SHORT, most_events=500), replace(SHORT, most_event_bytes=1_000_000)], ids=["events", "bytes"]
)
def test_a_flood_of_events_stops_the_run_and_is_not_read(tmp_path: Path, limits: Limits) -> None:
    begin, end = '{"v":1,"event":"epoch","run":0,"t_ns":1,"epoch":1,"steps":1,"images":1,"loss":1,', '"total":1}\n'
    line = begin + '"correct":1,"view":"plain",' + f'"x":"{"x" * 2500}",' + end
    work = job(tmp_path, ["hello"], ["raw", line, 20_000], ["done"])

    outcome = launch.launch(work, limits=limits)

    assert (outcome.status, outcome.code, outcome.signal) == ("failed", "too-many-events", signal.SIGTERM)
    assert len(of_kind(work, "epoch")) <= 500
    assert events(work)[-1]["harness_cpu_seconds"] < 1


def test_the_harness_sleeps_while_a_flood_waits_for_its_end(tmp_path: Path) -> None:
    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["raw", WARNING, 1_000_000], ["sleep"])

    launch.launch(work, limits=Limits(most_events=100, grace_seconds=0.5))

    end = events(work)[-1]
    assert end["harness_cpu_seconds"] < 0.25
    assert end["harness_voluntary_switches"] < 50
