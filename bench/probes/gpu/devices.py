"""Which GPUs there are, and which of them a run gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import EnvironmentProblem
from bench.probes.gpu.nvml import Absent, GpuProblem, NoPermission, needed, session, text, value


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver describes it; None is a value that the card or the driver does not give.

    ``index`` counts in PCI bus order, ``memory_bytes`` is all of the board's, ``cuda_driver_version`` the newest CUDA
    that the driver serves, as ``12.4``, and ``compute_capability`` (major, minor).
    """

    index: int
    uuid: str
    name: str
    memory_bytes: int | None
    driver_version: str | None
    cuda_driver_version: str | None
    compute_capability: tuple[int, int] | None


@dataclass(frozen=True)
class Sight:
    """The GPUs seen, and where there are none, ``why_none`` in one clause."""

    gpus: tuple[Gpu, ...]
    why_none: str | None = None


def look() -> Sight:
    """Every GPU the driver shows, in PCI bus order, or why there is none.

    Raises DriverMismatch, NoPermission, GpuLost or GpuProblem where a driver is there and does not answer as it should.
    Any module ``pynvml`` will do for this, so that a wrong one costs the samples of a card and not the training on it.
    """
    try:
        with session() as nvml:
            gpus = _devices(nvml)
    except Absent as absence:
        return Sight((), str(absence))
    return Sight(gpus) if gpus else Sight((), "the NVIDIA driver shows no GPU")


def visible() -> tuple[Gpu, ...]:
    """The GPUs of ``look``, without the reason; raises what it raises."""
    return look().gpus


def choose(gpus: Sequence[Gpu], device: str = "auto", cuda_visible_devices: str | None = None) -> Gpu | None:
    """The one of ``gpus`` that a run on ``device`` (``auto``, ``gpu``, ``cpu``, a UUID) gets, None where it gets none.

    ``cuda_visible_devices`` is the variable's value, None where it is not set. NVML ignores it; CUDA takes its first
    entry (an index in PCI bus order, which our trainer asks for, or the beginning of a UUID); anything else, such as
    -1, hides every GPU. Raises EnvironmentProblem for an index or a UUID that no GPU has.
    """
    if device == "cpu" or not gpus:
        return None
    wanted = device
    if device in ("auto", "gpu"):
        if cuda_visible_devices is None:
            return gpus[0]
        wanted = cuda_visible_devices.split(",")[0].strip()
        if not wanted.isdecimal() and not wanted.startswith(("GPU-", "MIG-")):
            return None
    if wanted.startswith("MIG-") and len(gpus) == 1:
        return gpus[0]  # a slice of it
    matches = [gpu for gpu in gpus if str(gpu.index) == wanted or gpu.uuid.startswith(wanted)]
    if len(matches) != 1:
        known = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus)
        raise EnvironmentProblem(f"No one GPU here is {wanted!r}: choose of {known}, or type DEVICE=cpu.")
    return matches[0]


def describe(nvml: Any, handle: Any, index: int) -> Gpu:
    """The card behind ``handle``. Raises GpuProblem where it does not answer."""
    driver_version = value(nvml, "nvmlSystemGetDriverVersion")
    cuda = value(nvml, "nvmlSystemGetCudaDriverVersion")
    memory = value(nvml, "nvmlDeviceGetMemoryInfo", handle)
    capability = value(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return Gpu(
        index=index,
        uuid=text(needed(nvml, f"identifying GPU {index}", nvml.nvmlDeviceGetUUID, handle)),
        name=text(needed(nvml, f"naming GPU {index}", nvml.nvmlDeviceGetName, handle)),
        memory_bytes=None if memory is None else int(memory.total),
        driver_version=None if driver_version is None else text(driver_version),
        cuda_driver_version=None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        compute_capability=None if capability is None else (int(capability[0]), int(capability[1])),
    )


def find(nvml: Any, uuid: str) -> tuple[Any, Gpu]:
    """The handle and the description of the card with this UUID, which may be a slice's.

    Raises GpuProblem where there is none or it does not answer. Its message does not tell the UUID: records keep it.
    """
    for index, handle in enumerate(handles(nvml)):
        if text(needed(nvml, f"identifying GPU {index}", nvml.nvmlDeviceGetUUID, handle)) == uuid:
            return handle, describe(nvml, handle, index)
    if uuid.startswith("MIG-"):
        part = needed(nvml, "opening a slice of a GPU", nvml.nvmlDeviceGetHandleByUUID, uuid)
        return part, describe(nvml, part, 0)
    raise GpuProblem("No GPU can be read: the NVIDIA driver shows none with the UUID that the run uses.")


def handles(nvml: Any) -> tuple[Any, ...]:
    """The GPUs this process may use, in PCI bus order, which is how CUDA counts them when asked to.

    The library counts in an order of its own that no document promises. Raises NoPermission where all are refused.
    """
    found: list[tuple[str, int, Any]] = []
    refusal: NoPermission | None = None
    for index in range(needed(nvml, "counting GPUs", nvml.nvmlDeviceGetCount)):
        try:
            handle = needed(nvml, f"opening GPU {index}", nvml.nvmlDeviceGetHandleByIndex, index)
        except NoPermission as error:
            refusal = error  # the count includes GPUs that this container was not given (nvmlDeviceGetCount_v2)
            continue
        pci = value(nvml, "nvmlDeviceGetPciInfo", handle)
        # The bus id, 00000000:3B:00.0 in hexadecimal of fixed width, sorts as its numbers do.
        found.append(("" if pci is None else text(pci.busId).upper(), index, handle))
    if refusal is not None and not found:
        raise refusal
    return tuple(handle for _, _, handle in sorted(found, key=lambda each: each[:2]))


def _devices(nvml: Any) -> tuple[Gpu, ...]:
    return tuple(describe(nvml, handle, index) for index, handle in enumerate(handles(nvml)))
