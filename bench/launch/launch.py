"""One run: start the trainer, read its events, stop it where it must be stopped, and record how it ended.

The only package that starts processes. While a run lasts the harness sleeps in one ``poll`` on three things: the FIFO,
signals (the trainer's end among them) and the next moment something is due; what that cost is in the run's last line.

No process of a trainer outlives its run. The trainer leads a session, and so a process group, of its own: Ctrl-C in a
terminal reaches the harness alone, and one signal reaches whatever the trainer has started and has not moved away. What
has, a daemon, is given to the harness when its parent ends (``bench.launch.orphans``), is ended after the run and
reported.

Should the harness itself be killed, the kernel kills the trainer (PR_SET_PDEATHSIG), and the trainer alone: what it has
started goes on until it ends by itself. A closed FIFO alone would not do: a trainer learns of it at its next event,
which may be an hour away or, where it hangs, never.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from bench import protocol
from bench.errors import one_line
from bench.launch.child_processes import Process
from bench.launch.event_log import EventLog
from bench.launch.fifo import Fifo
from bench.launch.monitor import Limits, Observer, TrainerMonitor
from bench.launch.null_sampler import NullSampler
from bench.launch.orphans import Orphans
from bench.launch.process import Child, Exit, Spawner, Started, spawn
from bench.launch.verifier import EventVerifier
from bench.record import EVENTS_FILE
from bench.record.expected_run import ExpectedRun
from bench.system import files as disk
from bench.system import redaction
from bench.system.files import wrap_disk_errors
from bench.system.identity import Identity
from bench.system.signals import SignalPipe
from bench.telemetry.schedule import Clock

__all__ = [
    "LOG_FILE",
    "Child",
    "Exit",
    "Outcome",
    "RunSpec",
    "Sampler",
    "Spawner",
    "Started",
    "launch",
    "spawn",
]

LOG_FILE = "trainer.log"
#: Codes of an outcome beside those of the verifier and of the monitor, and those that a trainer gives its errors.
NOT_STARTED, TRAINER_ERROR, CONTAINER_ERROR = "not-started", "trainer-error", "container-error"
KILLED, NO_DONE, BAD_EXIT = "killed", "no-done", "exit-code"
#: The code of a trainer's error that says that the device is missing, or that TensorFlow cannot use it.
NO_GPU = "no-gpu"


@dataclass(frozen=True)
class RunSpec:
    """A run to be made: the command, its folder, and what is expected of it.

    ``shown`` is ``argv`` as records show it, without host paths; ``env`` is the trainer's whole environment save the
    ``BENCH_`` variables of the protocol, which are added here; ``folder`` does not exist yet. ``circumstances`` say
    how the run came about (``bench.record.Record``); where ``previous_exit_ns`` is given, when the run before ended,
    the ``idle_seconds`` between it and this one's start are added. What is written down of the trainer's words does
    not tell the ``identity``; ``trainer.log`` is its own. ``seen_folder`` is where the trainer sees ``folder``, where
    that is another path, as in a container.
    """

    argv: Sequence[str]
    shown: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    folder: Path
    expected: ExpectedRun
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    previous_exit_ns: int | None = None
    identity: Identity = field(default_factory=Identity.of_this_process)
    seen_folder: PurePosixPath | None = None


class Sampler(Observer, Protocol):
    """An observer that reads the machine and leaves what it read in the run's folder and among its events.

    Its calls may take a moment, and may raise EnvironmentProblem where the disk is full.
    """

    def prepare(self, folder: Path, write: Callable[[Mapping[str, Any]], None]) -> None:
        """Before the run's first stamp; ``write`` adds a line of our own to ``events.jsonl``, now or later."""

    def began(self, pid: int, is_client: bool = False) -> None:
        """The trainer's process, the leader of its group, has this number; ``is_client`` says that this is only what
        started it, and that the trainer is to be found by its ``BENCH_EVENTS``.
        """

    def account(self) -> tuple[float | None, int | None]:
        """CPU seconds and peak memory in bytes, as last read, of a trainer that is no child of ours."""

    def ended(self) -> None:
        """The process is over and not reaped yet: what the kernel counted for it can still be read.

        Always called, also where the run came to nothing, and perhaps more than once.
        """


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``status`` is done, failed, timed_out, interrupted or cut_short; ``reason`` is one sentence and ``code`` names its
    kind (that of a violation, a stop, the trainer's error, or a constant of this module); both are empty after success.
    ``left_running`` are processes that the trainer had started, still there a second after its end
    (``Limits.orphan_seconds``), and killed.
    """

    status: str
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    left_running: tuple[Process, ...] = ()
    code: str = ""


def launch(
    job: RunSpec,
    observers: Sequence[Observer] = (),
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    clock: Clock = time.monotonic_ns,
    spawner: Spawner = spawn,
    sampler: Sampler | None = None,
) -> Outcome:
    """Make one run and return how it ended.

    ``job.folder`` then holds ``events.jsonl``, ``trainer.log`` and what the trainer left. For the main thread alone.
    Raises EnvironmentProblem, with no process left, where the folder cannot be written or the disk is full.
    """
    with wrap_disk_errors(job.folder):
        disk.make_folder(job.folder)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_log_file(job.folder))
        fifo = stack.enter_context(contextlib.closing(Fifo(job.folder)))
        event_log = stack.enter_context(contextlib.closing(EventLog(job.folder / EVENTS_FILE, job.identity)))
        signals = stack.enter_context(SignalPipe(attended=True))
        seen_fifo = fifo.path if job.seen_folder is None else job.seen_folder / fifo.path.name
        orphans = stack.enter_context(Orphans(Path(seen_fifo)))
        sampler = sampler or NullSampler()
        # Before the clock starts: opening a driver takes its time, which is not the trainer's.
        stack.callback(sampler.ended)
        sampler.prepare(job.folder, lambda line: event_log.write(line, clock()))
        before = resource.getrusage(resource.RUSAGE_SELF)
        spawned_ns = clock()
        event_log.write(_start_line(job, spawned_ns), spawned_ns)
        env = {
            **job.env,
            "PYTHONUNBUFFERED": "1",
            protocol.EVENTS_VARIABLE: str(seen_fifo),
            protocol.SEED_VARIABLE: str(job.expected.seed),
            protocol.TARGET_VARIABLE: str(job.expected.target_percent),
            protocol.STARTED_VARIABLE: str(spawned_ns),
        }
        left: tuple[Process, ...] = ()
        in_container = job.seen_folder is not None
        try:
            child = spawner(job.argv, env, job.cwd, log)
        except OSError as error:
            sampler.ended()
            end, exited_ns, events = Exit(), clock(), 0
            outcome = Outcome("failed", f"cannot start {job.argv[0]} ({error.strerror})", code=NOT_STARTED)
        else:
            try:
                sampler.began(child.pid, child.is_client)
                everybody = (*observers, sampler)
                monitor = TrainerMonitor(
                    child, fifo, signals, event_log, EventVerifier(job.expected, job.folder), everybody, limits, clock
                )
                exited_ns = monitor.wait_until_exit()
                sampler.ended()
                monitor.wait_for_orphans(orphans.running)
            finally:
                end, left = _collect(child, sampler, orphans)
            if child.is_client:
                cpu_seconds, peak_memory_bytes = sampler.account()
                end = replace(end, cpu_seconds=cpu_seconds, peak_memory_bytes=peak_memory_bytes)
            monitor.drain_events()
            outcome, events = replace(_outcome(monitor, end, job.folder / LOG_FILE), left_running=left), monitor.events
        shown = replace(
            outcome,
            reason=redaction.redact(outcome.reason, job.identity),
            code=redaction.redact(outcome.code, job.identity),
        )
        counts = {
            "events": events,
            "dropped_warnings": event_log.dropped_warnings,
            # What a container leaves running ends with it, uncounted.
            "leftover_processes": len(left) if orphans.adopted and not in_container else None,
        }
        event_log.write({**_end_line(shown, end, exited_ns, before), **counts}, clock())
    return outcome


def _collect(child: Child, sampler: Sampler, orphans: Orphans) -> tuple[Exit, tuple[Process, ...]]:
    """End what is left of a trainer, once the sampler has read what the kernel counted for it, and tell what it was."""
    try:
        sampler.ended()
    finally:
        # Those in its group are killed with it, so they are noted before. A trainer that still runs has left nothing.
        left = orphans.running() if child.ended() else ()
        end = child.collect()
        left = tuple({each.pid: each for each in (*orphans.end(), *left)}.values())
    return end, left


def _log_file(folder: Path) -> IO[bytes]:
    with wrap_disk_errors(folder):
        return open(folder / LOG_FILE, "xb", opener=disk.creating)


def _outcome(monitor: TrainerMonitor, end: Exit, log: Path) -> Outcome:
    stopped, false_claim = monitor.stopped, monitor.false_claim
    if stopped is not None:
        return Outcome(stopped.status, stopped.reason, end.exit_code, end.signal, code=stopped.code)
    if end.exit_code != 0 or not monitor.done:
        reason, code = _reason(monitor, end, log)
        return Outcome("failed", reason, end.exit_code, end.signal, code=code)
    if false_claim is not None:
        return Outcome("failed", false_claim.message, end.exit_code, end.signal, code=false_claim.code)
    return Outcome("done", "", end.exit_code, end.signal)


def _reason(monitor: TrainerMonitor, end: Exit, log: Path) -> tuple[str, str]:
    """Why a trainer ended by itself, in its own words where it left any, and the code of that."""
    error = monitor.error
    if error is not None:
        message = "; ".join(filter(None, map(one_line, (error.message, error.hint, end.reason))))
        return message, one_line(error.code or TRAINER_ERROR)
    if end.reason:
        return one_line(end.reason), CONTAINER_ERROR
    code = KILLED if end.signal is not None else NO_DONE if end.exit_code == 0 else BAD_EXIT
    if end.signal is not None:
        how = f"was ended by {signal.Signals(end.signal).name}"
        how += " (memory may have run out)" if end.signal == signal.SIGKILL else ""
    else:
        how = f"ended with exit code {end.exit_code}"
        how += ", but never said done" if end.exit_code == 0 else ""
    when = "before its first epoch was over" if monitor.epoch is None else f"after epoch {monitor.epoch:g}"
    words = _last_words(log)
    left = f"the last line of {log.name} is: {words}" if words else f"it left no word in {log.name}"
    return f"the trainer {how} {when}; {left}", code


def _last_words(log: Path) -> str:
    """The last line of a log that is not empty, shortened; a Python program that crashed says there why."""
    lines = disk.end_of(log, 4096).decode("utf-8", "replace").split("\n")
    printable = ["".join(c for c in line if c.isprintable()).strip() for line in lines]
    return next(filter(None, reversed(printable)), "")[:200]


def _start_line(job: RunSpec, spawned_ns: int) -> dict[str, Any]:
    labels = job.expected.test_labels
    before_ns = job.previous_exit_ns
    idle = {} if before_ns is None else {"idle_seconds": (spawned_ns - before_ns) / 1e9}
    return {
        "v": protocol.VERSION,
        "event": "harness_start",
        "seed": job.expected.seed,
        "argv": list(job.shown),
        "spawned_ns": spawned_ns,
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": dict(job.fingerprint),
        "circumstances": {**job.circumstances, **idle},
        "target_percent": job.expected.target_percent,
        "test_images": None if labels is None else len(labels),
    }


def _end_line(outcome: Outcome, end: Exit, exited_ns: int, before: resource.struct_rusage) -> dict[str, Any]:
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "event": "harness_end",
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "status": outcome.status,
        "reason": outcome.reason,
        **({"reason_code": outcome.code} if outcome.code else {}),
        "exited_ns": exited_ns,
        "trainer_cpu_seconds": end.cpu_seconds,
        "peak_memory_bytes": end.peak_memory_bytes,
        "harness_cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "harness_voluntary_switches": after.ru_nvcsw - before.ru_nvcsw,
        "harness_involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
    }
