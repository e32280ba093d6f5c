"""The part of the fingerprint that is about the GPU: the ``gpu.*`` keys of ``bench.record.fingerprint_keys``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from bench.errors import EnvironmentProblem
from bench.probes import gpu
from bench.system import env_snapshot


def gpu_facts(
    device: str,
    environ: Mapping[str, str],
    look: Callable[[], gpu.GpuInventory] = gpu.discover,
    read: Callable[[str], gpu.CardFacts] = gpu.facts,
) -> dict[str, Any]:
    """Return the facts of the GPU that a run on ``device`` gets, every value None where it gets none; never raises."""
    chosen, inventory, why_none = None, None, None
    try:
        inventory = look()
        why_none = inventory.why_none
        chosen = gpu.choose(inventory, device, environ.get("CUDA_VISIBLE_DEVICES"))
    except EnvironmentProblem as problem:
        if inventory is None:
            why_none = f"the driver does not work ({type(problem).__name__})"
        # Else the requested GPU is not there, or lost, and its run stops for that.
    fixed = _fixed(chosen, read)
    not_given = {**chosen.not_given, **fixed.not_given} if chosen else {}
    capability = chosen.compute_capability if chosen else None
    return {
        "gpu.count": None if inventory is None else len(inventory.gpus),
        "gpu.lost": None if inventory is None else len(inventory.lost),
        "gpu.why_none": why_none,
        "gpu.name": chosen.name if chosen else None,
        "gpu.uuid_hash": env_snapshot.hashed(chosen.uuid) if chosen else None,
        "gpu.memory_bytes": chosen.memory_bytes if chosen else None,
        "gpu.compute_capability": f"{capability[0]}.{capability[1]}" if capability else None,
        "gpu.driver_version": chosen.driver_version if chosen else None,
        "gpu.cuda_driver_version": chosen.cuda_driver_version if chosen else None,
        **{f"gpu.{name}": value for name, value in asdict(fixed).items()},
        "gpu.not_given": [f"{name}: {why}" for name, why in not_given.items()] if chosen else None,
    }


def _fixed(chosen: gpu.Gpu | None, read: Callable[[str], gpu.CardFacts]) -> gpu.CardFacts:
    if chosen is None:
        return gpu.CardFacts()
    try:
        return read(chosen.uuid)
    except gpu.GpuProblem as problem:  # gone since the look, or a slice that the driver does not open
        return gpu.CardFacts(not_given={"every fact": problem.why})
