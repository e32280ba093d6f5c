"""The device that trains, chosen among the GPUs that NVML shows."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import EnvironmentProblem, UsageError
from bench.probes import gpu
from bench.system.env_snapshot import hashed

_UNKNOWN_PARENT = "the driver does not say which GPU this slice (MIG) is part of"


@dataclass(frozen=True)
class Device:
    """Where to train.

    ``kind`` is ``cpu`` or ``gpu``, ``argument`` the trainer's argument, ``key`` its identity in published files,
    ``name`` the one to show. ``why_no_gpu`` is a clause for a CPU that was not requested, ``unwatched`` one for a GPU
    that NVML does not show. ``lost`` has a clause for each GPU of this machine that does not answer, and ``index`` is
    that of the one that trains; both are for the terminal.
    """

    kind: str
    argument: str
    key: str
    name: str
    why_no_gpu: str = ""
    unwatched: str = ""
    index: int | None = None
    lost: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """Return lines for the terminal: why no GPU trains, and which one is lost."""
        taken = "" if self.index is None else f" GPU {self.index} ({self.argument}) is used."
        lost = [f"{'; '.join(self.lost)}.{taken} Restart the machine to get a lost GPU back."] if self.lost else []
        return (*([f"No GPU here: {self.why_no_gpu}."] if self.why_no_gpu else []), *lost)


CPU = Device("cpu", "cpu", "cpu", "cpu")


def device(
    requested: str | None,
    look: Callable[[], gpu.GpuInventory] = gpu.discover,
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Device:
    """Return the ``requested`` device (auto, cpu, gpu, an index or a UUID); ``cpu`` does not look for GPUs.

    A container may have a GPU and no NVML: ``gpu`` then is whichever the trainer finds, and it is not sampled. ``root``
    is where /dev is. Raises UsageError for another word, EnvironmentProblem where there is no such GPU.
    """
    requested = requested or "auto"
    if requested == "cpu":
        return CPU
    if requested not in ("auto", "gpu") and not requested.isdecimal() and not requested.startswith(("GPU-", "MIG-")):
        close = difflib.get_close_matches(requested.lower(), ("auto", "cpu", "gpu"), n=1, cutoff=0.3)
        meant = f"; did you mean DEVICE={close[0]}?" if close else "."
        raise UsageError(f"DEVICE={requested!r} is none of auto, cpu, gpu, a GPU's index or its UUID{meant}")
    inventory = look()
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    chosen = gpu.choose(inventory, requested, visible)
    lost = tuple(each.sentence() for each in inventory.lost)
    if chosen is None:
        why = inventory.why_none or f"{gpu.hidden_by(visible)} hides it (type `unset CUDA_VISIBLE_DEVICES` to use it)"
        if requested == "auto":
            return replace(CPU, why_no_gpu=why, lost=lost)
        if requested == "gpu" and not inventory.gpus and any(root.glob("dev/nvidia[0-9]*")):
            return Device("gpu", "gpu", "gpu", "gpu", unwatched=why)
        raise EnvironmentProblem(
            f"DEVICE={requested} asks for a GPU and there is none: {why}", "DEVICE=cpu uses the CPU"
        )
    # A slice of a GPU has a name that only CUDA understands, so it is passed on as it came.
    wanted = (gpu.first_visible(visible or "") or "") if requested in ("auto", "gpu") else requested
    uuid = wanted if wanted.startswith("MIG-") else chosen.uuid
    unwatched = _UNKNOWN_PARENT if chosen.index is None else ""
    return Device("gpu", uuid, f"{chosen.name} {hashed(uuid)}", chosen.name, "", unwatched, chosen.index, lost)
