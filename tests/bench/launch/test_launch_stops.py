"""Runs that are stopped: by a signal, with the harness, or by the disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import EnvironmentProblem
from bench.launch import launch
from bench.launch.launch import Outcome
from bench.launch.monitor import Limits
from bench.record import build_record_from
from tests.support.scripted_runs import ROOT, SHORT, Hears, gone, job, wait_until

# Being stopped


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGINT, "stopped by Ctrl-C"),
        (signal.SIGTERM, "stopped by SIGTERM"),
        (signal.SIGHUP, "stopped by SIGHUP"),
    ],
)
def test_a_signal_ends_the_trainer_and_everything_is_written(
    tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    before = signal.getsignal(number)
    work = job(tmp_path, ["hello"], ["epoch", {"epoch": 1}], ["sleep"])
    observer = Hears("epoch", lambda: os.kill(os.getpid(), number))

    outcome = launch.launch(work, [observer], SHORT)

    assert outcome == Outcome("interrupted", reason, signal=signal.SIGTERM, code="interrupted")
    record = build_record_from(work.folder / "events.jsonl")
    assert (record.status, record.reason, len(record.epochs)) == ("interrupted", reason, 1)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    class TwiceImpatient(Hears):
        def tick(self, now_ns: int) -> int | None:
            if "hello" in self.kinds:
                os.kill(os.getpid(), signal.SIGINT)
            return now_ns + 20_000_000

    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["sleep"])

    outcome = launch.launch(work, [TwiceImpatient()], Limits(grace_seconds=1000))

    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGKILL)


def test_a_second_ctrl_c_ends_a_harness_that_is_busy_with_what_it_heard(tmp_path: Path) -> None:
    reached: list[str] = []

    def compute() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("first")
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("second")

    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["epoch", {"epoch": 1}], ["sleep"])

    outcome = launch.launch(work, [Hears("epoch", compute)], Limits(grace_seconds=1000))

    assert reached == ["first"]
    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGKILL)
    record = build_record_from(work.folder / "events.jsonl")
    assert (record.status, record.malformed_lines, len(record.epochs)) == ("interrupted", 0, 1)


def test_ctrl_c_while_a_trainer_is_being_stopped_is_an_interruption(tmp_path: Path) -> None:
    class Impatient(Hears):
        def tick(self, now_ns: int) -> int | None:
            if (tmp_path / "seed-003" / "events.jsonl").read_text().count("harness_malformed") and not self.ticks:
                self.ticks.append(now_ns)
                os.kill(os.getpid(), signal.SIGINT)
            return now_ns + 5_000_000

    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["raw", "garbage\n"], ["sleep"])

    outcome = launch.launch(work, [Impatient()], Limits(grace_seconds=0.2))

    assert (outcome.status, outcome.reason) == ("interrupted", "stopped by Ctrl-C")


def test_nohup_is_respected(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        observer = Hears("hello", lambda: os.kill(os.getpid(), signal.SIGHUP))
        outcome = launch.launch(job(tmp_path, ["run", 1, 1]), [observer], SHORT)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert outcome.status == "done"


def test_the_trainer_dies_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["touch", str(pid_file)], ["sleep"])
    told = {name: value for name, value in vars(work).items() if name != "identity"}  # which is that process's own
    fields = {**told, "cwd": str(work.cwd), "folder": str(work.folder), "expected": vars(work.expected)}
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from bench.launch import launch
from bench.record.expected_run import ExpectedRun
f = {fields!r}
f.update(cwd=Path(f["cwd"]), folder=Path(f["folder"]), expected=ExpectedRun(**f["expected"]))
launch.launch(launch.RunSpec(**f))
"""
    harness = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_until(pid_file.exists)
        # The trainer has said hello by then; on a busy machine its words may still lie in the FIFO.
        wait_until(lambda: b'"hello"' in (work.folder / "events.jsonl").read_bytes())
    finally:
        harness.kill()
        harness.wait()

    wait_until(lambda: gone(int(pid_file.read_text())))
    record = build_record_from(work.folder / "events.jsonl")
    assert (record.status, record.reason) == ("interrupted", "the harness was stopped before the run ended")
    assert record.hellos == 1


# The disk


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentProblem, match=r"cannot write to .*seed-003 \(Not a directory\).*OUT=/path"):
        launch.launch(job(tmp_path / "file", ["run", 1, 1]))


def test_a_path_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"File name too long.*shorter path"):
        launch.launch(job(tmp_path / ("x" * 300), ["run", 1, 1]))


def test_a_file_system_without_fifos_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "mkfifo", refused)

    with pytest.raises(EnvironmentProblem, match=r"cannot make the FIFO .*Operation not supported.*local disk.*OUT=/"):
        launch.launch(job(tmp_path, ["run", 1, 1]))


def test_a_full_disk_stops_the_trainer_and_keeps_what_was_written(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    noise = [["event", {"event": "warning", "message": "x" * 3000}]] * 10
    work = job(tmp_path, ["touch", str(pid_file)], ["hello"], *noise, ["sleep"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files is the full disk that needs no disk: the write fails the same way, with EFBIG.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(EnvironmentProblem, match=r"cannot write to .*events.jsonl \(File too large\).*OUT=/path"):
            launch.launch(work, limits=SHORT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert gone(int(pid_file.read_text()))
    assert build_record_from(work.folder / "events.jsonl").status == "interrupted"
