"""The runs that `check-trainer` makes of a program, each through ``bench.launch.launch`` like those of a campaign."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import TrainerFailed
from bench.launch import launch, trainer_command
from bench.launch.custom_trainer import Program
from bench.launch.monitor import Limits
from bench.launch.null_sampler import NullSampler
from bench.record import EVENTS_FILE, build_record_from
from bench.record.expected_run import ExpectedRun
from bench.rules.conformance import Start, Starts


class Interrupted(Exception):
    """The person wants no more starts."""


@dataclass(frozen=True)
class ConformanceRunner:
    """Starts one program again and again, each time in a folder of its own below ``folder``.

    ``asked`` is what every start has in common; ``told`` hears what is being done.
    """

    program: Program
    given: trainer_command.TrainerContext
    asked: ExpectedRun
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

    def start(self, asked: ExpectedRun, stop: bool = False) -> Start:
        """One start, whole or told to ``stop`` after its greeting."""
        command = trainer_command.own_command(self.program, self.given, os.environ)
        folder = self.folder / (f"stopped-{asked.seed:03d}" if stop else f"seed-{asked.seed:03d}")
        job = launch.RunSpec(command.argv, command.shown, command.env, command.cwd, folder, asked)
        edges = NullSampler()
        limits = replace(self.limits, enough_epochs=0) if stop else self.limits
        outcome = launch.launch(job, limits=limits, sampler=edges)
        if outcome.status == "interrupted":
            raise Interrupted
        if outcome.reason.startswith("cannot start"):
            raise TrainerFailed(f"{outcome.reason}: {command.argv[0]} is no program that this machine can run.")
        begun, ended = edges.hello_ns, edges.ended_ns
        return Start(
            asked=asked,
            record=build_record_from(folder / EVENTS_FILE),
            events=_own_events(folder / EVENTS_FILE),
            left_running=tuple(f"{each.name} (process {each.pid})" for each in outcome.left_running),
            seconds_to_end=(ended - begun) / 1e9 if stop and begun is not None and ended is not None else None,
        )


def _own_events(path: Path) -> tuple[dict[str, Any], ...]:
    """The events that the program wrote itself, in order."""
    events = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return tuple(event for event in events if not str(event.get("event")).startswith("harness_"))
