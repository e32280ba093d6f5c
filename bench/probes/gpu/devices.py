"""Which GPUs there are, in CUDA's order, and which of them do not answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.probes.gpu.driver_thread import in_driver_thread
from bench.probes.gpu.nvml import Absent, Facts, GpuProblem, NoPermission, needed, session, text

#: No card has a pebibyte.
_MOST_BYTES = 1 << 50
#: Stands for the name that the driver does not give.
NO_NAME = "NVIDIA GPU"
#: The older name of a slice: its GPU's UUID, and its two numbers on it (NVIDIA MIG user guide, before driver 470).
_OLDER_SLICE = re.compile(r"MIG-(GPU-[^/]+)/\d+/\d+")


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver describes it; None is a value that the card or the driver does not give.

    ``index`` counts in PCI bus order (None for a slice of which nobody knows the GPU), ``memory_bytes`` is all of the
    board's, ``cuda_driver_version`` the newest CUDA that the driver serves, as ``12.4``, and ``compute_capability``
    (major, minor). ``not_given`` says of these values, by name, why the driver gave none where it should
    (``nvml.Facts``).
    """

    index: int | None
    uuid: str
    name: str
    memory_bytes: int | None
    driver_version: str | None
    cuda_driver_version: str | None
    compute_capability: tuple[int, int] | None
    not_given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LostGpu:
    """One GPU that the driver counts and that does not answer; it keeps its ``index``. ``uuid`` is None if unknown.

    ``why`` is a clause without an address or a UUID.
    """

    index: int
    uuid: str | None
    why: str

    def sentence(self) -> str:
        """Return what happened, for the terminal."""
        return f"GPU {self.index}{f' ({self.uuid})' if self.uuid else ''} is lost: {self.why}"


@dataclass(frozen=True)
class GpuInventory:
    """The GPUs seen, and where there are none, ``why_none`` in one clause. ``lost`` are those that do not answer."""

    gpus: tuple[Gpu, ...]
    why_none: str | None = None
    lost: tuple[LostGpu, ...] = ()


@in_driver_thread("looking for GPUs")
def discover() -> GpuInventory:
    """Every GPU the driver shows, in PCI bus order, or why there is none.

    Raises DriverMismatch, NoPermission, GpuLost or GpuProblem where a driver is there and does not answer as it should,
    or none of its GPUs does: one that does not answer beside others that do is among the lost ones.
    Any module ``pynvml`` is accepted here, so that a wrong one prevents sampling and not training.
    """
    try:
        with session() as nvml:
            return _inventory(nvml)
    except Absent as absence:
        return GpuInventory((), str(absence))


def parent_of(slice_uuid: str) -> str | None:
    """The UUID of the GPU that a slice (MIG) belongs to, None where the driver does not say."""
    try:
        with session() as nvml:
            doing = "finding the GPU of a slice"
            part = needed(nvml, doing, nvml.nvmlDeviceGetHandleByUUID, slice_uuid)
            whole = needed(nvml, doing, nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, part)
            return text(needed(nvml, doing, nvml.nvmlDeviceGetUUID, whole))
    except (Absent, GpuProblem, AttributeError):  # a binding or a driver without MIG
        return None


def parent_in_name(slice_uuid: str) -> str | None:
    """Return the UUID of the GPU that the older name of a slice (MIG) has in it, None for a newer name."""
    older = _OLDER_SLICE.fullmatch(slice_uuid)
    return older[1] if older else None


def describe(nvml: Any, handle: Any, index: int, uuid: str) -> Gpu:
    """The card behind ``handle``. Raises GpuLost where it is gone."""
    system, card = Facts(nvml), Facts(nvml, handle)
    driver_version = system.read("driver_version", "nvmlSystemGetDriverVersion")
    cuda = system.read("cuda_driver_version", "nvmlSystemGetCudaDriverVersion")
    name = card.read("name", "nvmlDeviceGetName")
    memory = card.read("memory_bytes", "nvmlDeviceGetMemoryInfo")
    capability = card.read("compute_capability", "nvmlDeviceGetCudaComputeCapability")
    return Gpu(
        index=index,
        uuid=uuid,
        name=NO_NAME if name is None else text(name),
        memory_bytes=None if memory is None else card.possible("memory_bytes", memory.total, _MOST_BYTES),
        driver_version=None if driver_version is None else text(driver_version),
        cuda_driver_version=None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        compute_capability=None if capability is None else (int(capability[0]), int(capability[1])),
        not_given={**system.not_given, **card.not_given},
    )


