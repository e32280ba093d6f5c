from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bench import execute, protocol
from bench.errors import EnvironmentProblem
from bench.execute import Job, Outcome
from bench.record import fold_file
from bench.referee import Asked
from bench.watch import Limits

TRAINER = Path(__file__).with_name("scripted_trainer.py")
ROOT = TRAINER.parents[2]
LABELS = bytes(20)
#: No honest step of a scripted trainer takes this long, and a test that waits for a limit should not wait longer.
SHORT = Limits(start_seconds=20, silence_seconds=20, exit_seconds=20, grace_seconds=10)


def job(folder: Path, *steps: list[Any], **asked: Any) -> Job:
    return Job(
        # -I -S: half the start-up time, and proof that the protocol needs nothing installed.
        argv=[sys.executable, "-I", "-S", str(TRAINER), json.dumps(steps)],
        shown=["python", "scripted_trainer.py"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        folder=folder / "seed-003",
        asked=Asked(**{"seed": 3, "target_percent": 94.0, "test_labels": LABELS, **asked}),
        fingerprint={"os": "any"},
    )


def events(work: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work.folder / "events.jsonl").read_text().splitlines()]


def of_kind(work: Job, kind: str) -> list[dict[str, Any]]:
    return [each for each in events(work) if each["event"] == kind]


