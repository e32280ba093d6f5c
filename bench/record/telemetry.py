"""What the machine did while a run lasted: the sampler's lines of ``events.jsonl`` and what a record keeps.

None is a value that the driver or the kernel did not give, which is never 0. The values are listed in
``bench.record.metrics``. A row of ``telemetry.csv`` is one tick of the sampler; counters that only grow are read at the
edges of a run and of its epochs, in lines of ``events.jsonl``:

``harness_sampler``
    once, before the trainer is started: ``period_ms``, ``gpu`` (None, or ``name``, ``uuid_hash``, ``role`` (``trains``
    or ``watched``), ``calls`` (each with ``yes`` or why not), ``energy_step_ms`` and ``energy_step_mj`` (of the energy
    counter, before the run), ``processes`` (``pids`` or ``counts``: how foreign ones are recognised), ``before`` (the
    card before the trainer was started: ``utilisation_percent``, ``memory_bytes``)), ``why_no_gpu``, ``host_absent``
    (names of what cannot be read), ``off`` (true where telemetry was switched off).
``harness_edge``
    ``edge`` (``spawn``, ``hello``, a phase's name for its end, ``done``, ``exit``), ``epoch`` (of a ``_k`` phase),
    ``t_ns``, ``cost_us``, and those of COUNTERS that could be read.
``harness_gpu_lost``
    ``t_ns``, ``why``: the card stopped answering; later rows have no GPU values.
``harness_impossible``
    at the end, where there were any: ``counts``, of the numbers that cannot be and were left empty, by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any

from bench.record.metrics import SAMPLED, SPREADS

TELEMETRY_FILE = "telemetry.csv"
#: In ``calls`` the reason for ``utilisation`` on a card with MIG; all other values are of the whole card.
DIVIDED = "not supported while MIG is on"
#: In ``calls`` of a record the reason for a call that answered when the card was opened, and never in the run.
SILENT = "no value while the run lasted"
#: Why no card was sampled with WATCH=none.
NOT_WANTED = "nobody wanted one sampled (WATCH=none)"
#: Ticks that an epoch needs to have a usage (NVML's own utilisation period is 1/6 to 1 s).
LEAST_TICKS = 5

#: Why clocks were held down, by the bit of ``event_reasons`` (NVML API reference, nvmlClocksEventReasons).
REASON_BITS = {
    "idle": 0x1,
    "application_clocks": 0x2,
    "software_power_cap": 0x4,
    "hardware_slowdown": 0x8,
    "sync_boost": 0x10,
    "software_thermal": 0x20,
    "hardware_thermal": 0x40,
    "power_brake": 0x80,
    "display": 0x100,
}

#: An idle card is busy in none of the driver's periods; one that draws a desktop is in a few percent.
BUSY_PERCENT = 10
COLUMNS = tuple(each.column() for each in SAMPLED)


@dataclass(frozen=True)
class Spread:
    """One quantity over the ticks of a span in which it was read; ``ticks`` is their number."""

    ticks: int
    mean: float
    median: float
    min: float
    max: float


if TYPE_CHECKING:

    @dataclass(frozen=True)
    class Usage:
        """What the machine did over a span of ``ticks``: a Spread of each of SPREADS, None where it was not read."""

        ticks: int

        def __init__(self, ticks: int = 0, **spreads: Spread | None) -> None: ...
        def __getattr__(self, metric: str) -> Spread | None: ...

else:
    _FIELDS = [(each.name, Spread | None, None) for each in SPREADS]
    Usage = make_dataclass("Usage", [("ticks", int, 0), *_FIELDS], frozen=True, namespace={"__module__": __name__})


@dataclass(frozen=True)
class EpochUsage:
    """The usage while one epoch was trained, or ``why_empty``."""

    epoch: float
    ticks: int
    usage: Usage | None = None
    why_empty: str = ""
    train_joules: float | None = None
    train_uncertainty_joules: float | None = None


@dataclass(frozen=True)
class Energy:
    """Joules of the card: over the life of the process, and from its start to the end of the training that crossed.

    ``source`` is ``counter`` or ``power`` (integrated, a fallback); ``uncertainty_joules`` is the possible error of two
    readings of a counter that moves in steps. ``begin_mj`` and ``end_mj`` are the counter at spawn and exit, so that
    runs made back to back can be measured together.
    """

    run_joules: float | None = None
    to_target_joules: float | None = None
    uncertainty_joules: float | None = None
    source: str = ""
    why_empty: str = ""
    begin_mj: int | None = None
    end_mj: int | None = None


@dataclass(frozen=True)
class Sampling:
    """What the sampler did: how often, how late, and at what cost.

    ``missed`` are the due times that passed without a tick, from the gaps in the schedule. ``cpu_seconds`` is of all
    ticks and edges together. ``why_no_ticks`` is why there are none where a sampler ran, such as a damaged file.
    """

    period_ms: float | None = None
    ticks: int = 0
    why_no_ticks: str = ""
    missed: int | None = None
    cost_median_us: float | None = None
    cost_max_us: float | None = None
    took_max_us: float | None = None
    late_median_ms: float | None = None
    late_max_ms: float | None = None
    cpu_seconds: float | None = None
    off: bool = False


@dataclass(frozen=True)
class Telemetry:
    """What is known of the machine while a run lasted.

    ``gpu`` is the table of ``harness_sampler``, with SILENT among its ``calls``; ``impossible`` counts cells and
    counters that held no number, or one that cannot be, and were left empty, by name; ``reason_shares`` the share of
    training ticks with each reason of REASON_BITS; ``lost_seconds`` time lost to throttling by the driver's counters,
    by cause. Everything of the host is over the life of the process: ``steal_share`` of the CPU time that the machine
    needed (busy and stolen together), ``throttled_seconds`` by the control group, ``pressure_shares`` (``cpu``,
    ``memory``, ``io``) the share of the time in which something waited for it, ``read_bytes`` from a disk, by the
    trainer.
    """

    sampling: Sampling = Sampling()
    gpu: dict[str, Any] = field(default_factory=dict)
    why_no_gpu: str = ""
    gpu_lost: str = ""
    host_absent: tuple[str, ...] = ()
    impossible: dict[str, Any] = field(default_factory=dict)
    training: Usage = field(default_factory=Usage)
    epochs: tuple[EpochUsage, ...] = ()
    energy: Energy = Energy()
    start_temperature_celsius: float | None = None
    foreign_processes: int | None = None
    reason_shares: dict[str, Any] = field(default_factory=dict)
    lost_seconds: dict[str, Any] = field(default_factory=dict)
    steal_share: float | None = None
    swapped_bytes: int | None = None
    read_bytes: int | None = None
    throttled_seconds: float | None = None
    pressure_shares: dict[str, Any] = field(default_factory=dict)
