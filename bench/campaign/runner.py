"""One run of a campaign, from its plan to its record.

Shared by the commands that run a campaign and that run an ablation, so that both run alike.
"""

from __future__ import annotations

import os
import secrets
import select
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench import rules
from bench.campaign import progress, records
from bench.campaign.campaign import ENDED_WELL, Campaign
from bench.campaign.outcomes import _discarded, missing
from bench.containers import engine, launch_spec
from bench.containers import process as container_process
from bench.launch import kernel_cache, launch, trainer_command
from bench.launch.conditions import WarmUp, warm_up_limits, warm_up_seed
from bench.launch.monitor import Limits
from bench.probes import git, machine
from bench.record import Configuration, RunConditions
from bench.record.expected_run import ExpectedRun
from bench.report import run_line
from bench.system import subprocesses
from bench.system.paths import CHECKOUT
from bench.system.signals import SignalPipe
from bench.telemetry.sampler import Samplers

if TYPE_CHECKING:
    from bench.campaign.custom_campaign import CustomTrainer
    from bench.campaign.dataset import Data
    from bench.campaign.plan import GpuWatch, Plan
    from bench.record import Record
    from resnet9.recipe import Recipe


#: From TERM to SIGKILL in a container: with its removal, all ends within five seconds.
_GRACE_SECONDS = 3.0
#: Longer rests are announced.
_LONG_REST_NS = 1_000_000_000


def configuration_of(todo: Plan, recipe: Recipe | CustomTrainer, data: Data) -> Configuration:
    """Return what every run of a plan shares."""
    return Configuration(
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        dataset=data.name,
        dataset_sha256=data.sha256,
        dataset_state=data.state,
        input=todo.input,
        precision=todo.precision,
        device=todo.device.key,
        trainer="resnet9" if todo.custom is None else shlex.join(todo.custom.shown),
        target_percent=recipe.target_percent,
        threads=todo.threads,
        image="" if todo.placed is None else todo.placed.identity,
    )


class Runner:
    """Make runs one after the other, each shown on the terminal; ``total`` is the number that count."""

    def __init__(
        self,
        total: int,
        limits: Limits,
        signals: SignalPipe,
        protocol: RunConditions,
        samplers: Samplers,
        session: Mapping[str, Any],
    ) -> None:
        self.display = progress.of(sys.stdout, total)
        self._limits, self._signals, self._protocol, self._samplers = limits, signals, protocol, samplers
        self._session = dict(session)
        self._printed: set[str] = set()
        self._warmed_up = False
        self._exited_ns: int | None = None

    def make(self, campaign: Campaign, todo: Plan, data: Data, run: int | WarmUp, title: str = "") -> launch.Outcome:
        """Make the run of a seed, or a warm-up run, and write its record; print a ``title`` before.

        A stop request between two runs is an interruption.
        """
        warming_up = isinstance(run, WarmUp)
        if not self._rested():
            return launch.Outcome("interrupted", "stopped between two runs")
        if title:
            self.display.say(title)
        environ = trainer_command.environment({**os.environ, **todo.variables})
        with kernel_cache.prepared(campaign.protocol.kernel_cache, environ) as env:
            job, spawner = self._job(campaign, todo, data, run, env)
            if self._signals.take():  # The signal arrived during the fingerprint.
                return launch.Outcome("interrupted", "stopped between two runs")
            self.display.begin(None if warming_up else job.expected.seed, time.monotonic_ns())
            limits = warm_up_limits(self._limits) if warming_up else self._limits
            if todo.placed is not None:
                # A container that has not started yet ignores TERM.
                limits = replace(limits, grace_seconds=_GRACE_SECONDS)
            sampler = self._samplers.make(off=not campaign.protocol.telemetry)
            outcome = launch.launch(job, [self.display], limits, spawner=spawner, sampler=sampler)
            outcome = _explained(outcome, todo)
        record = records.write_record(job.folder)
        self._exited_ns = record.exited_ns
        self.display.end(time.monotonic_ns(), _discarded(record) if warming_up else run_line.line(record))
        self._print_missing(record)
        if warming_up:
            self._warmed_up = self._warmed_up or outcome.status in ENDED_WELL
        return outcome

    def _print_missing(self, record: Record) -> None:
        """Print once which values could not be read; the reasons are in every record."""
        for sentence in missing(record.telemetry, record.fingerprint):
            if sentence not in self._printed:
                self._printed.add(sentence)
                self.display.say(sentence)

    def _rested(self) -> bool:
        """Wait for the end of the rest between runs; return False on a stop request."""
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        until_ns = 0 if self._exited_ns is None else self._exited_ns + round(self._protocol.idle_seconds * 1e9)
        if until_ns - time.monotonic_ns() > _LONG_REST_NS:
            self.display.say(f"resting until {self._protocol.idle_seconds:g} s after the run before")
        while not self._signals.take():
            left_ns = until_ns - time.monotonic_ns()
            if left_ns <= 0:
                return True
            poller.poll(left_ns / 1e6)
        return False

    def _job(
        self, campaign: Campaign, todo: Plan, data: Data, run: int | WarmUp, env: Mapping[str, str]
    ) -> tuple[launch.RunSpec, launch.Spawner]:
        shared = campaign.configuration
        warming_up = isinstance(run, WarmUp)
        seed = warm_up_seed(campaign.seeds) if isinstance(run, WarmUp) else run
        custom = todo.custom is not None
        folder = campaign.make_room_to_warm_up() if warming_up else campaign.make_room(seed)
        start = _start(todo, data, seed, env, folder)
        job = launch.RunSpec(
            argv=start.command.argv,
            shown=start.command.shown,
            env=start.command.env,
            cwd=start.command.cwd,
            folder=folder,
            expected=ExpectedRun(
                seed=seed,
                target_percent=shared.target_percent,
                # A custom trainer reports its recipe, input and precision itself.
                recipe_sha256="" if custom else shared.recipe_sha256,
                dataset_sha256=shared.dataset_sha256,
                dataset_state=shared.dataset_state,
                device_kind=todo.device.kind,
                input="" if custom else todo.input,
                precision="" if custom or todo.precision == "auto" else todo.precision,
                test_labels=data.test_labels,
            ),
            fingerprint=_fingerprint(todo, start),
            circumstances={
                "rules": rules.RULES,
                "warm_up": self._warmed_up,
                "idle_seconds_asked": self._protocol.idle_seconds,
                "kernel_cache": campaign.protocol.kernel_cache,
                **self._session,
            },
            previous_exit_ns=self._exited_ns,
            seen_folder=start.seen_folder,
        )
        return job, start.spawner


