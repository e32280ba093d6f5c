"""What is fixed about a card while it is used: what it is, how it is set up, and how it is connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.probes.gpu.devices import find
from bench.probes.gpu.driver_thread import in_driver_thread
from bench.probes.gpu.nvml import Absent, Facts, GpuProblem, session, text

#: ``nvmlComputeMode_t`` and ``nvmlGpuVirtualizationMode_t``, by value (NVML API reference).
_COMPUTE_MODES = ("default", "exclusive thread", "prohibited", "exclusive process")
_VIRTUALISATION = ("none", "passthrough", "vgpu", "host vgpu", "host vsga")


@dataclass(frozen=True)
class CardFacts:
    """A card's facts; None is one that the card, the driver or this user does not get.

    ``pending_ecc`` is what a restart will make of ECC. ``pcie_generation`` is of this moment: an idle link slows down.
    ``not_given`` has why, by fact, where the driver should have given one and did not (``nvml.Facts``).
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
    not_given: Mapping[str, str] = field(default_factory=dict)


@in_driver_thread("reading the facts of a GPU")
def facts(uuid: str) -> CardFacts:
    """The facts of the card with this UUID. Raises GpuProblem where there is none or it does not work."""
    try:
        with session() as nvml:
            handle, _ = find(nvml, uuid)
            return _read(nvml, handle)
    except Absent as absence:
        raise GpuProblem(f"No GPU can be read: {absence}.") from None


def _read(nvml: Any, handle: Any) -> CardFacts:
    card = Facts(nvml, handle)
    vbios = card.read("vbios", "nvmlDeviceGetVbiosVersion")
    ecc = card.read("ecc", "nvmlDeviceGetEccMode") or (None, None)
    mig = card.read("mig", "nvmlDeviceGetMigMode") or (None, None)
    sm, memory = nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM
    default_sm = "nvmlDeviceGetDefaultApplicationsClock"
    return CardFacts(
        vbios=None if vbios is None else text(vbios),
        ecc=_flag(ecc[0]),
        pending_ecc=_flag(ecc[1]),
        power_limit_watts=_watts(card.number("power_limit_watts", "nvmlDeviceGetEnforcedPowerLimit")),
        default_power_limit_watts=_watts(
            card.number("default_power_limit_watts", "nvmlDeviceGetPowerManagementDefaultLimit")
        ),
        persistence=_flag(card.read("persistence", "nvmlDeviceGetPersistenceMode")),
        mig=_flag(mig[0]),
        virtualisation=_named(_VIRTUALISATION, card.read("virtualisation", "nvmlDeviceGetVirtualizationMode")),
        compute_mode=_named(_COMPUTE_MODES, card.read("compute_mode", "nvmlDeviceGetComputeMode")),
        pcie_generation=card.number("pcie_generation", "nvmlDeviceGetCurrPcieLinkGeneration"),
        max_pcie_generation=card.number("max_pcie_generation", "nvmlDeviceGetMaxPcieLinkGeneration"),
        pcie_lanes=card.number("pcie_lanes", "nvmlDeviceGetCurrPcieLinkWidth"),
        max_pcie_lanes=card.number("max_pcie_lanes", "nvmlDeviceGetMaxPcieLinkWidth"),
        max_sm_clock_mhz=card.number("max_sm_clock_mhz", "nvmlDeviceGetMaxClockInfo", sm),
        max_memory_clock_mhz=card.number("max_memory_clock_mhz", "nvmlDeviceGetMaxClockInfo", memory),
        application_sm_clock_mhz=card.number("application_sm_clock_mhz", "nvmlDeviceGetApplicationsClock", sm),
        application_memory_clock_mhz=card.number(
            "application_memory_clock_mhz", "nvmlDeviceGetApplicationsClock", memory
        ),
        default_application_sm_clock_mhz=card.number("default_application_sm_clock_mhz", default_sm, sm),
        not_given=card.not_given,
    )


def _flag(number: int | None) -> bool | None:
    return None if number is None else bool(number)


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _named(names: tuple[str, ...], number: int | None) -> str | None:
    if number is None:
        return None
    return names[number] if number < len(names) else f"mode {number}"
