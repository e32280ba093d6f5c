"""The card that trains, read while a run lasts: its values now, and its counters.

Every call is tried once when the card is opened, and one that fails then is never made again: its value stays None. A
tick must be cheap, so the handle is kept and a tick makes one library call a value; the process list, the most
expensive call (some milliseconds), is read on slow ticks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from bench.probes.gpu import before, energy
from bench.probes.gpu import nvml as driver
from bench.probes.gpu.binding import refuse_unofficial
from bench.probes.gpu.bounds import Bounds
from bench.probes.gpu.devices import Gpu, find
from bench.probes.gpu.nvml import Absent, Facts, GpuLost, GpuProblem
from bench.probes.gpu.sample import Counters, Sample
from bench.probes.gpu.throttle_time import ThrottleTime
from bench.record.metrics import EVERY_TICK, GPU_NUMBERS
from bench.record.telemetry import DIVIDED

#: How the number of a row is taken from the answer of its call, where it is not the answer itself.
_TAKE: dict[str, Callable[[Any], float | None]] = {
    "gpu_utilisation_percent": lambda rates: driver.percent(rates.gpu),
    "memory_utilisation_percent": lambda rates: driver.percent(rates.memory),
    "gpu_memory_bytes": lambda memory: driver.known(memory.used),
    "gpu_power_watts": lambda milliwatts: _watts(milliwatts),
}
_NAMES = tuple(each.name for each in GPU_NUMBERS)
#: The calls of a slow tick and of the others, each with the numbers that it gives.
_SLOW = tuple(
    (call, tuple((each.name, _TAKE.get(each.name, driver.known)) for each in GPU_NUMBERS if each.call == call))
    for call in dict.fromkeys(each.call for each in GPU_NUMBERS)
)
_FAST_CALLS = {each.call for each in GPU_NUMBERS if each.every == EVERY_TICK}
_FAST = tuple(each for each in _SLOW if each[0] in _FAST_CALLS)
#: Readings in a row in which no call answers, after which a card counts as lost.
_SILENT_READINGS = 2


def open_card(uuid: str) -> Card:
    """Open the card with this UUID. Raises GpuProblem where there is none or it does not work.

    A card is found by its UUID because nothing else means the same to CUDA, to the driver and after a restart.
    """
    try:
        nvml = driver.start()
    except Absent as absence:
        raise GpuProblem(f"No GPU can be read: {absence}.") from None
    try:
        refuse_unofficial(nvml)
        return Card(nvml, *find(nvml, uuid))
    except BaseException as error:
        driver.stop(nvml)
        if isinstance(error, Absent):
            raise GpuProblem(f"No GPU can be read: {error}.") from None
        raise


class Card(AbstractContextManager["Card"]):
    """One opened card; a context manager."""

    def __init__(self, nvml: Any, handle: Any, gpu: Gpu) -> None:
        self.gpu = gpu
        self._nvml = nvml
        self._open = True
        self._bounds = Bounds(gpu.memory_bytes, lambda: _limit_watts(nvml, handle))
        self._readers: dict[str, Callable[[], Any]] = {}
        self._answers = self._unknown = self._silent = 0
        self._calls: dict[str, str] = {}
        refusals = [self._try(name, alternatives) for name, alternatives in _calls(nvml, handle).items()]
        unknown = next((each for each in refusals if each and each.value == nvml.NVML_ERROR_UNKNOWN), None)
        throttle_time = ThrottleTime(nvml, handle, gpu.driver_version)
        if "yes" in throttle_time.calls.values():
            self._readers["throttle_time"] = throttle_time.read
        self._calls.update(throttle_time.calls)
        if unknown and "yes" not in self._calls.values():
            raise driver.problem(nvml, unknown, "opening the GPU")
        if self._calls["utilisation"] == "not supported" and _is_sliced(nvml, handle, gpu):
            self._calls["utilisation"] = DIVIDED
            if not gpu.uuid.startswith("MIG-") and "processes" in self._readers:
                del self._readers["processes"]
                self._calls["processes"] = DIVIDED  # It lists those of every slice.

    @property
    def calls(self) -> Mapping[str, str]:
        """Each call by name, with ``yes`` or why it gives no value."""
        return self._calls

    def sample(self, slow: bool = False) -> Sample:
        """Return the values of the card now, with ``slow`` those of slow ticks, too. Raises GpuLost if it is gone."""
        numbers: dict[str, float | None] = dict.fromkeys(_NAMES)
        for call, taken in _SLOW if slow else _FAST:
            answer = self._read(call)
            if answer is not None:
                for name, take in taken:
                    numbers[name] = take(answer)
        sample = Sample(numbers, self._processes() if slow else None)
        self._raise_if_silent()
        return self._bounds.sample(sample)

    def counters(self) -> Counters:
        """Return the counters now. Raises GpuLost where the card is gone."""
        counters = Counters(self._number("energy"), self._read("throttle_time") or {}, self._number("temperature"))
        self._raise_if_silent()
        return self._bounds.counters(counters)

    def take_impossible(self) -> dict[str, int]:
        """Return how many impossible numbers it gave since the last call, by column or counter."""
        found = dict(self._bounds.impossible)
        self._bounds.impossible.clear()
        return found

    def look_before(
        self, clock: Callable[[], int] = time.monotonic_ns, sleep: Callable[[float], None] = time.sleep
    ) -> before.Before:
        """Return its state before a run; takes about a second where it seems busy. Raises GpuLost."""
        return before.look(lambda: self.sample(slow=True), clock=clock, sleep=sleep)

    def measure_energy_step(
        self,
        seconds: float = 0.3,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> energy.EnergyStep | None:
        """Return how the energy counter moves within ``seconds``; None where it does not. Raises GpuLost."""
        return energy.measure(
            lambda: self._bounds.counters(Counters(self._number("energy"))).energy_mj, seconds, clock, sleep
        )

    def close(self) -> None:
        """Close the driver; the card cannot be read afterwards."""
        if self._open:
            self._open = False
            self._readers = {}
            driver.stop(self._nvml)

    def __exit__(self, *error: object) -> None:
        self.close()

    def _try(self, name: str, alternatives: tuple[Callable[[], Any], ...]) -> Any:
        """Keep the first alternative that the driver has, if it answers; else record and return its error."""
        self._calls[name] = "missing in the driver"
        refusal: Any = None
        for reader in alternatives:
            try:
                driver.answer(self._nvml, reader)
            except self._nvml.NVMLError as error:
                if driver.is_lost(self._nvml, error.value):
                    raise driver.problem(self._nvml, error, "opening the GPU") from None
                refusal, self._calls[name] = error, driver.word(self._nvml, error)
                if error.value == self._nvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                    continue
            else:
                self._calls[name] = "yes"
                refusal, self._readers[name] = None, reader
            break
        return refusal

    def _read(self, name: str) -> Any:
        """The answer of a call that was kept, None where it fails this time. Raises GpuLost."""
        reader = self._readers.get(name)
        if reader is None:
            return None
        try:
            found = reader()
        except self._nvml.NVMLError as error:
            if driver.is_lost(self._nvml, error.value):
                raise GpuLost(f"The GPU stopped answering ({error}, code {error.value}).") from None
            self._unknown += error.value == self._nvml.NVML_ERROR_UNKNOWN
            return None
        self._answers += 1
        return found

    def _raise_if_silent(self) -> None:
        """Raise GpuLost where all calls of the last two readings failed, with code 999 among the errors.

        A single such code does not mean that the card is lost (azhpc-diagnostics#77); in a container whose runtime was
        reloaded every call gives it.
        """
        self._silent = self._silent + 1 if self._unknown and not self._answers else 0
        self._answers = self._unknown = 0
        if self._silent >= _SILENT_READINGS:
            code = self._nvml.NVML_ERROR_UNKNOWN
            raise GpuLost(f"The GPU stopped answering (every call gives code {code}).")

    def _number(self, name: str) -> int | None:
        """The unsigned number that a call gives, None where it is marked as not available. Raises GpuLost."""
        return driver.known(self._read(name))

    def _processes(self) -> tuple[int, ...] | None:
        found = self._read("processes")
        return None if found is None else tuple(sorted({int(process.pid) for process in found}))


def _limit_watts(nvml: Any, handle: Any) -> float | None:
    """The power limit in force, None where it is unknown."""
    try:
        return _watts(nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
    except (nvml.NVMLError, AttributeError):
        return None


def _watts(milliwatts: int) -> float | None:
    known = driver.known(milliwatts)
    return None if known is None else known / 1000


def _is_sliced(nvml: Any, handle: Any, gpu: Gpu) -> bool:
    """Whether the card is divided, or is itself a slice: then the driver has no utilisation of it (NVML, MIG)."""
    modes = Facts(nvml, handle).read("mig", "nvmlDeviceGetMigMode")
    return gpu.uuid.startswith("MIG-") or bool(modes and modes[0])


def _calls(nvml: Any, handle: Any) -> dict[str, tuple[Callable[[], Any], ...]]:
    """Every call of a tick or an edge by its name in records, the preferred form first.

    Bindings and drivers have different forms: event reasons were throttle reasons before 535. Of the process list the
    older form comes first, as the structure of the newer differed in the first drivers of 535, which gave wrong process
    numbers (nvitop#79, gpustat#161); the binding's unversioned name is its newest form.
    """

    def forms(*names: str, arguments: tuple[Any, ...] = ()) -> tuple[Callable[[], Any], ...]:
        known = [getattr(nvml, name) for name in names if hasattr(nvml, name)]
        return tuple(lambda call=call: call(handle, *arguments) for call in known)

    return {
        "utilisation": forms("nvmlDeviceGetUtilizationRates"),
        "memory": forms("nvmlDeviceGetMemoryInfo"),
        "power": forms("nvmlDeviceGetPowerUsage"),
        "energy": forms("nvmlDeviceGetTotalEnergyConsumption"),
        "sm_clock": forms("nvmlDeviceGetClockInfo", arguments=(nvml.NVML_CLOCK_SM,)),
        "memory_clock": forms("nvmlDeviceGetClockInfo", arguments=(nvml.NVML_CLOCK_MEM,)),
        "temperature": forms("nvmlDeviceGetTemperature", arguments=(nvml.NVML_TEMPERATURE_GPU,)),
        "event_reasons": forms("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
        "processes": forms("nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses_v3"),
    }
