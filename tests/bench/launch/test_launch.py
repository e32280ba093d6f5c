from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.launch import launch
from bench.launch.launch import Outcome, RunSpec
from bench.record import build_record_from
from bench.system import subprocesses
from tests.support.scripted_runs import ROOT, SHORT, Hears, events, gone, job, of_kind, wait_until

# An honest run


def test_an_honest_run_is_done_and_its_events_are_kept_as_they_came(tmp_path: Path) -> None:
    work = job(tmp_path, ["print", "hello, log"], ["run", 3, 19])

    outcome = launch.launch(work, limits=SHORT)

    assert outcome == Outcome("done", "", exit_code=0, signal=None)
    kinds = [each["event"] for each in events(work)]
    epoch = ["phase", "phase", "epoch"]
    last = [*epoch, "harness_recount", "done", "harness_end"]
    assert kinds == ["harness_start", "hello", "phase", *epoch, *epoch, *last]
    assert (work.folder / "trainer.log").read_text() == "hello, log\n"
    assert sorted(os.listdir(work.folder)) == ["events.jsonl", "predictions.u8", "trainer.log"]


def test_the_first_line_tells_what_was_asked_and_the_last_what_it_cost(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    launch.launch(work, limits=SHORT)

    start, end = events(work)[0], events(work)[-1]
    assert (start["seed"], start["target_percent"], start["test_images"]) == (3, 94.0, 20)
    assert (start["argv"], start["fingerprint"]) == (["python", "scripted_trainer.py"], {"os": "any"})
    assert (end["status"], end["reason"], end["exit_code"], end["signal"]) == ("done", "", 0, None)
    assert end["events"] == len(events(work)) - 3  # start, end and one recount are the harness's own
    # A process that was forked is told to have held what its parent did (getrusage(2)), and this one holds more than a
    # gigabyte after some tests.
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 1 << 20 < end["peak_memory_bytes"] <= max(1 << 30, mine)
    assert 0 < end["trainer_cpu_seconds"] < 10
    assert 0 < end["harness_cpu_seconds"] < 10
    assert start["spawned_ns"] <= events(work)[1]["t_ns"] <= end["exited_ns"]


def test_the_record_folded_from_the_events_agrees(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    launch.launch(work, limits=SHORT)

    record = build_record_from(work.folder / "events.jsonl")
    assert (record.status, record.seed, record.crossing_index) == ("done", 3, 1)
    assert [(each.correct, each.total, each.index) for each in record.recounts] == [(19, 20, 1)]
    assert record.malformed_lines == 0


def test_events_are_stamped_when_they_come(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["sleep", 0.1], ["event", {"event": "warning", "message": "m"}], ["run", 1, 1])

    launch.launch(work, limits=SHORT)

    late_ms = [(each["received_ns"] - each["t_ns"]) / 1e6 for each in events(work) if "t_ns" in each]
    assert all(0 <= late < 50 for late in late_ms), late_ms


def test_the_trainer_gets_the_variables_of_the_protocol_and_nothing_that_was_not_given(tmp_path: Path) -> None:
    work = job(tmp_path)
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    work = RunSpec(**{**vars(work), "argv": [sys.executable, "-I", "-S", "-c", script], "env": {"TF_X": "1"}})

    launch.launch(work, limits=SHORT)

    env = json.loads((work.folder / "trainer.log").read_text())
    env.pop("LC_CTYPE", None)  # Python sets this one itself where there is no locale.
    assert env == {
        "TF_X": "1",
        "PYTHONUNBUFFERED": "1",
        "BENCH_EVENTS": str(work.folder / "events.fifo"),
        "BENCH_SEED": "3",
        "BENCH_TARGET_PERCENT": "94.0",
        "BENCH_STARTED_NS": str(events(work)[0]["spawned_ns"]),
    }


def test_observers_hear_every_event_and_are_called_when_they_asked_to_be(tmp_path: Path) -> None:
    hears, ticks = Hears(), Hears(every_ns=20_000_000)
    work = job(tmp_path, ["run", 1, 19], ["sleep", 0.15])

    launch.launch(work, [hears, ticks], SHORT)

    assert hears.kinds == ["hello", "phase", "phase", "phase", "epoch", "done"]
    assert len(hears.ticks) == 1
    assert len(ticks.ticks) >= 5
    assert all(later - earlier >= 20_000_000 for earlier, later in zip(ticks.ticks, ticks.ticks[1:], strict=False))


def test_lines_of_many_kilobytes_and_lines_in_pieces_arrive_whole(tmp_path: Path) -> None:
    begin, end = '{"v":1,"event":"warning","run":0,"t_ns":1,"message":"', '"}\n'
    long = [["raw", begin], ["raw", "x" * 1000, 200], ["raw", end]]
    work = job(tmp_path, ["hello"], *long, ["raw", begin], ["sleep", 0.02], ["raw", "y"], ["raw", end], ["run", 1, 1])

    launch.launch(work, limits=SHORT)

    assert [each["message"][:1] for each in of_kind(work, "warning")] == ["x", "y"]
    assert len(of_kind(work, "warning")[0]["message"]) == 200_000


def test_fields_the_protocol_does_not_know_are_kept_in_the_events(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello", {"motto": "faster"}])

    launch.launch(work, limits=SHORT)

    assert of_kind(work, "hello")[0]["motto"] == "faster"


@pytest.mark.parametrize("fifo", [[], [["close"]]], ids=["open", "closed"])
def test_the_parent_sleeps_while_the_trainer_works(tmp_path: Path, fifo: list[Any]) -> None:
    work = job(tmp_path, ["hello"], *fifo, ["sleep", 0.5])

    launch.launch(work, limits=SHORT)

    end = events(work)[-1]
    assert end["harness_voluntary_switches"] < 50
    assert end["harness_cpu_seconds"] < 0.1  # A parent that polls in a loop would have used the whole half second.


def test_no_epoch_at_all_is_enough_where_only_the_greeting_was_wanted(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["sleep"])

    outcome = launch.launch(work, limits=replace(SHORT, enough_epochs=0))

    assert (outcome.status, outcome.signal) == ("cut_short", signal.SIGTERM)
    assert [each["event"] for each in events(work)] == ["harness_start", "hello", "harness_end"]


# The clock and the spawner are arguments


class JumpingClock(Hears):
    """Monotonic time that gains ``minutes`` at every tick after hello, and wakes the harness to notice."""

    def __init__(self, minutes: list[float]) -> None:
        super().__init__()
        self._minutes, self._gained_ns = minutes, 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self._gained_ns

    def tick(self, now_ns: int) -> int | None:
        if "hello" in self.kinds and self._minutes:
            self._gained_ns += round(self._minutes.pop(0) * 60e9)
        return self() + 5_000_000


def test_an_epoch_may_take_most_of_an_hour_and_not_more(tmp_path: Path) -> None:
    patient, impatient = JumpingClock([59]), JumpingClock([59, 2])

    done = launch.launch(job(tmp_path / "a", ["hello"], ["sleep", 0.2], ["done"]), [patient], clock=patient)
    hung = launch.launch(job(tmp_path / "b", ["hello"], ["sleep"]), [impatient], clock=impatient)

    assert done.status == "done"
    assert (hung.status, hung.code, hung.signal) == ("timed_out", "event-timeout", signal.SIGTERM)


def test_a_machine_without_room_for_a_process_is_a_failed_run(tmp_path: Path) -> None:
    def no_room(*_: Any) -> launch.Child:
        raise OSError(11, "Resource temporarily unavailable")

    outcome = launch.launch(job(tmp_path), limits=SHORT, spawner=no_room)

    assert outcome.status == "failed"
    assert "Resource temporarily unavailable" in outcome.reason
    assert build_record_from(tmp_path / "seed-003" / "events.jsonl").status == "failed"


# Other programs


def test_an_answer_is_what_a_program_wrote_whatever_its_exit_status() -> None:
    script = "import sys; print('said'); print('noise', file=sys.stderr); sys.exit(3)"

    assert subprocesses.capture_stdout([sys.executable, "-S", "-c", script], 20) == "said\n"


def test_a_program_that_gives_no_answer_is_killed_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"sh took longer than 0.3 s"):
        subprocesses.capture_stdout(["sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/pid; wait"], 0.3)

    wait_until(lambda: gone(int((tmp_path / "pid").read_text())))


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        subprocesses.capture_stdout(["no-such-program"], 1)


def test_a_call_answers_with_the_exit_code_or_the_signal() -> None:
    assert subprocesses.run_attached([sys.executable, "-S", "-c", "raise SystemExit(3)"], ROOT) == 3
    assert subprocesses.run_attached([sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 15)"], ROOT) == 143
