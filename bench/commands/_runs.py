"""One run of a campaign, from its plan to its record, and what is said where runs did not end well.

Shared by the commands that run a campaign and that run an ablation, so that both run alike.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import errors, execute, progress, trainers
from bench.campaign import Campaign, Configuration, Ending, Run
from bench.commands import _results
from bench.journal import disk_trouble_told
from bench.probes import machine
from bench.referee import Asked
from bench.signals import SignalPipe
from bench.watch import Limits

if TYPE_CHECKING:
    from bench.commands._dataset import Data
    from bench.plan import Plan
    from resnet9.recipe import Recipe


def configuration(todo: Plan, recipe: Recipe, data: Data) -> Configuration:
    """What every run of a plan shares."""
    return Configuration(
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        dataset=data.name,
        dataset_sha256=data.sha256,
        dataset_state=data.state,
        input=todo.input,
        precision=todo.precision,
        device=todo.device.key,
        trainer="resnet9",
        target_percent=recipe.target_percent,
        threads=todo.threads,
    )


class Runner:
    """Makes runs one after the other, each shown on the terminal; ``total`` is how many there will be."""

    def __init__(self, total: int, timeout: int | None, wishes: SignalPipe) -> None:
        self.display = progress.of(sys.stdout, total)
        self._limits = Limits() if timeout is None else Limits(start_seconds=timeout, silence_seconds=timeout)
        self._wishes = wishes

    def make(self, campaign: Campaign, todo: Plan, data: Data, seed: int, title: str = "") -> execute.Outcome:
        """Make the run of ``seed``, write its record and the campaign's tables; a ``title`` is said before.

        A wish to stop that came between two runs is an interruption.
        """
        if self._wishes.take():
            return execute.Outcome("interrupted", "stopped between two runs")
        job = _job(campaign, todo, data, seed)
        if title:
            self.display.say(title)
        self.display.begin(seed, time.monotonic_ns())
        outcome = execute.run(job, [self.display], self._limits)
        record = _results.write_record(job.folder)
        self.display.end(time.monotonic_ns(), _results.line(record))
        _results.write_tables(campaign.folder)
        return outcome


@contextmanager
def runner(total: int, timeout: int | None) -> Iterator[Runner]:
    """A Runner. Within a run a wish to stop ends the run; between two it waits until what the last one gave is
    written.
    """
    with SignalPipe() as wishes:
        yield Runner(total, timeout, wishes)


def _job(campaign: Campaign, todo: Plan, data: Data, seed: int) -> execute.Job:
    shared = campaign.configuration
    request = trainers.Request(
        todo.recipe, data.where, todo.input, todo.precision, todo.device.asked, seed, todo.threads
    )
    command = trainers.command(shared.trainer, request, os.environ)
    return execute.Job(
        argv=command.argv,
        shown=command.shown,
        env=command.env,
        cwd=command.cwd,
        folder=campaign.make_room(seed),
        asked=Asked(
            seed=seed,
            target_percent=shared.target_percent,
            recipe_sha256=shared.recipe_sha256,
            dataset_sha256=shared.dataset_sha256,
            device_kind=todo.device.kind,
            input=todo.input,
            precision="" if todo.precision == "auto" else todo.precision,
            test_labels=data.test_labels,
        ),
        fingerprint=machine.fingerprint(trainers.ROOT, execute.ask, device=todo.device.asked),
    )


def make_folder(folder: Path) -> None:
    """Make the folder of what is to be run. Raises EnvironmentProblem where the disk does not take it."""
    with disk_trouble_told(folder):
        folder.mkdir(parents=True, exist_ok=True)


def place(folder: Path) -> str:
    """A folder as the person at this terminal can type it."""
    absolute, here = folder.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))


def why(ending: Ending[Run], kept: str, name: Callable[[Run], str]) -> tuple[int, str]:
    """Tell why runs did not end well: the exit code and sentence of an interruption; raises what else it was.

    ``kept`` says what remains and what the same command does now; ``name`` how a run is called.
    """
    if ending.exit_code == 130:
        return ending.exit_code, f"Stopped. {kept}"
    failed = [f"{name(run)}: {each.reason.rstrip('.')}" for run, each in ending.outcomes.items() if each.reason]
    if ending.exit_code == errors.TrainerFailed.exit_code:
        raise errors.TrainerFailed(f"{'; '.join(failed)}. {kept}")
    kinds: tuple[Any, ...] = (errors.UsageError, errors.DataError, errors.EnvironmentProblem)
    raise next(kind for kind in kinds if kind.exit_code == ending.exit_code)(f"{failed[-1]}.")
