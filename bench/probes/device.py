"""The device that trains, chosen among the GPUs that NVML shows."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import EnvironmentProblem, UsageError
from bench.probes import gpu
from bench.system.env_snapshot import hashed

if TYPE_CHECKING:
    pass


_UNKNOWN_PARENT = "the driver does not tell which GPU this slice (MIG) is part of"


@dataclass(frozen=True)
class Device:
    """Where to train.

    ``kind`` is ``cpu`` or ``gpu``, ``asked`` what the trainer is given, ``key`` what identifies it in files that are
    published, ``name`` what a person calls it; ``why_no_gpu`` is a clause, where nobody asked for the CPU, and so is
    ``unwatched``, where it is a GPU that NVML does not show or tell. ``lost`` has a clause for each GPU of this machine
    that does not answer, and ``index`` is that of the one that trains; both are for the terminal.
    """

    kind: str
    asked: str
    key: str
    name: str
    why_no_gpu: str = ""
    unwatched: str = ""
    index: int | None = None
    lost: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """Return what the person is told of the choice, a line each: why no GPU trains, and which one is lost."""
        taken = "" if self.index is None else f" GPU {self.index} ({self.asked}) is used."
        lost = [f"{'; '.join(self.lost)}.{taken} Restart the machine to get a lost GPU back."] if self.lost else []
        return (*([f"No GPU here: {self.why_no_gpu}."] if self.why_no_gpu else []), *lost)


CPU = Device("cpu", "cpu", "cpu", "cpu")


def device(
    asked: str | None,
    look: Callable[[], gpu.GpuInventory] = gpu.discover,
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Device:
    """The device that ``asked`` (auto, cpu, gpu, an index or a UUID) means here; ``cpu`` does not even look for a GPU.

    A container may have a GPU and no NVML: ``gpu`` then is whichever the trainer finds, and nobody watches it. ``root``
    is where /dev is. Raises UsageError for a word that is none of these, EnvironmentProblem where there is no such GPU.
    """
    asked = asked or "auto"
    if asked == "cpu":
        return CPU
    if asked not in ("auto", "gpu") and not asked.isdecimal() and not asked.startswith(("GPU-", "MIG-")):
        close = difflib.get_close_matches(asked.lower(), ("auto", "cpu", "gpu"), n=1, cutoff=0.3)
        meant = f"; did you mean DEVICE={close[0]}?" if close else "."
        raise UsageError(f"DEVICE={asked!r} is none of auto, cpu, gpu, a GPU's index or its UUID{meant}")
    sight = look()
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    chosen = gpu.choose(sight, asked, visible)
    lost = tuple(each.sentence() for each in sight.lost)
    if chosen is None:
        why = sight.why_none or f"{gpu.hidden_by(visible)} hides it (type `unset CUDA_VISIBLE_DEVICES` to use it)"
        if asked == "auto":
            return replace(CPU, why_no_gpu=why, lost=lost)
        if asked == "gpu" and not sight.gpus and any(root.glob("dev/nvidia[0-9]*")):
            return Device("gpu", "gpu", "gpu", "gpu", unwatched=why)
        raise EnvironmentProblem(f"DEVICE={asked} asks for a GPU and there is none: {why}; DEVICE=cpu uses the CPU.")
    # A slice of a GPU has a name that only CUDA understands, so it is passed on as it came.
    wanted = (gpu.first_visible(visible or "") or "") if asked in ("auto", "gpu") else asked
    uuid = wanted if wanted.startswith("MIG-") else chosen.uuid
    unwatched = _UNKNOWN_PARENT if chosen.index is None else ""
    return Device("gpu", uuid, f"{chosen.name} {hashed(uuid)}", chosen.name, "", unwatched, chosen.index, lost)
