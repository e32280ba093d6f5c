"""The image and engine of a campaign's runs, and a run's request as passed into the container.

Everything is mounted under ``/bench``, so that no host path matters to a run. The run's folder has a unique name, which
identifies its processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bench import protocol
from bench.containers import spec
from bench.containers.spec import Choice, Contained, Engine, Inspected, Mount
from bench.launch import kernel_cache, trainer_command
from bench.launch.trainer_command import SYNTHETIC, Command, Request
from bench.system import container_flags
from bench.system.paths import CHECKOUT

#: The interpreter in every image of docker/images.toml, on its PATH.
PYTHON = "python3"
#: Variables of the container: a writable home and a user name, as the user has no entry in the image's passwd.
_FIXED = {"HOME": "/tmp", "USER": "bench", "LOGNAME": "bench", "PYTHONDONTWRITEBYTECODE": "1"}
#: Variables that the harness adds to those of a command when it starts it (``bench.launch.launch``).
_ADDED = (
    "PYTHONUNBUFFERED",
    protocol.EVENTS_VARIABLE,
    protocol.SEED_VARIABLE,
    protocol.TARGET_VARIABLE,
    protocol.STARTED_VARIABLE,
)
#: The host's variables that an engine's client needs to find its daemon, settings and credentials.
_CLIENT_NAMES = (
    *("PATH", "HOME", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS"),
    *("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
)
_CLIENT_PREFIXES = ("DOCKER_", "CONTAINERS_", "CONTAINER_", "BUILDAH_", "STORAGE_")


@dataclass(frozen=True)
class ContainerTarget:
    """The container of a campaign's runs.

    ``gpu`` is the UUID of its GPU, ``owner`` the value of the label of our containers (``container.OWNER_LABEL``),
    ``extra`` are the user's words for the engine's command, ``toolkit`` is the version of NVIDIA's.
    """

    engine: Engine
    choice: Choice
    inspected: Inspected
    pinning: str
    owner: str
    gpu: str | None = None
    toolkit: str | None = None
    extra: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Return the image's content id: all runs of a campaign use the same one."""
        image = self.choice.image
        return image.label if image.digest else f"{image.label}@{self.inspected.id}"

    @property
    def publishable(self) -> bool:
        """Return whether the pinning of the image allows publishing."""
        return self.pinning in spec.PUBLISHABLE


@dataclass(frozen=True)
class Start:
    """How to start one run in its container: the engine's command, its folder inside, and what to record."""

    command: Command
    name: str
    seen_folder: PurePosixPath
    flags: tuple[str, ...]
    environ: Mapping[str, str]


def start(placed: ContainerTarget, request: Request, folder: Path, env: Mapping[str, str], token: str) -> Start:
    """Return the start of ``request`` in a container that writes to the run's ``folder``.

    ``env`` is the trainer's environment with the kernel cache, ``token`` is unique to the run. Raises UsageError for a
    path that cannot be mounted.
    """
    seen = spec.INSIDE / f"run-{token}"
    inside, more = _inside(request)
    run = contained(
        placed,
        (PYTHON, *trainer_command.words("resnet9", inside)),
        env,
        token,
        [Mount(folder.absolute(), seen, read_only=False), *more],
        added=_ADDED,
    )
    shown = tuple(trainer_command.shown(word) for word in ("python", *trainer_command.words("resnet9", request)))
    return Start(
        command=Command(spec.argv(run), shown, client_environment(env), CHECKOUT),
        name=run.name,
        seen_folder=seen,
        flags=spec.shown_flags(run),
        # What holds inside, the kernels' folder by the path that can be looked at from here.
        environ={
            **placed.inspected.env,
            **{name: env[name] for name in run.passed if name in env},
            **run.fixed,
            **container_flags.variables(run.extra),
            kernel_cache.VARIABLE: env[kernel_cache.VARIABLE],
        },
    )


def contained(
    placed: ContainerTarget,
    command: tuple[str, ...],
    env: Mapping[str, str],
    token: str,
    mounts: Sequence[Mount] = (),
    *,
    added: tuple[str, ...] = (),
    fixed: Mapping[str, str] | None = None,
) -> Contained:
    """Return a ``command`` in the container of these runs, with the checkout mounted and ``env`` passed on.

    ``added`` are names of further variables of the engine's client, ``fixed`` variables of the container.
    """
    cache = Path(env[kernel_cache.VARIABLE])
    kernels = [Mount(cache, spec.CACHE / cache.name, read_only=False)] if cache.is_dir() else []
    return Contained(
        engine=placed.engine,
        image=placed.choice.image,
        name=f"resnet9-bench-{token}",
        owner=placed.owner,
        command=command,
        mounts=(Mount(CHECKOUT, spec.CHECKOUT), *kernels, *mounts),
        passed=(*spec.passed_on([name for name in env if not _is_the_clients(name)]), *added),
        fixed={
            **_FIXED,
            kernel_cache.VARIABLE: str(spec.CACHE / cache.name if kernels else "/tmp/kernels"),
            "CUDA_DEVICE_ORDER": env.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            **(fixed or {}),
        },
        gpu=placed.gpu,
        uid=os.getuid(),
        gid=os.getgid(),
        extra=placed.extra,
    )


def client_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the engine's client: the variables to pass on, and the host's for the engine."""
    return {**env, **{name: value for name, value in os.environ.items() if _is_the_clients(name)}}


def _is_the_clients(name: str) -> bool:
    return name in _CLIENT_NAMES or name.startswith(_CLIENT_PREFIXES)


def _inside(request: Request) -> tuple[Request, list[Mount]]:
    mounts = []
    if request.data != SYNTHETIC:
        source = Path(os.path.realpath(request.data))
        target = spec.DATA / source.name if source.is_file() else spec.DATA
        mounts.append(Mount(source, target))
        request = replace(request, data=str(target))
    place, colon, table = request.recipe.rpartition(":")
    if colon and Path(place).is_absolute():
        source = Path(os.path.realpath(place))
        target = spec.RECIPES / source.name
        mounts.append(Mount(source, target))
        request = replace(request, recipe=f"{target}:{table}")
    return request, mounts


def facts(placed: ContainerTarget, flags: tuple[str, ...]) -> dict[str, object]:
    """Return the fingerprint keys that a container fills, before redaction."""
    fit = placed.choice.fit
    on_gpu = placed.gpu is not None
    return {
        "image.pinning": placed.pinning,
        "image.id": placed.inspected.id,
        "image.labels": [f"{key}={value}" for key, value in sorted(placed.inspected.labels.items())][:64],
        "image.gpu_code": fit.gpu_code if on_gpu else None,
        "image.cuda_mode": fit.cuda_mode if on_gpu else None,
        "run.engine": placed.engine.label,
        "run.rootless": placed.engine.rootless,
        "run.flags": list(flags),
    }
