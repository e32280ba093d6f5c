"""The starts that a check of a trainer makes of a program, each through ``bench.execute`` as a campaign's runs are."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import execute, protocol, trainers
from bench.conformance import Start, Starts
from bench.errors import TrainerFailed
from bench.fifo import FIFO_FILE
from bench.probes import leftovers
from bench.programs import Program
from bench.record import EVENTS_FILE, fold_file
from bench.referee import Asked
from bench.watch import Limits

#: How long what a program has started may take to end after it.
_PATIENCE_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.02


class Interrupted(Exception):
    """The person wants no more starts."""


@dataclass
class Aftermath:
    """A sampler that measures nothing: it notes when a start greeted and ended, and what outlives it."""

    greeted_ns: int | None = None
    ended_ns: int | None = None
    left_running: tuple[leftovers.Process, ...] = ()
    _folder: Path = field(default_factory=Path)
    _pid: int = 0

    def prepare(self, folder: Path, write: Callable[[Mapping[str, Any]], None]) -> None:
        """The folder of the run, whose FIFO every process of the run was told of."""
        self._folder = folder.absolute()

    def began(self, pid: int) -> None:
        """The number of the process that is started."""
        self._pid = pid

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Of all events only the greeting matters."""
        if isinstance(event, protocol.Hello) and self.greeted_ns is None:
            self.greeted_ns = received_ns

    def tick(self, now_ns: int) -> int | None:
        """Nothing is ever due."""
        return None

    def ended(self) -> None:
        """Give what the process has started a moment to end, note what does not, and end it."""
        if self.ended_ns is not None:  # It is told once more when all else about the run is closed.
            return
        self.ended_ns = time.monotonic_ns()
        until_ns = self.ended_ns + round(_PATIENCE_SECONDS * 1e9)
        while (left := self._left()) and time.monotonic_ns() < until_ns:
            time.sleep(_LOOK_EVERY_SECONDS)
        self.left_running = left
        for each in left:
            with contextlib.suppress(OSError):
                os.kill(each.pid, signal.SIGKILL)

    def _left(self) -> tuple[leftovers.Process, ...]:
        found = leftovers.carrying(protocol.EVENTS_VARIABLE, str(self._folder / FIFO_FILE))
        return tuple(each for each in found if each.pid != self._pid)


@dataclass(frozen=True)
class Bench:
    """Starts one program again and again, each time in a folder of its own below ``folder``.

    ``asked`` is what every start has in common; ``told`` hears what is being done.
    """

    program: Program
    given: trainers.Given
    asked: Asked
    limits: Limits
    folder: Path
    told: Callable[[str], None]

    def all(self, quick: bool) -> Starts:
        """A whole run; unless ``quick`` another one with the next seed and a target it reaches; one that is stopped.

        Raises TrainerFailed where the program cannot be started at all, Interrupted.
        """
        seed, target_percent = self.asked.seed, self.asked.target_percent
        self.told(f"run with seed {seed} and target {target_percent:g} %")
        runs = [self.start(self.asked)]
        best = max((each.accuracy_percent for each in runs[0].record.epochs if each.view == "plain"), default=None)
        if not quick and runs[0].done and best is not None:
            # Half of what it reaches: so the next run crosses its target, and one that knows 94 only is found out.
            second = replace(self.asked, seed=seed + 1, target_percent=max(0.5, round(best) / 2))
            self.told(f"run with seed {second.seed} and target {second.target_percent:g} %")
            runs.append(self.start(second))
        if not runs[0].record.hellos:
            return Starts(tuple(runs))
        self.told("start that is told to end after its hello")
        return Starts(tuple(runs), self.start(replace(self.asked, seed=seed + 2), stop=True))

    def start(self, asked: Asked, stop: bool = False) -> Start:
        """One start, whole or told to ``stop`` after its greeting."""
        command = trainers.own_command(self.program, self.given, os.environ)
        folder = self.folder / (f"stopped-{asked.seed:03d}" if stop else f"seed-{asked.seed:03d}")
        job = execute.Job(command.argv, command.shown, command.env, command.cwd, folder, asked)
        aftermath = Aftermath()
        limits = replace(self.limits, enough_epochs=0) if stop else self.limits
        outcome = execute.run(job, limits=limits, sampler=aftermath)
        if outcome.status == "interrupted":
            raise Interrupted
        if outcome.reason.startswith("cannot start"):
            raise TrainerFailed(f"{outcome.reason}: {command.argv[0]} is no program that this machine can run.")
        begun, ended = aftermath.greeted_ns, aftermath.ended_ns
        return Start(
            asked=asked,
            record=fold_file(folder / EVENTS_FILE),
            events=_own_events(folder / EVENTS_FILE),
            left_running=tuple(f"{each.name} (process {each.pid})" for each in aftermath.left_running),
            seconds_to_end=(ended - begun) / 1e9 if stop and begun is not None and ended is not None else None,
        )


def _own_events(path: Path) -> tuple[dict[str, Any], ...]:
    """The events that the program wrote itself, in order."""
    events = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return tuple(event for event in events if not str(event.get("event")).startswith("harness_"))