def _explained(outcome: launch.Outcome, todo: Plan) -> launch.Outcome:
    """Return the outcome with the advice for a container if the trainer found no GPU in it."""
    if todo.placed is None or outcome.code != launch.NO_GPU:
        return outcome
    program = Path(todo.placed.engine.program).name
    how = "--device nvidia.com/gpu=all" if todo.placed.engine.is_podman else "--gpus all"
    look = f"`{program} run --rm {how} {todo.placed.choice.image.locator} nvidia-smi`"
    fix = engine.MAKE_CDI if todo.placed.engine.is_podman else engine.CONFIGURE_DOCKER
    reason = f"{outcome.reason.rstrip('.')}; this is inside the container: see what {look} shows, and type {fix}"
    return replace(outcome, reason=reason)


@dataclass(frozen=True)
class _Start:
    """How a run is started, natively or in a container; ``environ`` is the trainer's environment."""

    command: trainer_command.Command
    environ: Mapping[str, str]
    spawner: launch.Spawner = launch.spawn
    seen_folder: PurePosixPath | None = None
    flags: tuple[str, ...] = ()


def _start(todo: Plan, data: Data, seed: int, env: Mapping[str, str], folder: Path) -> _Start:
    if todo.custom is not None:
        assert data.flat is not None
        tests = len(data.test_labels)
        given = trainer_command.TrainerContext(
            data.where, data.state, data.flat, tests, todo.device.argument, todo.threads
        )
        command = trainer_command.own_command(todo.custom, given, env)
        return _Start(command, command.env)
    request = trainer_command.Request(
        todo.recipe, data.where, todo.input, todo.precision, todo.device.argument, seed, todo.threads
    )
    if todo.placed is None:
        command = trainer_command.command("resnet9", request, env)
        return _Start(command, command.env)
    start = launch_spec.start(todo.placed, request, folder, env, secrets.token_hex(6))
    spawner = container_process.spawner(todo.placed.engine, start.name)
    return _Start(start.command, start.environ, spawner, start.seen_folder, start.flags)


def _fingerprint(todo: Plan, start: _Start) -> dict[str, Any]:
    # The probes use the trainer's variables.
    image = os.environ.get(machine.IMAGE_VARIABLE) if todo.placed is None else todo.placed.identity
    found = machine.fingerprint(
        CHECKOUT, subprocesses.run_captured, device=todo.device.argument, image=image, environ=start.environ
    )
    if todo.custom is not None:
        return _of_custom_trainer(found, todo.custom.cwd)
    if trainer_command.python() != sys.executable:
        return _without_our_environment(found)  # of an image that holds both, each with packages of its own
    if todo.placed is not None:
        return {**_without_our_environment(found), **machine.redacted(launch_spec.facts(todo.placed, start.flags))}
    return found


def _of_custom_trainer(found: Mapping[str, Any], cwd: Path) -> dict[str, Any]:
    """Return a custom trainer's fingerprint: without the harness's packages, with its folder's commit."""
    code = git.look(cwd, subprocesses.run_captured)
    return {
        **_without_our_environment(found),
        "trainer.commit": code.commit,
        "trainer.dirty": code.dirty,
        "trainer.git_problem": code.problem,
    }


def _without_our_environment(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in found.items() if not name.startswith("package.")}
    return {**kept, **dict.fromkeys(name for name in kept if name.startswith(("lock.", "python.")))}


@contextmanager
def open_runner(
    total: int,
    timeout: int | None,
    protocol: RunConditions,
    watched: GpuWatch,
    enough_epochs: int | None = None,
    session: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Runner]:
    """Yield a Runner that samples the GPU ``watched`` and ends each run after ``enough_epochs``.

    A stop request ends the current run; between two runs it waits until the last one is written. ``session`` is added
    to the circumstances of every run.
    """
    limits = Limits(enough_epochs=enough_epochs)
    if timeout is not None:
        limits = replace(limits, start_seconds=timeout, silence_seconds=timeout)
    with SignalPipe() as signals, Samplers(watched.chosen, watched.why_none) as samplers:
        made = Runner(total, limits, signals, protocol, samplers, session)
        if watched.notice and protocol.telemetry:
            made.display.say(watched.notice)
        yield made
