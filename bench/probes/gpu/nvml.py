"""The driver's library through its Python binding: a session with it, and its codes in our words.

A driver's code becomes one of three things: an absence with its reason (no library, no driver, no device), a value that
stays None (the card does not give it), or a typed error (something is wrong that the user can fix). Codes and their
causes: NVML API reference, ``nvmlReturn_t``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bench.errors import EnvironmentProblem
from bench.probes import container


class GpuProblem(EnvironmentProblem):
    """The NVIDIA driver is there and does not work. ``why`` is the driver's answer alone, a clause without advice."""

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message.rstrip(".")


class DriverMismatch(GpuProblem):
    """The driver's library and its kernel module are of different versions."""


class NoPermission(GpuProblem):
    """The driver refuses to talk to this user or container."""


class GpuLost(GpuProblem):
    """A GPU that was there no longer answers."""


class DriverHangs(GpuLost):
    """A call of the driver's library did not come back in time."""


class Absent(Exception):
    """There is no GPU to speak of; the message says why."""


def start() -> Any:
    """The ``pynvml`` module with its library started, to be shut down by ``stop``.

    Raises Absent without a library or driver, GpuProblem where there is one that does not work.
    """
    try:
        import pynvml
    except ImportError:
        raise Absent("the Python package nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise problem(pynvml, error, "starting NVML") from None
    return pynvml


def stop(nvml: Any) -> None:
    """End what ``start`` began; sessions may overlap, the library counts them."""
    with suppress(nvml.NVMLError):  # what was read stays true
        nvml.nvmlShutdown()


@contextmanager
def session() -> Iterator[Any]:
    """The started ``pynvml`` module. Raises as ``start``."""
    nvml = start()
    try:
        yield nvml
    finally:
        stop(nvml)


def answer(nvml: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the driver's answer, from a second call where the first one gave code 999, which may pass.

    Raises the binding's NVMLError.
    """
    try:
        return call(*arguments)
    except nvml.NVMLError as error:
        if error.value != nvml.NVML_ERROR_UNKNOWN:
            raise
    return call(*arguments)


def needed(nvml: Any, doing: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer. Raises Absent or a GpuProblem."""
    try:
        return answer(nvml, call, *arguments)
    except nvml.NVMLError as error:
        raise problem(nvml, error, doing) from None


#: ``NVML_ERROR_DEPRECATED``, which older bindings do not name: application clocks are going that way.
_DEPRECATED = 26
#: Why a call gives nothing where nothing has failed: this card, or this driver, does not have it.
_NOT_SUPPORTED, _MISSING = "not supported", "missing in the driver"


class Facts:
    """Reads facts of one GPU, or of the driver where ``handle`` is None; one that fails costs itself and no other.

    ``not_given`` has why, by fact, where the driver should have an answer and gave none: a code that is an error, or a
    missing permission. What this card, binding or driver does not have is no failure.
    """

    def __init__(self, nvml: Any, handle: Any = None) -> None:
        self.not_given: dict[str, str] = {}
        self._nvml = nvml
        self._handle = () if handle is None else (handle,)

    def read(self, fact: str, name: str, *arguments: Any) -> Any:
        """Return what the function ``name`` answers, None where it gives nothing. Raises GpuLost."""
        call = getattr(self._nvml, name, None)
        if call is None:
            return None
        try:
            return answer(self._nvml, call, *self._handle, *arguments)
        except self._nvml.NVMLError as error:
            if is_lost(self._nvml, error.value):
                raise lost(error, "reading a GPU") from None
            why = word(self._nvml, error)
            if why not in (_NOT_SUPPORTED, _MISSING):
                self.not_given[fact] = why
            return None

    def number(self, fact: str, name: str, *arguments: Any) -> int | None:
        """Return the unsigned number of 32 bits that the function ``name`` answers, as ``read``. Raises GpuLost."""
        return self.possible(fact, self.read(fact, name, *arguments), 1 << 31)

    def possible(self, fact: str, answered: int | None, below: int) -> int | None:
        """Return an unsigned number that was answered, None where it says that there is none, or is not ``below``.

        A negative number, of something that subtracted too much, is a large one here.
        """
        found = known(answered)
        if found is None or 0 <= found < below:
            return found
        self.not_given[fact] = f"{found} cannot be"
        return None


#: ``NVML_VALUE_NOT_AVAILABLE``, -1, as an unsigned number of 32 and of 64 bits: a call may succeed and answer this.
_NOT_AVAILABLE = (0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)


def known(answer: int | None) -> int | None:
    """An unsigned number that the driver answered, None for the one that says that there is none."""
    return None if answer is None or answer in _NOT_AVAILABLE or not math.isfinite(answer) else int(answer)


def percent(answer: int | None) -> int | None:
    """A share in percent that the driver answered, None for a number that is no share."""
    return None if answer is None or not 0 <= answer <= 100 else int(answer)


def text(answer: str | bytes) -> str:
    """``answer`` as text; bindings up to 11.495 answer with bytes."""
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


def word(nvml: Any, error: Any) -> str:
    """Return why a call gives no value, in the words of records."""
    known = {
        nvml.NVML_ERROR_NOT_SUPPORTED: _NOT_SUPPORTED,
        nvml.NVML_ERROR_NOT_FOUND: _NOT_SUPPORTED,
        nvml.NVML_ERROR_INVALID_ARGUMENT: _NOT_SUPPORTED,  # made for whole cards, and called for a slice of one
        _DEPRECATED: _NOT_SUPPORTED,
        nvml.NVML_ERROR_FUNCTION_NOT_FOUND: _MISSING,
        nvml.NVML_ERROR_NO_PERMISSION: "no permission",
    }
    return known.get(error.value) or f"code {error.value} ({error})"


def is_lost(nvml: Any, code: int) -> bool:
    """Return whether ``code`` means that a card which answered before is gone, or its driver is.

    Code 999 does not mean that: one call may give it and the next one answer.
    """
    return code in (
        nvml.NVML_ERROR_GPU_IS_LOST,
        nvml.NVML_ERROR_RESET_REQUIRED,
        nvml.NVML_ERROR_UNINITIALIZED,
        nvml.NVML_ERROR_DRIVER_NOT_LOADED,
    )


def lost(error: Any, doing: str) -> GpuLost:
    """The error of ours for a card that is gone by the driver's code."""
    return GpuLost(
        f"A GPU is lost ({error}, while {doing}): restart the machine, or type DEVICE=cpu.", _as_clause(error)
    )


def problem(nvml: Any, error: Any, doing: str) -> Exception:
    """The driver's code as an error of ours, or as the absence of a GPU."""
    code = error.value
    contained = container.kind() != "none"
    if code == nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return Absent("there is no NVIDIA driver library (libnvidia-ml.so.1)")
    if code == nvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return Absent("the NVIDIA driver is installed and not loaded")
    if code == nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return DriverMismatch(
            "The NVIDIA driver was updated and its loaded part is still the old one: restart the machine, or type "
            "DEVICE=cpu."
        )
    if code == nvml.NVML_ERROR_NO_PERMISSION:
        start = ", start the container with --gpus all" if contained else ""
        return NoPermission(
            f"The NVIDIA driver refuses this user: join the group that owns /dev/nvidia*{start}, or type DEVICE=cpu."
        )
    if code in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
        return lost(error, doing)
    # In a container whose runtime was reloaded every call gives code 999.
    restart = contained and code == nvml.NVML_ERROR_UNKNOWN
    advice = "restart the container" if restart else "run nvidia-smi to see what it says"
    message = f"The NVIDIA driver answered code {code} ({error}) while {doing}: {advice}, or type DEVICE=cpu."
    return GpuProblem(message, _as_clause(error))


def _as_clause(error: Any) -> str:
    return f"the driver answers code {error.value} ({error})"