def find(nvml: Any, uuid: str) -> tuple[Any, Gpu]:
    """The handle and the description of the card with this UUID, which may be a slice's.

    Of a slice that the driver does not open its GPU is taken, where that is in its name or the only one.
    Raises Absent or GpuProblem where there is none or it does not answer; what other cards do does not matter. The
    message, which records keep, is without the UUID.
    """
    slots = _slots(nvml)
    for index, slot in enumerate(slots):
        if slot.uuid == uuid:
            return slot.handle, describe(nvml, slot.handle, index, uuid)
    if uuid.startswith("MIG-"):
        return _find_slice(nvml, slots, uuid)
    for slot in slots:
        if slot.problem is not None:
            raise slot.problem  # it may be this one
    raise GpuProblem("No GPU can be read: the NVIDIA driver shows none with the UUID that the run uses.")


def _find_slice(nvml: Any, slots: Sequence[_Slot], uuid: str) -> tuple[Any, Gpu]:
    try:
        part = needed(nvml, "opening a slice of a GPU", nvml.nvmlDeviceGetHandleByUUID, uuid)
    except (Absent, GpuProblem):
        parent = parent_in_name(uuid)
        for index, slot in enumerate(slots):
            if slot.uuid is not None and (slot.uuid == parent or len(slots) == 1):
                return slot.handle, describe(nvml, slot.handle, index, slot.uuid)
        raise
    return part, describe(nvml, part, 0, uuid)


@dataclass(frozen=True)
class _Slot:
    """One GPU that the driver counts; ``problem`` is why it cannot be opened or identified, None where it can."""

    bus: str | None = None
    handle: Any = None
    uuid: str | None = None
    problem: Absent | GpuProblem | None = None


def _slots(nvml: Any) -> list[_Slot]:
    """The GPUs this process may use, in PCI bus order, as CUDA counts them with CUDA_DEVICE_ORDER=PCI_BUS_ID.

    The order of the library is not documented; it is used for a GPU without a bus address, such as a lost one. A lost
    one keeps its place: CUDA still counts it (meta-llama/llama-models#200).
    Raises NoPermission where all are refused.
    """
    found: list[_Slot] = []
    refusal: NoPermission | None = None
    for number in range(needed(nvml, "counting GPUs", nvml.nvmlDeviceGetCount)):
        try:
            found.append(_slot(nvml, number))
        except NoPermission as error:
            refusal = error  # the count includes GPUs that this container was not given (nvmlDeviceGetCount_v2)
    if refusal is not None and not found:
        raise refusal
    # The bus id, 00000000:3B:00.0 in hexadecimal of fixed width, sorts as its numbers do.
    placed = sorted((slot for slot in found if slot.bus), key=lambda slot: slot.bus or "")
    for place, slot in enumerate(found):
        if not slot.bus:
            placed.insert(place, slot)
    return placed


def _slot(nvml: Any, number: int) -> _Slot:
    """The GPU of this number of the library's. Raises NoPermission where it was not given to this process."""
    slot = _Slot()
    try:
        slot = replace(slot, handle=needed(nvml, f"opening GPU {number}", nvml.nvmlDeviceGetHandleByIndex, number))
        pci = Facts(nvml, slot.handle).read("pci", "nvmlDeviceGetPciInfo")
        slot = replace(slot, bus=None if pci is None else text(pci.busId).upper())
        uuid = needed(nvml, f"identifying GPU {number}", nvml.nvmlDeviceGetUUID, slot.handle)
        return replace(slot, uuid=text(uuid))
    except NoPermission:
        raise
    except (Absent, GpuProblem) as problem:
        return replace(slot, problem=problem)


def _inventory(nvml: Any) -> GpuInventory:
    gpus: list[Gpu] = []
    lost: list[LostGpu] = []
    first: Absent | GpuProblem | None = None
    for index, slot in enumerate(_slots(nvml)):
        try:
            if slot.uuid is None:
                raise slot.problem or AssertionError
            gpus.append(describe(nvml, slot.handle, index, slot.uuid))
        except (Absent, GpuProblem) as problem:
            first = first or problem
            lost.append(LostGpu(index, slot.uuid, problem.why if isinstance(problem, GpuProblem) else str(problem)))
    if first is not None and not gpus:
        raise first
    return GpuInventory(tuple(gpus), None if gpus else "the NVIDIA driver shows no GPU", tuple(lost))
