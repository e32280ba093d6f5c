"""Gather the facts about this machine that the rules of ``bench.rules`` need before a run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.containers import engine as engines
from bench.containers import selection
from bench.errors import EnvironmentProblem
from bench.launch import trainer_command
from bench.probes import container, cpu, framework, git, gpu, host, machine
from bench.probes.device import device as find_device
from bench.probes.page_cache import cached_bytes
from bench.rules import CardState, Data, Facts
from bench.system import subprocesses
from bench.system.paths import CHECKOUT
from bench.system.subprocesses import RunCaptured
from resnet9.data import dataset, sources
from resnet9.errors import DataError


@dataclass(frozen=True)
class Place:
    """Where runs would be made: ``text`` is a sentence, ``problem`` says why that is not possible.

    ``image`` is its TensorFlow and name, empty for a native run.
    """

    text: str = ""
    problem: str = ""
    image: str = ""


def facts(data: str | None, results: Path, device: str, containers: selection.ContainerOptions) -> Facts:
    """Return the facts about this machine for runs of this checkout that write in ``results``; nothing is pulled."""
    place = find_place(containers, device)
    return gather(CHECKOUT, results, device, find_data(data), subprocesses.run_captured, place=place)


def find_place(options: selection.ContainerOptions, device: str) -> Place:
    """Return where runs would be made."""
    try:
        trains_on = find_device(device)
    except EnvironmentProblem:
        return Place()  # the rules on GPUs say what is wrong with one
    try:
        chosen = selection.resolve(options, trains_on)
        if chosen.choice is None or chosen.engine is None:
            return Place(chosen.said)
        image = chosen.choice.image
        present = engines.inspect(chosen.engine, image, subprocesses.run_captured) is not None
        if not present and not image.is_built:
            engines.require_space(chosen.engine, image)
        state = "It is here." if present else f"It is still to be {'built' if image.is_built else 'pulled'}."
        return Place(f"{chosen.said} {state}", image=f"{image.tensorflow} in the image {image.name}")
    except EnvironmentProblem as problem:
        return Place(problem=str(problem))


def find_data(named: str | None) -> Data:
    """Return CIFAR-10 at ``named``, or in the checkout, by names and sizes of its files only."""
    if named and sources.is_address(named):
        named = None  # it is downloaded to the same place
    place = (named, CHECKOUT / dataset.DEFAULT_FOLDER)
    try:
        state, files = sources.source(*place)
        cached = [cached_bytes(path) for path in files]
        return Data(
            "present",
            sources.describe(*place),
            will_be=state,
            bytes=sum(path.stat().st_size for path in files),
            cached_bytes=None if None in cached else sum(filter(None, cached)),
        )
    except DataError as error:
        return Data("unusable" if named else "missing", error.message, error.hint)


def gather(
    checkout: Path,
    results: Path,
    device: str,
    data: Data,
    run: RunCaptured,
    environ: Mapping[str, str] = os.environ,
    place: Place = Place(),
) -> Facts:
    """Return the facts about this machine for runs that write in ``results``; takes as long as TensorFlow's import."""
    seen, cpus = host.read(), cpu.read()  # first, before our own work shows in the load
    binding, binding_problem = _binding()
    gpus = _gpus(device, environ.get("CUDA_VISIBLE_DEVICES"))
    code = git.look(checkout, run)
    lock_name = machine.installed_lock()["lock.name"]
    ground = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    tensorflow = (
        framework.Answer(place.image)
        if place.image
        else framework.ask(lambda argv, seconds: run(argv, seconds).out, checkout, trainer_command.python())
    )
    swap = (seen.swap_total_bytes, seen.swap_free_bytes)
    return Facts(
        device=device,
        python=sys.version_info[:2],
        lock_name=lock_name,
        unlike_lock=packages_unlike_lock(checkout / "requirements" / f"{lock_name}.txt") if lock_name else None,
        tensorflow_version=tensorflow.version,
        tensorflow_error=tensorflow.error,
        tensorflow_gpus=None if tensorflow.gpus is None else len(tensorflow.gpus),
        tensorflow_why_no_gpu=tensorflow.why_no_gpu,
        nvml_package=binding,
        nvml_package_problem=binding_problem,
        gpu_names=gpus.names,
        gpu_problem=gpus.problem,
        gpu_hidden_by=gpus.hidden_by,
        gpu_lost=gpus.lost,
        card=gpus.card,
        data=data,
        free_bytes=shutil.disk_usage(ground).free,
        results_writable=ground.is_dir() and os.access(ground, os.W_OK | os.X_OK),
        git_commit=code.commit,
        git_dirty=code.dirty,
        git_reason=code.reason,
        git_advice=code.advice,
        cpu_model=seen.cpu_model,
        cpu_cores=seen.cpu_cores,
        cpu_online=cpus.online,
        cpu_bf16=tuple(flag for flag in seen.cpu_flags if flag.endswith("bf16")),
        cpu_governor=cpus.governor,
        cpu_driver=cpus.driver,
        cpu_turbo=cpus.turbo,
        cpu_limit_cores=seen.cgroup_cpu_cores,
        memory_total_bytes=seen.memory_total_bytes,
        memory_available_bytes=seen.memory_available_bytes,
        memory_limit_bytes=seen.cgroup_memory_bytes,
        swap_used_bytes=None if swap[0] is None or swap[1] is None else swap[0] - swap[1],
        load_average=seen.load_average,
        unreadable=seen.unreadable,
        place=place.text,
        place_problem=place.problem,
        in_container=bool(place.image),
        container_kind=container.kind(),
    )


