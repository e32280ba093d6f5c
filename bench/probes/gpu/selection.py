"""Which of the GPUs a run gets: by DEVICE, else by CUDA_VISIBLE_DEVICES as CUDA reads it, else the first that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from bench.errors import EnvironmentProblem
from bench.probes.gpu.devices import NO_NAME, Gpu, GpuInventory, LostGpu, parent_in_name, parent_of
from bench.probes.gpu.nvml import GpuLost

#: How the names of a GPU and of a slice of one (MIG) begin.
_KINDS = ("GPU-", "MIG-")


def first_visible(cuda_visible_devices: str) -> str | None:
    """Return what CUDA takes first by this value of the variable: an index, or the beginning of a UUID; None for none.

    A list is of UUIDs of one kind or of numbers. A number is what its word begins with (``01`` is 1, ``0-1`` is 0), a
    word without one ends the list, and an entry given twice empties it (pytorch#92315, tested with driver 525).
    """
    words = [word.strip() for word in cuda_visible_devices.split(",")]
    kind = words[0][:4]
    entries = map(_number, words) if kind not in _KINDS else (each if each[:4] == kind else None for each in words)
    listed = list(takewhile(lambda entry: entry is not None, entries))
    return listed[0] if listed and len(set(listed)) == len(listed) else None


def hidden_by(cuda_visible_devices: str | None) -> str | None:
    """Return the variable with its value, as a shell takes them, where CUDA then shows no GPU at all; else None."""
    if cuda_visible_devices is None or first_visible(cuda_visible_devices) is not None:
        return None
    return f"CUDA_VISIBLE_DEVICES={shlex.quote(cuda_visible_devices)}"


def choose(
    inventory: GpuInventory,
    device: str = "auto",
    cuda_visible_devices: str | None = None,
    parent_of: Callable[[str], str | None] = parent_of,
) -> Gpu | None:
    """Return the GPU that a run on ``device`` (``auto``, ``gpu``, ``cpu``, an index, a UUID) gets, None for none.

    ``cuda_visible_devices`` is the variable's value, None where it is not set; NVML ignores it. A slice (MIG) stands
    for its GPU, by ``parent_of`` or by its older name; where neither is known, the result has the slice's UUID, no
    index, and what all GPUs here have in common. Raises EnvironmentProblem for another word, GpuLost for a lost one.
    """
    if device == "cpu" or not inventory.gpus:
        return None
    wanted: str | None = device
    if device in ("auto", "gpu"):
        if cuda_visible_devices is None:
            return inventory.gpus[0]
        wanted = first_visible(cuda_visible_devices)
    if wanted is None:
        return None
    if wanted.startswith("MIG-"):
        return _of_slice(inventory, wanted, parent_of)
    found = _only(inventory, lambda each: str(each.index) == _number(wanted) or _begins(each.uuid, wanted))
    if isinstance(found, Gpu):
        return found
    known = ", ".join(f"{each.index} ({each.uuid})" for each in inventory.gpus)
    # A lost one without a known UUID may be the one that is wanted.
    lost = found or next((each for each in inventory.lost if each.uuid is None and wanted.startswith("GPU-")), None)
    if lost is not None:
        raise GpuLost(f"{lost.sentence()}; restart the machine, choose of {known}, or type DEVICE=cpu.", lost.why)
    named = f"{wanted!r}" if wanted == device else f"{wanted!r}, which CUDA_VISIBLE_DEVICES names"
    raise EnvironmentProblem(f"No one GPU here is {named}", f"choose of {known}, or type DEVICE=cpu")


def _of_slice(inventory: GpuInventory, wanted: str, parent_of: Callable[[str], str | None]) -> Gpu:
    if len(inventory.gpus) == 1 and not inventory.lost:
        return inventory.gpus[0]
    parent = parent_of(wanted) or parent_in_name(wanted)
    found = _only(inventory, lambda each: each.uuid is not None and each.uuid == parent)
    if isinstance(found, LostGpu):
        raise GpuLost(f"{found.sentence()}, and {wanted!r} is a slice of it; restart the machine, or type DEVICE=cpu.")
    return found or Gpu(
        None,
        wanted,
        _common(inventory, "name") or NO_NAME,
        _common(inventory, "memory_bytes"),
        _common(inventory, "driver_version"),
        _common(inventory, "cuda_driver_version"),
        _common(inventory, "compute_capability"),
    )


def _only(inventory: GpuInventory, is_it: Callable[[Gpu | LostGpu], bool]) -> Gpu | LostGpu | None:
    every: tuple[Gpu | LostGpu, ...] = (*inventory.gpus, *inventory.lost)
    found = [each for each in every if is_it(each)]
    return found[0] if len(found) == 1 else None


def _common(inventory: GpuInventory, name: str) -> Any:
    values = {getattr(each, name) for each in inventory.gpus}
    return values.pop() if len(values) == 1 else None


def _begins(uuid: str | None, wanted: str) -> bool:
    return uuid is not None and wanted.startswith("GPU-") and uuid.startswith(wanted)


def _number(word: str) -> str | None:
    """The number that a word begins with, as C's strtol reads it, without leading zeros; None for none or below 0."""
    found = re.match(r"([+-]?)0*(\d+)", word, re.ASCII)
    if found is None or (found[1] == "-" and found[2] != "0"):
        return None
    return found[2]
