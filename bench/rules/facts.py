"""The facts about this machine before a run, as ``bench.campaign.preflight`` reads them for the rules.

None is a value that is unknown or that this machine does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Data:
    """CIFAR-10 by the names and sizes of its files.

    ``state`` is present, missing (where it would be downloaded) or unusable (where DATA says it is); ``text`` is a line
    on it and ``advice`` what to type where it is not present. ``will_be`` is what its checks will make of it,
    ``canonical`` or ``unverified``; ``bytes`` are its files', ``cached_bytes`` those of them that are in memory.
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

    ``foreign_processes`` counts the compute processes on it, as none of them is ours yet; ``memory_bytes`` of it are in
    use. ``clock_limit_mhz`` is the
    clock of the multiprocessors that somebody has set for applications. ``calls`` has ``yes`` for each call of the
    sampler that the driver answers and why not for others; ``problem`` says why the card could not be opened at all.
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
    """What the rules look at before a run on ``device`` (``auto``, ``cpu``, ``gpu`` or a UUID).

    ``gpu_names`` are those the driver shows, each with its driver; None where the driver does not work, and
    ``gpu_problem`` says why, or why there is none. ``gpu_hidden_by`` is the variable with its value that hides them all
    from CUDA, ``gpu_lost`` has a clause for each GPU that does not answer. ``card`` is the one a run would get.
    ``tensorflow_gpus`` counts TensorFlow's. ``unlike_lock`` names the packages that are not as locked, None where no
    lock is known.
    ``cpu_cores`` are those we may run on, ``cpu_online`` those of the machine. ``place`` says where runs are made, and
    ``place_problem`` why they cannot be in the container that was chosen or asked for; both are empty where there is
    nothing to say. ``in_container``: runs find TensorFlow in an image, and none was asked here. ``container_kind`` is
    of the container that this process is in, ``none`` outside one. ``git_reason`` says why git tells nothing of the
    checkout, and ``git_advice`` what helps.
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
        """Whether a run would get a GPU, as far as the driver shows one."""
        return self.device != "cpu" and bool(self.gpu_names) and not self.gpu_hidden_by

    @property
    def is_contained(self) -> bool:
        """Whether this process is in a container, so that advice on containers is of use."""
        return self.container_kind != "none"