def packages_unlike_lock(lock: Path) -> tuple[str, ...] | None:
    """Return packages installed in another version than ``lock``'s, as ``numpy 1.26.4``; None without such a file."""
    try:
        pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    locked: dict[str, set[str]] = {}
    for name, version in pins:  # a package may be pinned twice, for different platforms
        locked.setdefault(name, set()).add(version)
    installed = {name: machine.package_version(name) for name in locked}
    return tuple(f"{name} {version}" for name, version in installed.items() if version and version not in locked[name])


def _binding() -> tuple[str | None, str | None]:
    try:
        return gpu.binding(), None
    except gpu.GpuProblem as problem:
        return None, str(problem)


@dataclass(frozen=True)
class _Gpus:
    names: tuple[str, ...] | None
    problem: str | None = None
    hidden_by: str | None = None
    lost: tuple[str, ...] = ()
    card: CardState | None = None


def _gpus(device: str, cuda_visible_devices: str | None) -> _Gpus:
    """Return the GPUs, the state of the one that a run on ``device`` gets, and why there is none."""
    try:
        sight = gpu.discover()
    except gpu.GpuProblem as problem:
        return _Gpus(None, str(problem))
    names = tuple(f"{each.name} (driver {each.driver_version or 'unknown'})" for each in sight.gpus)
    lost = tuple(each.sentence() for each in sight.lost)
    try:
        chosen = gpu.choose(sight, device, cuda_visible_devices)
    except EnvironmentProblem as problem:
        return _Gpus(names, str(problem), lost=lost)
    hidden_by = gpu.hidden_by(cuda_visible_devices) if names and device in ("auto", "gpu") else None
    return _Gpus(names, sight.why_none, hidden_by, lost, _state(chosen) if chosen else None)


def _state(chosen: gpu.Gpu) -> CardState:
    """Return the present state of the card; values that it does not report are None."""
    try:
        fixed = gpu.facts(chosen.uuid)
        before, sample, calls = _sampled(chosen.uuid)
    except gpu.GpuProblem as problem:
        return CardState(chosen.name, problem=str(problem))
    return CardState(
        name=chosen.name,
        foreign_processes=None if sample.processes is None else len(sample.processes),
        utilisation_percent=before.utilisation_percent,
        memory_bytes=before.memory_bytes,
        temperature_celsius=sample.numbers.get("gpu_temperature_celsius"),
        persistence=fixed.persistence,
        ecc=fixed.ecc,
        ecc_pending=fixed.pending_ecc,
        mig=fixed.mig,
        power_limit_watts=fixed.power_limit_watts,
        default_power_limit_watts=fixed.default_power_limit_watts,
        clock_limit_mhz=fixed.application_sm_clock_mhz,
        default_clock_limit_mhz=fixed.default_application_sm_clock_mhz,
        calls={**calls, **chosen.not_given, **fixed.not_given},
    )


@gpu.in_driver_thread("opening the GPU")
def _sampled(uuid: str) -> tuple[gpu.Before, gpu.Sample, dict[str, str]]:
    with gpu.open_card(uuid) as card:
        return card.look_before(), card.sample(slow=True), dict(card.calls)
