"""Select where runs are made, natively or in a container, and pull the image.

Images and engine are checked before anything is pulled, so that an impossible choice fails within a second.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.containers import CONTAINER, NATIVE, catalog, spec
from bench.containers import engine as engines
from bench.containers import process as container_process
from bench.containers.compat import Card
from bench.containers.launch_spec import ContainerTarget
from bench.errors import EnvironmentProblem, UsageError
from bench.probes import container as host_container
from bench.probes import gpu
from bench.probes.device import device as find_device
from bench.probes.machine import IMAGE_VARIABLE, installed_lock
from bench.system import container_flags, locks, subprocesses
from bench.system.hashing import hashed
from bench.system.paths import CHECKOUT

if TYPE_CHECKING:
    from bench.containers.catalog import Image
    from bench.containers.compat import Card
    from bench.containers.launch_spec import ContainerTarget
    from bench.containers.spec import Choice, Engine
    from bench.probes.device import Device


@dataclass(frozen=True)
class ContainerOptions:
    """The options on where runs are made; None for one not given."""

    where: str | None = None
    image: str | None = None
    docker: str | None = None
    docker_flags: str | None = None

    @property
    def explicitly(self) -> bool:
        """Return whether a container is required, not only allowed."""
        return self.where == CONTAINER or (self.image is not None and self.where != NATIVE)


@dataclass(frozen=True)
class ContainerChoice:
    """Where runs will be made: in the image of ``choice`` by ``engine``, or natively if these are None.

    ``said`` is a line for the terminal, empty on a machine without a GPU.
    """

    said: str = ""
    choice: Choice | None = None
    engine: Engine | None = None
    toolkit: str | None = None
    extra: tuple[str, ...] = ()


def explicitly(options: ContainerOptions) -> ContainerOptions:
    """Return the options with a container required. Raises UsageError for WHERE=native."""
    if options.where == NATIVE:
        raise UsageError("WHERE=native runs in no image", "leave it out")
    return replace(options, where=CONTAINER)


def device(wanted: str | None, *, err: bool = False) -> Device:
    """Return the device ``wanted``, and print the notes on that choice.

    ``err``: on standard error. Raises as ``bench.probes.device.device`` does.
    """
    found = find_device(wanted)
    for note in found.notes():
        click.echo(note, err=err)
    return found


def placed(
    options: ContainerOptions, device: Device, *, custom: bool = False, say: Callable[[str], None] = click.echo
) -> ContainerTarget | None:
    """Choose where runs are made, ``say`` so, and pull the image. The caller holds the lock of the device.

    Raises as ``resolve`` and ``ready`` do, and EnvironmentProblem if a native run lacks TensorFlow.
    """
    chosen = resolve(options, device, custom=custom)
    if chosen.said:
        say(chosen.said)
    found = ready(chosen, device, say)
    if found is None:
        if not custom and installed_lock()["lock.name"] == "harness":
            raise EnvironmentProblem(
                "TensorFlow is not installed in .venv, which was set up for the harness alone",
                "type the same `make` command with WHERE=native, which installs it",
            )
        return None
    left = container_process.sweep(found.engine, found.owner)
    if left:
        say(f"Removed what an earlier command had left running: {', '.join(left)}.")
    return found


def resolve(options: ContainerOptions, device: Device, *, custom: bool = False) -> ContainerChoice:
    """Return where runs on ``device`` are made; nothing is pulled. ``custom``: of a custom trainer.

    Raises UsageError for a contradiction, EnvironmentProblem where a required or chosen container cannot be used.
    """
    if options.where == NATIVE or custom:
        _refuse_container(options, custom)
        return ContainerChoice(
            "Natively, as WHERE=native says." if options.where == NATIVE and device.kind == "gpu" else ""
        )
    # Without a GPU there is nothing to pin: the lock files hold the CPU's TensorFlow. And in the image
    # that holds harness and trainer it has been decided.
    if not options.explicitly and (device.kind == "cpu" or os.environ.get(IMAGE_VARIABLE)):
        return ContainerChoice()
    if device.kind == "gpu" and device.argument == "gpu":
        return _natively(options, EnvironmentProblem(f"the GPU has no UUID to hand it on by ({device.unwatched})."))
    extra = container_flags.split(options.docker_flags or "")
    if options.image is not None:
        catalog.read().find(options.image)  # a wrong name is reported before any trouble with the engine
    try:
        engine, toolkit = _engine(options, device)
    except EnvironmentProblem as problem:
        return _natively(options, problem)
    return _chosen(options, device, engine, toolkit, extra)


def _refuse_container(options: ContainerOptions, custom: bool) -> None:
    if custom and options.explicitly:
        raise UsageError(
            "a custom trainer runs where you start it",
            "put `docker run` into TRAINER, and leave WHERE and IMAGE out (docs/guide/custom-trainers.md)",
        )
    if options.image is not None:
        raise UsageError("WHERE=native runs in no image", f"leave IMAGE={options.image} or WHERE out")


def _natively(options: ContainerOptions, problem: EnvironmentProblem) -> ContainerChoice:
    if options.explicitly:
        raise problem
    # Without an engine a container was not requested, so there is no advice to install one.
    reason = f"{problem.message}." if problem.code == engines.NO_ENGINE else str(problem)
    return ContainerChoice(f"Natively, in no container: {reason}")


def _engine(options: ContainerOptions, device: Device) -> tuple[Engine, str | None]:
    program = options.docker or next((name for name in ("docker", "podman") if shutil.which(name)), "docker")
    found = engines.find(program, subprocesses.run_captured, os.environ)
    toolkit = host_container.toolkit_version(subprocesses.capture_stdout)
    if device.kind == "cpu":
        return found, toolkit
    if found.is_podman and not engines.has_cdi():
        raise EnvironmentProblem(
            "podman needs a CDI description of the GPUs, and this machine has none",
            f"install nvidia-container-toolkit, then type {engines.MAKE_CDI}",
        )
    if not found.is_podman and toolkit is None:
        raise EnvironmentProblem(
            "NVIDIA's container toolkit is not installed, so Docker cannot use the GPU",
            f"install nvidia-container-toolkit, then type {engines.CONFIGURE_DOCKER}",
        )
    return found, toolkit


def _chosen(
    options: ContainerOptions, device: Device, engine: Engine, toolkit: str | None, extra: tuple[str, ...]
) -> ContainerChoice:
    found, driver = card(device)
    choice = spec.choose(found, driver, toolkit, catalog.read(), options.image)
    said = f"In the image {choice.image.name} ({choice.image.label}), by {engine.label}: {choice.reason}."
    return ContainerChoice(said, choice, engine, toolkit, extra)


def card(device: Device) -> tuple[Card | None, str | None]:
    """Return the GPU of ``device`` and its driver's version."""
    if device.kind == "cpu":
        return None, None
    found = gpu.choose(gpu.discover(), device.argument)
    if found is None:
        return Card(device.name, None), None
    return Card(found.name, found.compute_capability), found.driver_version


