"""Runs of the scripted trainer: what is asked of one, what it left, and an observer that listens."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import protocol
from bench.launch.launch import RunSpec
from bench.launch.monitor import Limits
from bench.record.expected_run import ExpectedRun

TRAINER = Path(__file__).with_name("scripted_trainer.py")
ROOT = TRAINER.parents[2]
LABELS = bytes(20)
#: No honest step of a scripted trainer takes this long, and a test that waits for a limit should not wait longer.
SHORT = Limits(start_seconds=20, silence_seconds=20, exit_seconds=20, grace_seconds=10, orphan_seconds=20)
#: What a trainer leaves behind for good is not waited for.
IMPATIENT = replace(SHORT, orphan_seconds=0)


def job(folder: Path, *steps: list[Any], **asked: Any) -> RunSpec:
    """A run of the scripted trainer that takes these steps; ``asked`` is what differs from seed 3 at 94 %."""
    return RunSpec(
        # -I -S: half the start-up time, and proof that the protocol needs nothing installed.
        argv=[sys.executable, "-I", "-S", str(TRAINER), json.dumps(steps)],
        shown=["python", "scripted_trainer.py"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        folder=folder / "seed-003",
        expected=ExpectedRun(**{"seed": 3, "target_percent": 94.0, "test_labels": LABELS, **asked}),
        fingerprint={"os": "any"},
    )


def events(work: RunSpec) -> list[dict[str, Any]]:
    """Every line of the run's events, decoded."""
    return [json.loads(line) for line in (work.folder / "events.jsonl").read_text().splitlines()]


def of_kind(work: RunSpec, kind: str) -> list[dict[str, Any]]:
    """The run's events of one kind."""
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
