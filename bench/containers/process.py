"""A trainer in a container as a process that ``bench.launch.launch`` can wait for, signal and collect.

The process started is the engine's client. It passes signals on and ends with the trainer. But if killed it leaves the
container running, its CPU time and memory are not the trainer's, and its exit code may be the engine's. So the
container is always inspected for its exit, and removed.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.containers import engine as engines
from bench.containers.spec import OWNER_LABEL, Engine
from bench.launch import launch
from bench.system import subprocesses
from bench.system.files import end_of

#: The client's own exit codes: engine error, command not executable, command not found (docker run, "Exit status").
_REFUSED, _NOT_RUNNABLE, _NO_COMMAND = 125, 126, 127
_LOG_END_BYTES = 4096


@dataclass(frozen=True)
class _State:
    """How a container ended; ``began`` is False if it was created and never started."""

    began: bool
    running: bool
    exit_code: int
    out_of_memory: bool


class ContainerProcess(launch.Child):
    """The client of one container. ``is_client``: the trainer is another process."""

    is_client = True

    def __init__(self, started: launch.Started, engine: Engine, name: str, log: Path) -> None:
        super().__init__(started)
        self._engine, self._name, self._log = engine, name, log

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the client, which passes it on; SIGKILL goes to the container first."""
        if number == signal.SIGKILL and not self.ended():
            self._ask("kill", self._name)
        super().signal(number)

    def collect(self) -> launch.Exit:
        """End the container, read how it ended, and remove it."""
        end = super().collect()
        state = self._state()
        removed = self._ask("rm", "--force", self._name)
        outcome = launch.Exit(exit_code=end.exit_code, signal=end.signal)
        code = end.exit_code if state is None or not state.began or state.running else state.exit_code
        if state is None or not state.began:
            if end.exit_code in (_REFUSED, _NOT_RUNNABLE, _NO_COMMAND):
                problem = engines.meaning(self._last_words(), Path(self._engine.program).name)
                reason = "; ".join(filter(None, (problem.message.rstrip("."), problem.advice)))
                outcome = launch.Exit(exit_code=problem.exit_code, reason=reason)
        elif code is not None and code - 128 in signal.valid_signals():
            # Inside, the first process reports a signal as a shell does.
            killed = code == 128 + signal.SIGKILL
            reason = "the trainer ran out of memory and was ended" if state.out_of_memory and killed else ""
            outcome = launch.Exit(signal=code - 128, reason=reason)
        elif code is not None:
            outcome = launch.Exit(exit_code=code)
        if removed is None or (removed.exit_code and "no such container" not in removed.err.lower()):
            left = f"its container may still be there: type `{self._engine.program} rm --force {self._name}`"
            outcome = launch.Exit(
                outcome.exit_code, outcome.signal, reason=f"{outcome.reason}; {left}" if outcome.reason else left
            )
        return outcome

    def _state(self) -> _State | None:
        answer = self._ask("container", "inspect", "--format", "{{json .State}}", self._name)
        try:
            state: Mapping[str, Any] = json.loads(answer.out) if answer is not None else {}
            return _State(
                # Docker has `created` for one that never ran, podman `created` or `configured`.
                began=str(state["Status"]).lower() not in ("created", "configured", "initialized"),
                running=bool(state.get("Running")),
                exit_code=int(state["ExitCode"]),
                out_of_memory=bool(state.get("OOMKilled")),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def _ask(self, *words: str) -> subprocesses.CompletedCommand | None:
        try:
            return subprocesses.run_captured([self._engine.program, *words], engines.PATIENCE_SECONDS)
        except (OSError, TimeoutError):
            return None

    def _last_words(self) -> str:
        return end_of(self._log, _LOG_END_BYTES).decode("utf-8", "replace")


def spawner(engine: Engine, name: str) -> launch.Spawner:
    """Return a function that starts the client of the container ``name``, for ``bench.launch.launch.launch``."""

    def start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: IO[bytes]) -> launch.Child:
        return launch.spawn(
            argv, env, cwd, log, lambda started: ContainerProcess(started, engine, name, Path(log.name))
        )

    return start


def sweep(engine: Engine, owner: str) -> tuple[str, ...]:
    """Remove the containers of ``owner`` that a killed harness left behind; return their names.

    The caller holds the lock that ``owner`` is made from, so none of them is another harness's.
    """
    label = f"label={OWNER_LABEL}={owner}"
    try:
        answer = subprocesses.run_captured(
            [engine.program, "ps", "--all", "--filter", label, "--format", "{{.Names}}"], engines.PATIENCE_SECONDS
        )
        names = tuple(answer.out.split()) if not answer.exit_code else ()
        if names:
            subprocesses.run_captured([engine.program, "rm", "--force", *names], engines.PATIENCE_SECONDS)
    except (OSError, TimeoutError):
        return ()
    return names