def ready(chosen: ContainerChoice, device: Device, say: Callable[[str], None] = click.echo) -> ContainerTarget | None:
    """Return the container of runs, its image pulled if needed; None for native runs.

    Raises EnvironmentProblem if the image cannot be pulled.
    """
    if chosen.choice is None or chosen.engine is None:
        return None
    image = chosen.choice.image
    inspected = _inspected(chosen.engine, chosen.choice, say)
    pinning = spec.pinning(image, inspected, recipe(image), catalog.read())
    placed = ContainerTarget(
        engine=chosen.engine,
        choice=chosen.choice,
        inspected=inspected,
        pinning=pinning,
        owner=hashed(str(locks.device_lock(device.key))),
        gpu=device.argument if device.kind == "gpu" else None,
        toolkit=chosen.toolkit,
        extra=chosen.extra,
    )
    if not placed.publishable:
        say(f"A result from it is not to be published: {not_publishable(pinning, image.name)}.")
    replacing = [flag.shown for flag in container_flags.read(chosen.extra) if flag.replaces]
    if replacing:
        say(f"A result from it is not to be published: DOCKER_FLAGS has {' '.join(replacing)}.")
    return placed


def not_publishable(pinning: str, name: str) -> str:
    """Return why a result from an image of this pinning may not be published."""
    if pinning == spec.STANDIN:
        return f"{name} only stands in for an image (label {spec.STAND_IN})"
    return (
        f"nobody else can know what is in {name}, which has no digest that docker/images.toml or IMAGE names and was "
        "not made by `make image` from this checkout's lock file and base"
    )


def _inspected(engine: Engine, choice: Choice, say: Callable[[str], None]) -> Any:
    image = choice.image
    found = engines.inspect(engine, image, subprocesses.run_captured)
    if found is not None:
        return found
    if image.is_built:
        build = f"`make image IMAGE={image.name}`"
        raise EnvironmentProblem(
            f"the image {image.locator} is not here, as it is built and not pulled", f"type {build}"
        )
    engines.require_space(engine, image)
    size = f", about {image.unpacked_gb} GB unpacked" if image.unpacked_gb else ""
    say(f"Pulling {image.locator}{size}.")
    # Podman writes its progress to standard error, docker its errors.
    code, words = subprocesses.run_with_stderr([engine.program, "pull", image.locator], CHECKOUT, echo=engine.is_podman)
    if code in (130, 143):
        raise EnvironmentProblem(
            f"the pull of {image.name} was interrupted", "type the same command again, which may have to fetch it again"
        )
    found = engines.inspect(engine, image, subprocesses.run_captured) if not code else None
    if found is None:
        before = f"the image {image.name} ({image.label}) could not be pulled: "
        raise engines.meaning(words, Path(engine.program).name, image.locator, before)
    return found


def recipe(image: Image) -> dict[str, str]:
    """Return the labels of an image that `make image` builds from this checkout; none for a pulled one."""
    if not image.is_built:
        return {}
    files = {
        spec.LOCK_LABEL: CHECKOUT / "requirements" / f"{image.lock}.txt",
        spec.DOCKERFILE_LABEL: CHECKOUT / "docker" / "Dockerfile",
    }
    hashes = {label: hashlib.sha256(path.read_bytes()).hexdigest() for label, path in files.items()}
    return {spec.BASE_LABEL: image.base, **hashes}
