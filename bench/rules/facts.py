"""The facts about this machine before a run, as ``bench.campaign.preflight`` reads them for the rules.

None is a value that is unknown or that this machine does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Data:
    """CIFAR-10 by the names and sizes of its files.

    ``state`` is present, missing (to be downloaded) or unusable (at DATA); ``text`` describes it and ``advice`` says
    what to type if it is not present. ``will_be`` is the expected result of its checks, ``canonical`` or
    ``unverified``; ``cached_bytes`` of the files' ``bytes`` are in memory.
    """

    state: str
    text: str
    advice: str = ""
    will_be: str = ""
    bytes: int | None = None
    cached_bytes: int | None = None


@dataclass(frozen=True)
class CardState:
    """The card that a run would get, as the driver shows it now.

    ``foreign_processes`` counts the compute processes on it, ``memory_bytes`` are in use. ``clock_limit_mhz`` is the
    applications clock of the multiprocessors. ``calls`` has ``yes``, or the reason why not, for each call of the
    sampler; ``problem`` says why the card could not be opened.
    """

    name: str
    foreign_processes: int | None = None
    temperature_celsius: float | None = None
    persistence: bool | None = None
    ecc: bool | None = None
    ecc_pending: bool | None = None
    mig: bool | None = None
    power_limit_watts: float | None = None
    default_power_limit_watts: float | None = None
    clock_limit_mhz: float | None = None
    default_clock_limit_mhz: float | None = None
    calls: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    utilisation_percent: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Facts:
    """The state of the machine before a run on ``device`` (``auto``, ``cpu``, ``gpu`` or a UUID).

    ``gpu_names`` are the GPUs that the driver lists; None if the driver does not work, and ``gpu_problem`` says why.
    ``gpu_hidden_by`` is the variable assignment that hides them all from CUDA, ``gpu_lost`` has a clause for each GPU
    that does not answer. ``card`` is the one a run would get. ``tensorflow_gpus`` counts TensorFlow's.
    ``unlike_lock`` names the packages that differ from the lock file, None if no lock file is known.
    ``cpu_cores`` are those we may run on, ``cpu_online`` those of the machine. ``place`` says where runs are made,
    ``place_problem`` why the selected container is not available. ``in_container``: TensorFlow is in an image and was
    not imported here. ``container_kind`` is the kind of container of this process, or ``none``. ``git_reason`` says
    why git cannot read the checkout, ``git_advice`` how to fix it.
    """

    device: str
    python: tuple[int, int]
    lock_name: str | None
    unlike_lock: tuple[str, ...] | None
    tensorflow_version: str | None
    tensorflow_error: str | None
    tensorflow_gpus: int | None
    tensorflow_why_no_gpu: str | None
    nvml_package: str | None
    nvml_package_problem: str | None
    gpu_names: tuple[str, ...] | None
    gpu_problem: str | None
    card: CardState | None
    data: Data
    free_bytes: int
    results_writable: bool
    git_commit: str | None
    git_dirty: bool | None
    cpu_model: str | None
    cpu_cores: int
    cpu_online: int | None
    cpu_bf16: tuple[str, ...]
    cpu_governor: str | None
    cpu_driver: str | None
    cpu_turbo: bool | None
    cpu_limit_cores: float | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    memory_limit_bytes: int | None
    swap_used_bytes: int | None
    load_average: float | None
    unreadable: tuple[str, ...]
    place: str = ""
    place_problem: str = ""
    in_container: bool = False
    container_kind: str = "none"
    gpu_hidden_by: str | None = None
    gpu_lost: tuple[str, ...] = ()
    git_reason: str = ""
    git_advice: str = ""

    @property
    def has_gpu(self) -> bool:
        """Return whether a run would get a GPU."""
        return self.device != "cpu" and bool(self.gpu_names) and not self.gpu_hidden_by

    @property
    def is_contained(self) -> bool:
        """Return whether this process is in a container."""
        return self.container_kind != "none"
