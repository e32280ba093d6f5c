"""The NVIDIA GPUs that the driver shows. The only module that knows NVML; later telemetry grows here.

The module ``pynvml`` comes from the package ``nvidia-ml-py`` and loads the host driver's ``libnvidia-ml.so.1``, so what
answers depends on the driver and not on our environment. A driver's code becomes one of three things: an absence with
its reason (no library, no driver, no device), a value that stays None (the card does not give it), or a typed error
(something is wrong that the person can mend). Codes and their causes: NVML API reference, ``nvmlReturn_t``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bench.errors import EnvironmentProblem


class GpuProblem(EnvironmentProblem):
    """The NVIDIA driver is there and does not work."""


class DriverMismatch(GpuProblem):
    """The driver's library and its kernel module are of different versions."""


class NoPermission(GpuProblem):
    """The driver refuses to talk to this user or container."""


class GpuLost(GpuProblem):
    """A GPU that was there no longer answers."""


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


class _Absent(Exception):
    """There is no GPU to speak of; the message says why."""


def look() -> Sight:
    """Every GPU the driver shows, in PCI bus order, or why there is none.

    Raises DriverMismatch, NoPermission, GpuLost or GpuProblem where a driver is there and does not answer as it should.
    """
    try:
        with _session() as nvml:
            gpus = _devices(nvml)
    except _Absent as absence:
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


@contextmanager
def _session() -> Iterator[Any]:
    """The started ``pynvml`` module; shut down afterwards. Raises _Absent without a library or driver."""
    try:
        import pynvml
    except ImportError:
        raise _Absent("the Python package nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise _problem(pynvml, error, "starting NVML") from None
    try:
        yield pynvml
    finally:
        with suppress(pynvml.NVMLError):  # what was read stays true
            pynvml.nvmlShutdown()


def _devices(nvml: Any) -> tuple[Gpu, ...]:
    driver_version = _value(nvml, nvml.nvmlSystemGetDriverVersion)
    cuda = _value(nvml, nvml.nvmlSystemGetCudaDriverVersion)
    gpus = []
    refusal: NoPermission | None = None
    for index in range(_needed(nvml, "counting GPUs", nvml.nvmlDeviceGetCount)):
        try:
            handle = _needed(nvml, f"opening GPU {index}", nvml.nvmlDeviceGetHandleByIndex, index)
        except NoPermission as error:
            refusal = error  # the count includes GPUs that this container was not given (nvmlDeviceGetCount_v2)
            continue
        memory = _value(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
        capability = _value(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
        gpus.append(
            Gpu(
                index=index,
                uuid=_text(_needed(nvml, f"identifying GPU {index}", nvml.nvmlDeviceGetUUID, handle)),
                name=_text(_needed(nvml, f"naming GPU {index}", nvml.nvmlDeviceGetName, handle)),
                memory_bytes=None if memory is None else int(memory.total),
                driver_version=None if driver_version is None else _text(driver_version),
                cuda_driver_version=None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
                compute_capability=None if capability is None else (int(capability[0]), int(capability[1])),
            )
        )
    if refusal is not None and not gpus:
        raise refusal
    return tuple(gpus)


def _needed(nvml: Any, doing: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer. Raises _Absent or a GpuProblem."""
    try:
        return call(*arguments)
    except nvml.NVMLError as error:
        raise _problem(nvml, error, doing) from None


def _value(nvml: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer, or None where this card, driver or user does not get one. Raises GpuProblem otherwise."""
    try:
        return call(*arguments)
    except nvml.NVMLError as error:
        if error.value in (
            nvml.NVML_ERROR_NOT_SUPPORTED,
            nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
            nvml.NVML_ERROR_NOT_FOUND,
            nvml.NVML_ERROR_NO_PERMISSION,
        ):
            return None
        raise _problem(nvml, error, "reading a GPU") from None


def _text(value: str | bytes) -> str:
    """``value`` as text; bindings up to 11.495 answer with bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _problem(nvml: Any, error: Any, doing: str) -> Exception:
    """The driver's code as an error of ours, or as the absence of a GPU."""
    code = error.value
    if code == nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return _Absent("there is no NVIDIA driver library (libnvidia-ml.so.1)")
    if code == nvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return _Absent("the NVIDIA driver is installed and not loaded")
    if code == nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return DriverMismatch(
            "The NVIDIA driver was updated and its loaded part is still the old one: restart the machine, or type "
            "DEVICE=cpu."
        )
    if code == nvml.NVML_ERROR_NO_PERMISSION:
        return NoPermission(
            "The NVIDIA driver refuses this user: join the group that owns /dev/nvidia*, start the container with "
            "--gpus all, or type DEVICE=cpu."
        )
    if code in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
        return GpuLost(f"A GPU is lost ({error}, while {doing}): restart the machine, or type DEVICE=cpu.")
    advice = "start the container anew" if code == nvml.NVML_ERROR_UNKNOWN else "run nvidia-smi to see what it says"
    return GpuProblem(f"The NVIDIA driver answered code {code} ({error}) while {doing}: {advice}, or type DEVICE=cpu.")
