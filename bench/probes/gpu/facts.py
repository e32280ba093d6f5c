"""What is fixed about a card while it is used: what it is, how it is set up, and how it is connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.probes.gpu.devices import find
from bench.probes.gpu.nvml import Absent, GpuProblem, known, session, text, value

#: ``nvmlComputeMode_t`` and ``nvmlGpuVirtualizationMode_t``, by value (NVML API reference).
_COMPUTE_MODES = ("default", "exclusive thread", "prohibited", "exclusive process")
_VIRTUALISATION = ("none", "passthrough", "vgpu", "host vgpu", "host vsga")


@dataclass(frozen=True)
class CardFacts:
    """A card's facts; None is one that the card, the driver or this user does not get.

    ``pending_ecc`` is what a restart will make of ECC. ``pcie_generation`` is of this moment: an idle link slows down.
    """

    vbios: str | None = None
    ecc: bool | None = None
    pending_ecc: bool | None = None
    power_limit_watts: float | None = None
    default_power_limit_watts: float | None = None
    persistence: bool | None = None
    mig: bool | None = None
    virtualisation: str | None = None
    compute_mode: str | None = None
    pcie_generation: int | None = None
    max_pcie_generation: int | None = None
    pcie_lanes: int | None = None
    max_pcie_lanes: int | None = None
    max_sm_clock_mhz: int | None = None
    max_memory_clock_mhz: int | None = None
    application_sm_clock_mhz: int | None = None
    application_memory_clock_mhz: int | None = None
    default_application_sm_clock_mhz: int | None = None


def facts(uuid: str) -> CardFacts:
    """The facts of the card with this UUID. Raises GpuProblem where there is none or it does not work."""
    try:
        with session() as nvml:
            handle, _ = find(nvml, uuid)
            return _read(nvml, handle)
    except Absent as absence:
        raise GpuProblem(f"No GPU can be read: {absence}.") from None


def _read(nvml: Any, handle: Any) -> CardFacts:
    def ask(name: str, *arguments: Any) -> Any:
        return value(nvml, name, handle, *arguments)

    def number(name: str, *arguments: Any) -> int | None:
        return known(ask(name, *arguments))

    vbios = ask("nvmlDeviceGetVbiosVersion")
    ecc = ask("nvmlDeviceGetEccMode") or (None, None)
    mig = ask("nvmlDeviceGetMigMode") or (None, None)
    return CardFacts(
        vbios=None if vbios is None else text(vbios),
        ecc=_flag(ecc[0]),
        pending_ecc=_flag(ecc[1]),
        power_limit_watts=_watts(number("nvmlDeviceGetEnforcedPowerLimit")),
        default_power_limit_watts=_watts(number("nvmlDeviceGetPowerManagementDefaultLimit")),
        persistence=_flag(ask("nvmlDeviceGetPersistenceMode")),
        mig=_flag(mig[0]),
        virtualisation=_named(_VIRTUALISATION, ask("nvmlDeviceGetVirtualizationMode")),
        compute_mode=_named(_COMPUTE_MODES, ask("nvmlDeviceGetComputeMode")),
        pcie_generation=number("nvmlDeviceGetCurrPcieLinkGeneration"),
        max_pcie_generation=number("nvmlDeviceGetMaxPcieLinkGeneration"),
        pcie_lanes=number("nvmlDeviceGetCurrPcieLinkWidth"),
        max_pcie_lanes=number("nvmlDeviceGetMaxPcieLinkWidth"),
        max_sm_clock_mhz=number("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
        max_memory_clock_mhz=number("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_MEM),
        application_sm_clock_mhz=number("nvmlDeviceGetApplicationsClock", nvml.NVML_CLOCK_SM),
        application_memory_clock_mhz=number("nvmlDeviceGetApplicationsClock", nvml.NVML_CLOCK_MEM),
        default_application_sm_clock_mhz=number("nvmlDeviceGetDefaultApplicationsClock", nvml.NVML_CLOCK_SM),
    )


def _flag(number: int | None) -> bool | None:
    return None if number is None else bool(number)


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _named(names: tuple[str, ...], number: int | None) -> str | None:
    if number is None:
        return None
    return names[number] if number < len(names) else f"mode {number}"
