"""A campaign of a custom trainer: its identity in place of a recipe, and its plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.campaign import plan
from bench.errors import UsageError
from bench.launch import custom_trainer

if TYPE_CHECKING:
    from bench.campaign.plan import Plan, RunOptions
    from bench.probes.device import Device

TARGET_PERCENT = 94.0
#: Input and precision of a custom trainer's configuration; each run's record has them as reported by the trainer.
CHOOSES = "own"
_CIFAR10 = "cifar10"


@dataclass(frozen=True)
class CustomTrainer:
    """A custom trainer; ``sha256`` is of the command and its files."""

    name: str
    sha256: str
    target_percent: float


def planned(typed: str, options: RunOptions, where: Device, target_percent: float | None) -> tuple[CustomTrainer, Plan]:
    """Return the trainer of the command ``typed``, named by RECIPE or by its program, and the plan of its campaign.

    Raises UsageError for a command that names no program, and for options of the built-in trainer.
    """
    if options.smoke:
        raise UsageError(
            "the smoke check trains a recipe of its own", "type `make check-trainer` for a check of TRAINER"
        )
    for name, value in (("INPUT", options.input), ("PRECISION", options.precision)):
        if value not in (None, "auto"):
            raise UsageError(f"a custom trainer decides on {name} itself", f"leave {name} out")
    program = custom_trainer.read(typed, Path.cwd(), os.environ.get("PATH"))
    trainer = CustomTrainer(options.recipe or program.name, program.sha256, target_percent or TARGET_PERCENT)
    todo = plan.complete(replace(options, input=None, precision=None), where, trainer.name, _CIFAR10)
    notice = "The synthetic dataset checks a trainer; a result on it is not a CIFAR-10 result." if todo.notice else ""
    return trainer, replace(todo, input=CHOOSES, precision=CHOOSES, custom=program, notice=notice)


def no_trainer(command: str, environ: Mapping[str, str]) -> None:
    """Raise UsageError if the environment names a trainer, which ``bench command`` does not start."""
    given = [name for name in ("TRAINER", "TARGET") if environ.get(name)]
    if given:
        raise UsageError(
            f"`bench {command}` trains recipes, and {' and '.join(given)} of your environment would have no effect",
            f"type `unset {' '.join(given)}` first",
        )


def no_target(target_percent: float | None) -> None:
    """Raise UsageError for a target without a custom trainer: a recipe has its own."""
    if target_percent is not None:
        raise UsageError("TARGET is for TRAINER, and a recipe has its own target", "leave TARGET out")