def gone(pid: int) -> bool:
    """The process has ended: it is no more, or a zombie that its new parent has not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def wait_until(true: Any, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.005)


class Hears:
    """An observer that keeps what it is told, and can do something when a kind of event comes."""

    def __init__(self, when: str = "", then: Any = None, every_ns: int | None = None) -> None:
        self.kinds: list[str] = []
        self.ticks: list[int] = []
        self._when, self._then, self._every_ns = when, then, every_ns

    def event(self, event: protocol.Event, received_ns: int) -> None:
        self.kinds.append(event.kind)
        if event.kind == self._when:
            self._then()

    def tick(self, now_ns: int) -> int | None:
        self.ticks.append(now_ns)
        return None if self._every_ns is None else now_ns + self._every_ns


# An honest run


def test_an_honest_run_is_done_and_its_events_are_kept_as_they_came(tmp_path: Path) -> None:
    work = job(tmp_path, ["print", "hello, log"], ["run", 3, 19])

    outcome = execute.run(work, limits=SHORT)

    assert outcome == Outcome("done", "", exit_code=0, signal=None)
    kinds = [each["event"] for each in events(work)]
    epoch = ["phase", "phase", "epoch"]
    last = [*epoch, "harness_recount", "done", "harness_end"]
    assert kinds == ["harness_start", "hello", "phase", *epoch, *epoch, *last]
    assert (work.folder / "trainer.log").read_text() == "hello, log\n"
    assert sorted(os.listdir(work.folder)) == ["events.jsonl", "predictions.u8", "trainer.log"]


def test_the_first_line_tells_what_was_asked_and_the_last_what_it_cost(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    execute.run(work, limits=SHORT)

    start, end = events(work)[0], events(work)[-1]
    assert (start["seed"], start["target_percent"], start["test_images"]) == (3, 94.0, 20)
    assert (start["argv"], start["fingerprint"]) == (["python", "scripted_trainer.py"], {"os": "any"})
    assert (end["status"], end["reason"], end["exit_code"], end["signal"]) == ("done", "", 0, None)
    assert end["events"] == len(events(work)) - 3  # start, end and one recount are the harness's own
    assert 1 << 20 < end["peak_memory_bytes"] < 1 << 30
    assert 0 < end["trainer_cpu_seconds"] < 10
    assert 0 < end["harness_cpu_seconds"] < 10
    assert start["spawned_ns"] <= events(work)[1]["t_ns"] <= end["exited_ns"]


def test_the_record_folded_from_the_events_agrees(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    execute.run(work, limits=SHORT)

    record = fold_file(work.folder / "events.jsonl")
    assert (record.status, record.seed, record.crossing_index) == ("done", 3, 1)
    assert [(each.correct, each.total, each.index) for each in record.recounts] == [(19, 20, 1)]
    assert record.malformed_lines == 0


def test_events_are_stamped_when_they_come(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["sleep", 0.1], ["event", {"event": "warning", "message": "m"}], ["run", 1, 1])

    execute.run(work, limits=SHORT)

    late_ms = [(each["received_ns"] - each["t_ns"]) / 1e6 for each in events(work) if "t_ns" in each]
    assert all(0 <= late < 50 for late in late_ms), late_ms


def test_the_trainer_gets_the_three_variables_and_nothing_that_was_not_given(tmp_path: Path) -> None:
    work = job(tmp_path)
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    work = Job(**{**vars(work), "argv": [sys.executable, "-I", "-S", "-c", script], "env": {"TF_X": "1"}})

    execute.run(work, limits=SHORT)

    env = json.loads((work.folder / "trainer.log").read_text())
    env.pop("LC_CTYPE", None)  # Python sets this one itself where there is no locale.
    assert env == {
        "TF_X": "1",
        "PYTHONUNBUFFERED": "1",
        "BENCH_EVENTS": str(work.folder / "events.fifo"),
        "BENCH_SEED": "3",
        "BENCH_TARGET_PERCENT": "94.0",
    }


def test_observers_hear_every_event_and_are_called_when_they_asked_to_be(tmp_path: Path) -> None:
    hears, ticks = Hears(), Hears(every_ns=20_000_000)
    work = job(tmp_path, ["run", 1, 19], ["sleep", 0.15])

    execute.run(work, [hears, ticks], SHORT)

    assert hears.kinds == ["hello", "phase", "phase", "phase", "epoch", "done"]
    assert len(hears.ticks) == 1
    assert len(ticks.ticks) >= 5
    assert all(later - earlier >= 20_000_000 for earlier, later in zip(ticks.ticks, ticks.ticks[1:], strict=False))


def test_lines_of_many_kilobytes_and_lines_in_pieces_arrive_whole(tmp_path: Path) -> None:
    begin, end = '{"v":1,"event":"warning","run":0,"t_ns":1,"message":"', '"}\n'
    long = [["raw", begin], ["raw", "x" * 1000, 200], ["raw", end]]
    work = job(tmp_path, ["hello"], *long, ["raw", begin], ["sleep", 0.02], ["raw", "y"], ["raw", end], ["run", 1, 1])

    execute.run(work, limits=SHORT)

    assert [each["message"][:1] for each in of_kind(work, "warning")] == ["x", "y"]
    assert len(of_kind(work, "warning")[0]["message"]) == 200_000


def test_fields_the_protocol_does_not_know_are_kept_in_the_events(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello", {"motto": "faster"}])

    execute.run(work, limits=SHORT)

    assert of_kind(work, "hello")[0]["motto"] == "faster"


@pytest.mark.parametrize("fifo", [[], [["close"]]], ids=["open", "closed"])
def test_the_parent_sleeps_while_the_trainer_works(tmp_path: Path, fifo: list[Any]) -> None:
    work = job(tmp_path, ["hello"], *fifo, ["sleep", 0.5])

    execute.run(work, limits=SHORT)

    end = events(work)[-1]
    assert end["harness_voluntary_switches"] < 50
    assert end["harness_cpu_seconds"] < 0.1  # A parent that polls in a loop would have used the whole half second.


# Predictions recounted


def test_the_crossing_and_the_last_evaluation_are_recounted(tmp_path: Path) -> None:
    crossing = [["predictions", 19, 20], ["epoch", {"epoch": 1, "correct": 19}]]
    between = [["predictions", 0, 20], ["epoch", {"epoch": 2, "correct": 20}]]
    last = [["predictions", 18, 20], ["epoch", {"epoch": 3, "correct": 18}]]
    heard = tmp_path / "heard"
    work = job(tmp_path, ["hello"], *crossing, ["wait", str(heard)], *between, *last, ["done"])

    outcome = execute.run(work, [Hears("epoch", heard.touch)], SHORT)

    assert outcome.status == "done"
    assert [(each["epoch"], each["correct"], each["total"]) for each in of_kind(work, "harness_recount")] == [
        (1, 19, 20),
        (3, 18, 20),
    ]
    left = (work.folder / "predictions.u8").read_bytes()
    assert of_kind(work, "harness_recount")[-1]["predictions_sha256"] == sha256(left).hexdigest()
    places = [each["event"] for each in events(work)]
    assert places[2:4] == ["epoch", "harness_recount"]


def test_a_trainer_that_stops_early_has_its_last_evaluation_recounted_at_done(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["predictions", 12, 20], ["epoch", {"epoch": 1.4, "correct": 12}], ["done"])

    outcome = execute.run(work, limits=SHORT)

    assert outcome.status == "done"
    assert [each["correct"] for each in of_kind(work, "harness_recount")] == [12]


@pytest.mark.parametrize(
    ("predictions", "says", "found"),
    [
        ([["predictions", 15, 20]], "its predictions give 15 of 20", (15, 20)),
        ([["predictions", 19, 19]], "holds 19 predictions for 20 test images", (19, 19)),
        ([["predictions", 19, 21]], "holds 21 predictions for 20 test images", (19, 21)),
        ([], "predictions.u8 cannot be read (No such file or directory)", (0, 0)),
    ],
)
def test_an_accuracy_its_predictions_do_not_give_fails_the_run_and_is_kept(
    tmp_path: Path, predictions: list[Any], says: str, found: tuple[int, int]
) -> None:
    work = job(tmp_path, ["hello"], *predictions, ["epoch", {"epoch": 3, "correct": 19}], ["done"])

    outcome = execute.run(work, limits=SHORT)

    assert outcome.status == "failed"
    assert outcome.reason.startswith("after epoch 3 the trainer claims 19 of 20 test images correct, but ")
    assert says in outcome.reason
    (recount,) = of_kind(work, "harness_recount")
    assert (recount["correct"], recount["total"]) == found
    assert events(work)[-1]["reason"] == outcome.reason


def test_of_two_accuracies_that_are_not_believed_the_first_is_told(tmp_path: Path) -> None:
    work = job(
        tmp_path, ["hello"], ["epoch", {"epoch": 1, "correct": 19}], ["epoch", {"epoch": 3, "correct": 1}], ["done"]
    )

    outcome = execute.run(work, limits=SHORT)

    assert outcome.reason.startswith("after epoch 1 the trainer claims 19 of 20")
    assert len(of_kind(work, "harness_recount")) == 2


# A trainer that does not do what it should


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (["raw", "Epoch 1/24 loss 2.3\n"], "not a line of JSON"),
        (["raw", "\n"], "not a line of JSON"),
        (["raw", '{"v":1,"event":"no'], "not a line of JSON"),
        (["raw", "[1, 2]\n"], "must be a JSON object"),
        (["raw", "1" * 5000 + "\n"], "not a line of JSON"),
        (["raw", "[", 100_000], "not a line of JSON"),
        (["bytes", "fffe007b0a"], "not a line of JSON"),
        (["raw", '{"v":1,"event":"epoch","run":0,"t_ns":1,"loss":NaN}\n'], "a number is NaN"),
        (["raw", '{"v":1,"event":"warning","run":0,"t_ns":1,"message":"m","extra":1e999}\n'], "Out of range"),
        (["raw", '{"v":1,"event":"harness_end","run":0,"t_ns":1,"status":"done"}\n'], "`event` must be one of"),
        (["event", {"event": "epoch", "epoch": 1, "correct": 1}], "event epoch lacks"),
        (["epoch", {"epoch": 1, "correct": 30}], "`correct` (30) is more than `total` (20)"),
        (["raw", "x" * 1000, 1100], "is longer than 1048576"),
    ],
)
def test_a_line_that_is_no_event_stops_the_run(tmp_path: Path, line: list[Any], why: str) -> None:
    work = job(tmp_path, ["hello"], line)

    outcome = execute.run(work, limits=SHORT)

    assert outcome.status == "failed"
    assert outcome.reason.startswith("the trainer wrote a line that is no event: ")
    assert why in outcome.reason
    (malformed,) = of_kind(work, "harness_malformed")
    assert len(malformed["line"]) <= 200
    assert outcome.reason.endswith(malformed["why"])


def test_of_much_garbage_the_first_line_is_kept(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["raw", "first\n"], ["raw", "more\n", 1000])

    execute.run(work, limits=SHORT)

    assert [each["line"] for each in of_kind(work, "harness_malformed")] == ["first"]


@pytest.mark.parametrize(
    ("steps", "asked", "says"),
    [
        ([["epoch", {"epoch": 1}]], {}, "wrote epoch before hello"),
        ([["hello"], ["hello"]], {}, "wrote hello twice"),
        ([["hello"], ["done"], ["phase", {"name": "exit"}]], {}, "wrote phase after done"),
        ([["hello", {"runs": 4}]], {}, "announced 4 runs in one process"),
        ([["hello"], ["epoch", {"epoch": 1, "run": 2}]], {}, "an event of run 2"),
        ([["hello", {"seed": 9}]], {}, "seed 9, not 3"),
        ([["hello"]], {"target_percent": 93.0}, "target_percent 94.0, not 93.0"),
        ([["hello"]], {"device_kind": "gpu"}, "device.kind 'cpu', not 'gpu'"),
        ([["hello"]], {"input": "device"}, "input 'host', not 'device'"),
        ([["hello"]], {"precision": "bf16"}, "precision 'fp32', not 'bf16'"),
        ([["hello"]], {"recipe_sha256": "a" * 64}, f"recipe.sha256 '{'r' * 64}', not '{'a' * 64}'"),
        ([["hello"]], {"dataset_sha256": "b" * 64}, f"dataset.sha256 '{'d' * 64}', not '{'b' * 64}'"),
    ],
)
def test_an_event_that_no_honest_run_sends_stops_the_run(
    tmp_path: Path, steps: list[Any], asked: dict[str, Any], says: str
) -> None:
    work = job(tmp_path, *steps, ["sleep"], **asked)

    outcome = execute.run(work, limits=SHORT)

    assert (outcome.status, outcome.signal) == ("failed", signal.SIGTERM)
    assert says in outcome.reason


def test_a_crash_is_told_with_the_last_line_of_its_log(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["epoch", {"epoch": 1}], ["print", "Traceback"], ["no_such_step"])

    outcome = execute.run(work, limits=SHORT)

    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.reason == (
        "the trainer ended with exit code 1 after epoch 1; the last line of trainer.log is: "
        "AttributeError: 'Scripted' object has no attribute 'no_such_step'"
    )


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([["signal", int(signal.SIGKILL)]], "was ended by SIGKILL (memory may have run out) before its first"),
        ([["hello"], ["signal", int(signal.SIGABRT)]], "was ended by SIGABRT before its first epoch was over"),
        ([["hello"]], "ended with exit code 0, but never said done"),
        ([["hello"], ["done"], ["exit", 7]], "ended with exit code 7"),
        ([], "it left no word in trainer.log"),
        ([["hello"], ["close"], ["exit", 0]], "never said done"),
    ],
)
def test_a_trainer_that_ends_without_finishing_has_failed(tmp_path: Path, steps: list[Any], reason: str) -> None:
    outcome = execute.run(job(tmp_path, *steps), limits=SHORT)

    assert outcome.status == "failed"
    assert reason in outcome.reason


def test_the_trainers_own_reason_is_told_and_its_exit_code_kept(tmp_path: Path) -> None:
    error = {"event": "error", "message": "libcudnn.so.9\n\x1b[31mdid not load", "hint": "DEVICE=cpu uses the CPU"}
    work = job(tmp_path, ["event", error], ["exit", 4])

    outcome = execute.run(work, limits=SHORT)

    assert outcome == Outcome("failed", "libcudnn.so.9 [31mdid not load; DEVICE=cpu uses the CPU", exit_code=4)


def test_a_program_that_does_not_exist_is_a_failed_run_with_a_record(tmp_path: Path) -> None:
    work = Job(**{**vars(job(tmp_path)), "argv": ["no-such-trainer"]})

    outcome = execute.run(work, limits=SHORT)

    assert outcome == Outcome("failed", "cannot start no-such-trainer (No such file or directory)")
    assert [each["event"] for each in events(work)] == ["harness_start", "harness_end"]


# Silence


@pytest.mark.parametrize(
    ("steps", "limits", "reason"),
    [
        ([["sleep"]], Limits(start_seconds=0.1), "the trainer did not say hello within 0.1 s"),
        ([["event", {"event": "warning", "message": "slow disk"}], ["sleep"]], Limits(start_seconds=0.3),
         "the trainer did not say hello within 0.3 s"),
        ([["hello"], ["sleep"]], Limits(silence_seconds=0.1), "the trainer wrote no event for 0.1 s"),
        ([["hello"], ["epoch", {"epoch": 2}], ["close"], ["sleep"]], Limits(silence_seconds=0.1),
         "the trainer wrote no event for 0.1 s after epoch 2"),
        ([["hello"], ["done"], ["sleep"]], Limits(exit_seconds=0.1),
         "the trainer said done and did not end within 0.1 s"),
    ],
)  # fmt: skip
def test_a_trainer_that_hangs_is_stopped(tmp_path: Path, steps: list[Any], limits: Limits, reason: str) -> None:
    work = job(tmp_path, *steps)

    outcome = execute.run(work, limits=limits)

    assert outcome == Outcome("timed_out", reason, signal=signal.SIGTERM)
    assert events(work)[-1]["status"] == "timed_out"


def test_a_trainer_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["sleep"])

    outcome = execute.run(work, limits=Limits(silence_seconds=0.05, grace_seconds=0.05))

    assert (outcome.status, outcome.signal) == ("timed_out", signal.SIGKILL)


def test_children_that_a_trainer_leaves_behind_are_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    work = job(tmp_path, ["fork", str(pid_file)], ["run", 1, 1])

    outcome = execute.run(work, limits=SHORT)

    assert outcome.status == "done"
    wait_until(lambda: gone(int(pid_file.read_text())))


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

    outcome = execute.run(work, [observer], SHORT)

    assert outcome == Outcome("interrupted", reason, signal=signal.SIGTERM)
    record = fold_file(work.folder / "events.jsonl")
    assert (record.status, record.reason, len(record.epochs)) == ("interrupted", reason, 1)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    class TwiceImpatient(Hears):
        def tick(self, now_ns: int) -> int | None:
            if "hello" in self.kinds:
                os.kill(os.getpid(), signal.SIGINT)
            return now_ns + 20_000_000

    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["sleep"])

    outcome = execute.run(work, [TwiceImpatient()], Limits(grace_seconds=1000))

    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGKILL)


def test_ctrl_c_while_a_trainer_is_being_stopped_is_an_interruption(tmp_path: Path) -> None:
    class Impatient(Hears):
        def tick(self, now_ns: int) -> int | None:
            if (tmp_path / "seed-003" / "events.jsonl").read_text().count("harness_malformed") and not self.ticks:
                self.ticks.append(now_ns)
                os.kill(os.getpid(), signal.SIGINT)
            return now_ns + 5_000_000

    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["raw", "garbage\n"], ["sleep"])

    outcome = execute.run(work, [Impatient()], Limits(grace_seconds=0.2))

    assert (outcome.status, outcome.reason) == ("interrupted", "stopped by Ctrl-C")


def test_nohup_is_respected(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        observer = Hears("hello", lambda: os.kill(os.getpid(), signal.SIGHUP))
        outcome = execute.run(job(tmp_path, ["run", 1, 1]), [observer], SHORT)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert outcome.status == "done"


def test_the_trainer_dies_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    work = job(tmp_path, ["ignore_sigterm"], ["hello"], ["touch", str(pid_file)], ["sleep"])
    fields = {**vars(work), "cwd": str(work.cwd), "folder": str(work.folder), "asked": vars(work.asked)}
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from bench import execute
from bench.referee import Asked
f = {fields!r}
f.update(cwd=Path(f["cwd"]), folder=Path(f["folder"]), asked=Asked(**f["asked"]))
execute.run(execute.Job(**f))
"""
    harness = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_until(pid_file.exists)
    finally:
        harness.kill()
        harness.wait()

    wait_until(lambda: gone(int(pid_file.read_text())))
    record = fold_file(work.folder / "events.jsonl")
    assert (record.status, record.reason) == ("interrupted", "the harness was stopped before the run ended")
    assert record.hellos == 1


