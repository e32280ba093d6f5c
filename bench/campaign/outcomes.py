"""Messages on failed runs, and on values of the machine that could not be read."""

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
    if record.status not in ENDED_WELL:
        return f"warm-up  {record.status.replace('_', ' ')}: {record.reason}"
    lasted = "" if record.life_ns is None else f" after {record.life_ns / 1e9:.1f} s"
    return f"warm-up  over{lasted}, discarded"


def missing(telemetry: Telemetry, fingerprint: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """Return a sentence for each kind of value that a run could not read."""
    lines = []
    if telemetry.gpu_lost:
        lines.append(f"The GPU was lost while it was sampled, and the run went on: {telemetry.gpu_lost.rstrip('.')}.")
    if facts := facts_not_given(fingerprint):
        lines.append(f"Facts of the GPU that its driver did not give, and no rule judges: {', '.join(facts)}.")
    silent = [f"{name} ({why})" for name, why in unanswered(telemetry.gpu.get("calls", {})).items()]
    if silent:
        empty = "these values stay empty; type `make doctor` for advice"
        lines.append(f"The GPU's driver does not give {', '.join(silent)}; {empty}.")
    rare = [name for name in telemetry.host_absent if name.startswith(NOT_EVERYWHERE)]
    hidden = [name for name in telemetry.host_absent if name not in rare]
    if rare:
        lines.append(f"This machine does not show {', '.join(rare)}, as many do not; these stay empty.")
    if hidden:
        inside = was_contained(fingerprint)
        fix = "start the container with /proc and /sys mounted as usual" if inside else "mount /proc and /sys as usual"
        lines.append(f"This machine does not show {', '.join(hidden)}; these stay empty: {fix}.")
    return lines


@contextmanager
def finished(finish: Callable[[], None]) -> Iterator[None]:
    """Call ``finish`` after the ``with``, also on an error, but not on a second Ctrl-C."""
    try:
        yield
    except Exception:
        finish()
        raise
    finish()


def raise_for_outcome(ending: Ending[Run], kept: str, name: Callable[[Any], str]) -> tuple[int, str]:
    """Return the exit code and message of an interruption; raise the error of any other bad end.

    ``kept`` is the sentence on what remains; ``name`` names a run other than a warm-up.
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
