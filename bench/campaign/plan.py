"""Plan a campaign from a command's options, with defaults for a machine with or without a GPU."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.campaign import seeds
from bench.errors import EnvironmentProblem, UsageError
from bench.probes import container, gpu, host
from bench.probes.device import Device
from bench.record.telemetry import NOT_WANTED
from bench.telemetry.gpu_source import GpuSelection

if TYPE_CHECKING:
    from bench.containers.launch_spec import ContainerTarget
    from bench.launch.custom_trainer import Program

SMOKE = "smoke"
#: The default recipe on a GPU: ResNet9, long enough that at least 98 % of runs reach 94 % (`bench choose-epochs`).
FULL = "resnet9"
#: The fastest recipe that is as reliable: a CPU trains it in minutes.
FAST = "speedrun"
SYNTHETIC = "synthetic"
_SMOKE_SEEDS, _FULL_SEEDS = "2", "5"
_ON_THIS_CPU = (
    f"For a CIFAR-10 result on this CPU: make bench RECIPE={FAST} SEEDS=1 DEVICE=cpu "
    "(about 11 minutes on 2 cores with bf16 instructions, longer on others)."
)


@dataclass(frozen=True)
class RunOptions:
    """The options of a command; None for one not given."""

    recipe: str | None = None
    seeds: str | None = None
    data: str | None = None
    input: str | None = None
    precision: str | None = None
    device: str | None = None
    threads: int | None = None
    smoke: bool = False


@dataclass(frozen=True)
class Plan:
    """A campaign to run.

    ``data`` None is the checkout's CIFAR-10; ``notice`` is a line to print first; ``custom`` is a custom trainer;
    ``placed`` is the container of the runs, None for native ones; ``variables`` are added to the trainer's environment.
    ``seeds_named`` says that the seeds were given.
    """

    recipe: str
    seeds: tuple[int, ...]
    data: str | None
    input: str
    precision: str
    device: Device
    threads: int
    notice: str = ""
    custom: Program | None = None
    placed: ContainerTarget | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    seeds_named: bool = False


@dataclass(frozen=True)
class GpuWatch:
    """The GPU to sample, or ``why_none``, a clause for the record.

    ``notice`` is a sentence for the terminal if the requested GPU is not available.
    """

    chosen: GpuSelection | None
    why_none: str = ""
    notice: str = ""


def watched(
    watch: str | None,
    where: Device,
    look: Callable[[], gpu.GpuInventory] = gpu.discover,
    container_kind: Callable[[], str] = container.kind,
) -> GpuWatch:
    """Return the GPU ``watch`` (auto, none, an index or a UUID) while ``where`` trains; auto is the one that trains.

    A missing GPU or a broken driver costs its values, not the run. Raises UsageError for any other word.
    """
    watch = watch or "auto"
    if watch == "none":
        return GpuWatch(None, NOT_WANTED)
    if watch == "auto" and where.unwatched:
        hint = ""
        if where.argument == "gpu" and container_kind() != "none":
            hint = "; start the container with the driver capability `utility` to have it sampled"
        return GpuWatch(None, where.unwatched, f"The GPU trains unwatched: {where.unwatched}{hint}.")
    if watch == "auto":
        trains = where.kind == "gpu"
        return (
            GpuWatch(GpuSelection(where.argument))
            if trains
            else GpuWatch(None, "a CPU trains and no other card was named")
        )
    if not watch.isdecimal() and not watch.startswith(("GPU-", "MIG-")):
        close = difflib.get_close_matches(watch.lower(), ("auto", "none"), n=1, cutoff=0.3)
        meant = f"; did you mean WATCH={close[0]}?" if close else "."
        raise UsageError(f"WATCH={watch!r} is none of auto, none, a GPU's index or its UUID{meant}")
    try:
        sight = look()
        chosen = gpu.choose(sight, watch)
    except gpu.GpuLost as problem:
        return _unwatched(watch, f"that GPU is lost ({problem.why})", "restart the machine, or name another one")
    except gpu.GpuProblem as problem:
        return _unwatched(watch, f"the driver does not work ({type(problem).__name__})", "type `make doctor`")
    except EnvironmentProblem:
        return _unwatched(watch, "WATCH names none of the GPUs here", f"there are {_listed(sight.gpus)}")
    if chosen is None:
        return _unwatched(watch, sight.why_none or "no GPU is visible", "leave WATCH out, or type WATCH=none")
    uuid = watch if watch.startswith("MIG-") else chosen.uuid
    return GpuWatch(GpuSelection(uuid, "trains" if where.kind == "gpu" and uuid == where.argument else "watched"))


def _unwatched(watch: str, why: str, hint: str) -> GpuWatch:
    notice = f"WATCH={watch} cannot be sampled: {why}; {hint}. The runs are made, and their records say so."
    return GpuWatch(None, why, notice)


def _listed(gpus: Sequence[gpu.Gpu]) -> str:
    return ", ".join(f"{each.index} ({each.uuid})" for each in gpus)


def recipe_name(options: RunOptions, where: Device) -> str:
    """Return the requested recipe, or the default for this machine. Raises UsageError for a contradiction."""
    if options.smoke:
        if options.recipe not in (None, SMOKE):
            raise UsageError(
                "the smoke check has a recipe of its own", f"leave RECIPE={options.recipe} out or type make bench"
            )
        return SMOKE
    if options.recipe is not None:
        return options.recipe
    if where.kind == "gpu":
        return FULL
    if options.data not in (None, SYNTHETIC):
        raise UsageError(
            f"without a GPU the smoke check is run, which has no use for DATA={options.data}",
            f"leave DATA out, or add RECIPE={FAST} SEEDS=1 (about 11 minutes on 2 cores with bf16 instructions, "
            "longer on others)",
        )
    return SMOKE


def absolute(recipe: str) -> str:
    """Return the name of a recipe, or its absolute path."""
    place, _, table = recipe.rpartition(":")
    return f"{Path(place).absolute()}:{table}" if place.endswith(".json") else recipe


def complete(options: RunOptions, where: Device, recipe: str, dataset: str) -> Plan:
    """Return the plan for a ``recipe`` made for ``dataset`` (``cifar10`` or ``synthetic``). Raises UsageError."""
    data = None if options.smoke else options.data
    if data is None and dataset == SYNTHETIC:
        data = SYNTHETIC
    return Plan(
        recipe=recipe,
        seeds=seeds.parse(options.seeds or (_SMOKE_SEEDS if recipe == SMOKE else _FULL_SEEDS)),
        data=data,
        input=_given(options.input) or ("device" if where.kind == "gpu" else "host"),
        precision=options.precision or "auto",
        device=where,
        threads=options.threads or usable_cpus(host.read()),
        notice=_notice(where) if data == SYNTHETIC else "",
        seeds_named=options.seeds is not None,
    )


def usable_cpus(machine: host.Host) -> int:
    """Return the number of CPUs this process may use, limited by a container's share of CPU time."""
    share = machine.cgroup_cpu_cores
    return machine.cpu_cores if share is None else max(1, min(machine.cpu_cores, math.ceil(share)))


def _given(word: str | None) -> str | None:
    return None if word == "auto" else word


def _notice(where: Device) -> str:
    checks = "This checks the harness on the synthetic dataset and is not a CIFAR-10 result."
    more = _ON_THIS_CPU if where.kind == "cpu" else "For a CIFAR-10 result: make bench."
    return f"{checks} {more}"
