"""What is said of runs that did not end well, and of what could not be read of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench import errors
from bench.campaign.campaign import ENDED_WELL, Ending, Run
from bench.launch.conditions import WarmUp
from bench.rules.machine import NOT_EVERYWHERE
from bench.rules.rule import was_contained
from bench.rules.telemetry import facts_not_given, unanswered

if TYPE_CHECKING:
    from bench.record import Record
    from bench.record.telemetry import Telemetry


def _discarded(record: Record) -> str:
    """How a warm-up run went, in one line."""
    if record.status not in ENDED_WELL:
        return f"warm-up  {record.status.replace('_', ' ')}: {record.reason}"
    lasted = "" if record.life_ns is None else f" after {record.life_ns / 1e9:.1f} s"
    return f"warm-up  over{lasted}, discarded"


def missing(telemetry: Telemetry, fingerprint: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """What of the machine was to be read for a run and could not, in a sentence each."""
    told = []
    if telemetry.gpu_lost:
        told.append(f"The GPU was lost while it was sampled, and the run went on: {telemetry.gpu_lost.rstrip('.')}.")
    if facts := facts_not_given(fingerprint):
        told.append(f"Facts of the GPU that its driver did not give, and no rule judges: {', '.join(facts)}.")
    silent = [f"{name} ({why})" for name, why in unanswered(telemetry.gpu.get("calls", {})).items()]
    if silent:
        empty = "what these would tell stays empty, and `make doctor` says what helps, if anything"
        told.append(f"The GPU's driver does not give {', '.join(silent)}; {empty}.")
    rare = [name for name in telemetry.host_absent if name.startswith(NOT_EVERYWHERE)]
    hidden = [name for name in telemetry.host_absent if name not in rare]
    if rare:
        told.append(f"This machine does not show {', '.join(rare)}, as many do not; these stay empty.")
    if hidden:
        inside = was_contained(fingerprint)
        mend = "start the container with /proc and /sys mounted as usual" if inside else "mount /proc and /sys as usual"
        told.append(f"This machine does not show {', '.join(hidden)}; these stay empty: {mend}.")
    return told


@contextmanager
def finished(finish: Callable[[], None]) -> Iterator[None]:
    """Call ``finish`` however the ``with`` ends, save by a second Ctrl-C, which waits for nothing any more."""
    try:
        yield
    except Exception:
        finish()
        raise
    finish()


def raise_for_outcome(ending: Ending[Run], kept: str, name: Callable[[Any], str]) -> tuple[int, str]:
    """Tell why runs did not end well: the exit code and sentence of an interruption; raises what else it was.

    ``kept`` says what remains and what the same command does now; ``name`` how a run is called
    that is no warm-up.
    """
    if ending.exit_code == 130:
        return ending.exit_code, f"Stopped. {kept}"
    failed = [
        f"{run if isinstance(run, WarmUp) else name(run)}: {each.reason.rstrip('.')}"
        for run, each in ending.outcomes.items()
        if each.status not in ENDED_WELL
    ]
    if ending.exit_code == errors.TrainerFailed.exit_code:
        raise errors.TrainerFailed(f"{'; '.join(failed)}. {kept}")
    kinds: tuple[Any, ...] = (errors.UsageError, errors.DataError, errors.EnvironmentProblem)
    raise next(kind for kind in kinds if kind.exit_code == ending.exit_code)(f"{failed[-1]}.")