# The disk


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentProblem, match=r"cannot write to .*seed-003 \(Not a directory\).*OUT=/path"):
        execute.run(job(tmp_path / "file", ["run", 1, 1]))


def test_a_path_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"File name too long.*shorter path"):
        execute.run(job(tmp_path / ("x" * 300), ["run", 1, 1]))


def test_a_file_system_without_fifos_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "mkfifo", refused)

    with pytest.raises(EnvironmentProblem, match=r"cannot make the FIFO .*Operation not supported.*local disk.*OUT=/"):
        execute.run(job(tmp_path, ["run", 1, 1]))


def test_a_full_disk_stops_the_trainer_and_keeps_what_was_written(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    noise = [["event", {"event": "warning", "message": "x" * 3000}]] * 10
    work = job(tmp_path, ["touch", str(pid_file)], ["hello"], *noise, ["sleep"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files is the full disk that needs no disk: the write fails the same way, with EFBIG.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(EnvironmentProblem, match=r"cannot write to .*events.jsonl \(File too large\).*OUT=/path"):
            execute.run(work, limits=SHORT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert gone(int(pid_file.read_text()))
    assert fold_file(work.folder / "events.jsonl").status == "interrupted"


# Other programs


def test_an_answer_is_what_a_program_wrote_whatever_its_exit_status() -> None:
    script = "import sys; print('said'); print('noise', file=sys.stderr); sys.exit(3)"

    assert execute.ask([sys.executable, "-S", "-c", script], 20) == "said\n"


def test_a_program_that_gives_no_answer_is_killed_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"sh took longer than 0.3 s"):
        execute.ask(["sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/pid; wait"], 0.3)

    wait_until(lambda: gone(int((tmp_path / "pid").read_text())))


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        execute.ask(["no-such-program"], 1)


def test_a_call_answers_with_the_exit_code_or_the_signal() -> None:
    assert execute.call([sys.executable, "-S", "-c", "raise SystemExit(3)"], ROOT) == 3
    assert execute.call([sys.executable, "-S", "-c", "import os; os.kill(os.getpid(), 15)"], ROOT) == 143


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

    done = execute.run(job(tmp_path / "a", ["hello"], ["sleep", 0.2], ["done"]), [patient], clock=patient)
    hung = execute.run(job(tmp_path / "b", ["hello"], ["sleep"]), [impatient], clock=impatient)

    assert done.status == "done"
    assert hung == Outcome("timed_out", "the trainer wrote no event for 3600 s", signal=signal.SIGTERM)


def test_a_machine_without_room_for_a_process_is_a_failed_run(tmp_path: Path) -> None:
    def no_room(*_: Any) -> execute.Child:
        raise OSError(11, "Resource temporarily unavailable")

    outcome = execute.run(job(tmp_path), limits=SHORT, spawner=no_room)

    assert outcome.status == "failed"
    assert "Resource temporarily unavailable" in outcome.reason
    assert fold_file(tmp_path / "seed-003" / "events.jsonl").status == "failed"
