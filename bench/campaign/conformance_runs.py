"""The runs of `check-trainer`, each through ``bench.launch.launch`` like those of a campaign."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.campaign import dataset, dataset_export, plan
from bench.containers.selection import device as choose_device
from bench.errors import TrainerFailed, UsageError
from bench.launch import custom_trainer, launch, trainer_command
from bench.launch.custom_trainer import Program
from bench.launch.monitor import Limits
from bench.launch.null_sampler import NullSampler
from bench.probes import host
from bench.record import EVENTS_FILE, build_record_from
from bench.record.expected_run import ExpectedRun
from bench.rules.conformance import Start, Starts
from bench.system import locks, signals, tempdirs
from bench.system.files import wrap_disk_errors
from resnet9.data.dataset import SYNTHETIC

if TYPE_CHECKING:
    from bench.campaign.plan import RunOptions


@dataclass(frozen=True)
class ConformanceRunner:
    """Start one program several times, each time in its own folder below ``folder``.

    ``expected`` is common to all starts; ``say`` is called with each step.
    """

    program: Program
    given: trainer_command.TrainerContext
    expected: ExpectedRun
    limits: Limits
    folder: Path
    say: Callable[[str], None]

    def all(self, quick: bool) -> Starts:
        """Make a whole run; unless ``quick`` another with the next seed and a target it reaches; one that is stopped.

        Raises TrainerFailed if the program cannot be started, KeyboardInterrupt.
        """
        seed, target_percent = self.expected.seed, self.expected.target_percent
        self.say(f"run with seed {seed} and target {target_percent:g} %")
        runs = [self.start(self.expected)]
        best = max((each.accuracy_percent for each in runs[0].record.epochs if each.view == "plain"), default=None)
        if not quick and runs[0].done and best is not None:
            # Half of the accuracy reached, so that the next run crosses its target.
            second = replace(self.expected, seed=seed + 1, target_percent=max(0.5, round(best) / 2))
            self.say(f"run with seed {second.seed} and target {second.target_percent:g} %")
            runs.append(self.start(second))
        if not runs[0].record.hellos:
            return Starts(tuple(runs))
        self.say("start that is stopped after its hello")
        return Starts(tuple(runs), self.start(replace(self.expected, seed=seed + 2), stop=True))

    def start(self, expected: ExpectedRun, stop: bool = False) -> Start:
        """Make one start, whole or stopped after its hello."""
        command = trainer_command.own_command(self.program, self.given, os.environ)
        folder = self.folder / (f"stopped-{expected.seed:03d}" if stop else f"seed-{expected.seed:03d}")
        job = launch.RunSpec(command.argv, command.shown, command.env, command.cwd, folder, expected)
        clock = NullSampler()
        limits = replace(self.limits, enough_epochs=0) if stop else self.limits
        outcome = launch.launch(job, limits=limits, sampler=clock)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
        if outcome.code == launch.NOT_STARTED:
            raise TrainerFailed(outcome.reason, "give a program that this machine can run", code=outcome.code)
        begun, ended = clock.hello_ns, clock.ended_ns
        return Start(
            expected=expected,
            record=build_record_from(folder / EVENTS_FILE),
            events=_own_events(folder / EVENTS_FILE),
            left_running=tuple(f"{each.name} (process {each.pid})" for each in outcome.left_running),
            seconds_to_end=(ended - begun) / 1e9 if stop and begun is not None and ended is not None else None,
        )


def starts(
    typed: str, wanted: RunOptions, expected: ExpectedRun, timeout: int | None, keep: Path | None, quick: bool
) -> Starts:
    """Start the program of the command ``typed`` as ``ConformanceRunner.all`` does, on the data and device ``wanted``.

    The runs' files stay in the new folder ``keep``, if given. Raises UsageError if it exists.
    """
    program = custom_trainer.read(typed, Path.cwd(), os.environ.get("PATH"))
    where = choose_device(wanted.device, err=True)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(where.key), f"the device {where.name}"),
        _folder(keep) as folder,
    ):
        data = dataset.load(wanted.data or SYNTHETIC)
        shared = replace(
            expected,
            dataset_sha256=data.sha256,
            dataset_state=data.state,
            device_kind=where.kind,
            test_labels=data.test_labels,
        )
        with dataset_export.file_of(data) as flat:
            threads = wanted.threads or plan.usable_cpus(host.read())
            return ConformanceRunner(
                program=program,
                given=trainer_command.TrainerContext(
                    data.where, data.state, flat, len(data.test_labels), where.argument, threads
                ),
                expected=shared,
                limits=Limits() if timeout is None else Limits(start_seconds=timeout, silence_seconds=timeout),
                folder=folder,
                say=lambda what: print(f"{program.name}: {what} ...", file=sys.stderr, flush=True),
            ).all(quick)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempdirs.folder() as folder:
            yield folder
        return
    if keep.exists():
        raise UsageError(f"{keep} is there already", "name a new folder with --keep")
    with wrap_disk_errors(keep):
        keep.mkdir(parents=True)
    yield keep


def _own_events(path: Path) -> tuple[dict[str, Any], ...]:
    events = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return tuple(event for event in events if not str(event.get("event")).startswith("harness_"))
