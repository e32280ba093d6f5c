"""The checks before a run: what the machine has, whether that will do, and what to type where it will not.

``bench.checks`` judges a record afterwards; this list asks beforehand, about what a record can no longer help. Each
check is a pure function of ``Facts``; ``gather`` is the only part that looks at the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.probes import cpu, framework, gpu, host, machine

OK, WARN, FAIL = "ok", "warn", "fail"
#: TensorFlow 2.21 has wheels for these (its package metadata).
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
#: The trainer and the harness together stay under 3 GiB; an eighth more leaves the system something.
ENOUGH_MEMORY_BYTES = 3 * 2**30 * 9 // 8
#: The archive of CIFAR-10 has 170 MB; a campaign writes a few.
DATA_BYTES = 200_000_000
RESULTS_BYTES = 100_000_000
#: Other work that takes this share of the CPUs is more than a system's own.
BUSY_SHARE = 0.25


@dataclass(frozen=True)
class Finding:
    """What one check saw: ``value``, the ``verdict`` (ok, warn, fail) on it and ``advice``, empty where all is well."""

    check: str
    value: str
    verdict: str = OK
    advice: str = ""


@dataclass(frozen=True)
class Data:
    """CIFAR-10 as far as a look at its files tells.

    ``state`` is present, missing (where it would be downloaded) or unusable (where the person says it is); ``told`` is
    a line on it and ``advice`` what to type where it is not present.
    """

    state: str
    told: str
    advice: str = ""


@dataclass(frozen=True)
class Facts:
    """What the checks look at, for runs on ``device`` (``auto``, ``cpu``, ``gpu`` or a UUID).

    ``sight`` is None where the driver does not work, and ``gpu_problem`` says why. ``unlike_lock`` names the packages
    that are not as locked, None where no lock is known.
    """

    device: str
    python: tuple[int, int]
    lock_name: str | None
    unlike_lock: tuple[str, ...] | None
    tensorflow: framework.Answer
    sight: gpu.Sight | None
    gpu_problem: str | None
    data: Data
    free_bytes: int
    results_writable: bool
    host: host.Host
    cpu: cpu.Cpu
    git_commit: str | None
    git_dirty: bool | None


def gather(checkout: Path, results: Path, device: str, data: Data, run_command: framework.RunCommand) -> Facts:
    """The facts about this machine, for runs that write in ``results``; takes as long as TensorFlow's import."""
    seen = host.read()  # first, before our own work shows in the load
    sight, gpu_problem = None, None
    try:
        sight = gpu.look()
    except gpu.GpuProblem as problem:
        gpu_problem = str(problem)
    git = machine.git_state(checkout, run_command)
    lock_name = machine.installed_lock()["lock.name"]
    ground = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    return Facts(
        device=device,
        python=sys.version_info[:2],
        lock_name=lock_name,
        unlike_lock=packages_unlike_lock(checkout / "requirements" / f"{lock_name}.txt") if lock_name else None,
        tensorflow=framework.ask(run_command, checkout),
        sight=sight,
        gpu_problem=gpu_problem,
        data=data,
        free_bytes=shutil.disk_usage(ground).free,
        results_writable=ground.is_dir() and os.access(ground, os.W_OK | os.X_OK),
        host=seen,
        cpu=cpu.read(),
        git_commit=git["git.commit"],
        git_dirty=git["git.dirty"],
    )


def packages_unlike_lock(lock: Path) -> tuple[str, ...] | None:
    """The packages of ``lock`` that are installed in another version, as ``numpy 1.26.4``; None without such a file."""
    try:
        pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    locked: dict[str, set[str]] = {}
    for name, version in pins:  # a package may be pinned twice, for different platforms
        locked.setdefault(name, set()).add(version)
    installed = {name: machine.package_version(name) for name in locked}
    return tuple(f"{name} {version}" for name, version in installed.items() if version and version not in locked[name])


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Every check's finding, in the order a person would ask."""
    return tuple(check(facts) for check in CHECKS)


def _python(facts: Facts) -> Finding:
    value = f"{facts.python[0]}.{facts.python[1]}"
    if OLDEST_PYTHON <= facts.python <= NEWEST_PYTHON:
        return Finding("Python", value)
    return Finding("Python", value, FAIL, "install one of Python 3.10 to 3.13, then type `make bench`")


def _packages(facts: Facts) -> Finding:
    if facts.unlike_lock is None:
        value = "not installed from a lock file"
        return Finding("packages", value, WARN, "type `make bench`, which installs what is locked into .venv")
    if facts.unlike_lock:
        value = f"not as {facts.lock_name}.txt says: {', '.join(facts.unlike_lock)}"
        return Finding("packages", value, WARN, "remove .venv and type `make bench`, which installs what is locked")
    return Finding("packages", f"as {facts.lock_name}.txt says")


def _tensorflow(facts: Facts) -> Finding:
    answer = facts.tensorflow
    if answer.version is None:
        value = answer.error or "no answer"
        return Finding("TensorFlow", value, FAIL, "remove .venv and type `make bench`, which installs it anew")
    return Finding("TensorFlow", answer.version)


def _gpu(facts: Facts) -> Finding:
    if facts.device == "cpu":
        return Finding("GPU", "not used, as DEVICE=cpu says")
    if facts.sight is None:
        return Finding("GPU", facts.gpu_problem or "the driver does not work", FAIL, "mend that, or type DEVICE=cpu")
    if not facts.sight.gpus and facts.tensorflow.gpus:
        value = f"TensorFlow has {len(facts.tensorflow.gpus)} that the harness cannot watch: {facts.sight.why_none}"
        return Finding("GPU", value, FAIL, "remove .venv and type `make bench`, or start the container with NVML in it")
    if not facts.sight.gpus:
        none = f"none: {facts.sight.why_none}"
        return Finding("GPU", none) if facts.device == "auto" else Finding("GPU", none, FAIL, "type DEVICE=cpu")
    names = ", ".join(f"{gpu.name} (driver {gpu.driver_version or 'unknown'})" for gpu in facts.sight.gpus)
    if facts.tensorflow.gpus or facts.tensorflow.version is None:  # without an import there is nothing to say about it
        return Finding("GPU", names)
    why = facts.tensorflow.why_no_gpu or facts.tensorflow.error or "it does not say why"
    advice = "mend that, or type DEVICE=cpu to train on the CPU"
    return Finding("GPU", f"{names}, which TensorFlow cannot use: {why}", FAIL, advice)


def _data(facts: Facts) -> Finding:
    data = facts.data
    if data.state == "unusable":
        return Finding("CIFAR-10", data.told, FAIL, data.advice)
    if data.state == "missing" and _has_gpu(facts):
        return Finding("CIFAR-10", data.told, WARN, data.advice)
    if data.state == "missing":
        return Finding("CIFAR-10", f"{data.told}; the recipe smoke does without")
    return Finding("CIFAR-10", data.told)


def _has_gpu(facts: Facts) -> bool:
    return facts.device != "cpu" and facts.sight is not None and bool(facts.sight.gpus)


def _disk(facts: Facts) -> Finding:
    needed = RESULTS_BYTES + (DATA_BYTES if facts.data.state == "missing" else 0)
    value = f"{facts.free_bytes / 1e9:.1f} GB free"
    if facts.free_bytes < needed:
        return Finding("disk", value, FAIL, f"make room: {needed / 1e6:.0f} MB are needed")
    return Finding("disk", value)


def _results(facts: Facts) -> Finding:
    if facts.results_writable:
        return Finding("results folder", "can be written")
    return Finding("results folder", "cannot be written", FAIL, "name one that can with OUT=/path")


def _cpu(facts: Facts) -> Finding:
    value = f"{facts.host.cpu_model or 'model not known'}, {facts.host.cpu_cores} cores"
    limit = facts.host.cgroup_cpu_cores
    if limit is not None and limit < facts.host.cpu_cores:
        advice = "give the container whole CPUs (--cpuset-cpus), or its threads will be stopped in turn"
        return Finding("CPU", f"{value}, of which it may use the time of {limit:g}", WARN, advice)
    return Finding("CPU", value)


def _bf16(facts: Facts) -> Finding:
    if facts.host.has_bf16:
        return Finding("CPU bfloat16", " ".join(flag for flag in facts.host.cpu_flags if flag.endswith("bf16")))
    if _has_gpu(facts):
        return Finding("CPU bfloat16", "none, and the GPU needs none")
    return Finding("CPU bfloat16", "none", WARN, "expect fp32 to be used, at a fraction of the speed")


def _memory(facts: Facts) -> Finding:
    known = [size for size in (facts.host.memory_total_bytes, facts.host.cgroup_memory_bytes) if size is not None]
    if not known:
        return Finding("memory", "not known")
    value = f"{min(known) / 2**30:.1f} GiB"
    if min(known) < ENOUGH_MEMORY_BYTES:
        needed = f"{ENOUGH_MEMORY_BYTES / 2**30:.1f} GiB"
        return Finding("memory", value, WARN, f"expect a run on the whole dataset to be killed: it needs {needed}")
    return Finding("memory", value)


def _load(facts: Facts) -> Finding:
    load = facts.host.load_average
    if load is None:
        return Finding("other work", "not known")
    value = f"{load:.1f} of {facts.host.cpu_cores} cores busy in the last minute"
    if load > BUSY_SHARE * facts.host.cpu_cores:
        return Finding("other work", value, WARN, "stop what else is running, or times will not be this machine's best")
    return Finding("other work", value)


def _governor(facts: Facts) -> Finding:
    governor = facts.cpu.governor
    if governor is None:
        return Finding("CPU governor", "not shown, as in most clouds")
    if governor == "performance":
        return Finding("CPU governor", governor)
    advice = f"type `sudo cpupower frequency-set -g performance`; later undo it with `-g {governor.split(',')[0]}`"
    return Finding("CPU governor", governor, WARN, advice)


def _git(facts: Facts) -> Finding:
    if facts.git_dirty is None:
        return Finding("checkout", "git does not tell its commit", WARN, "work in a clone, or results name no commit")
    commit = (facts.git_commit or "")[:12]
    if facts.git_dirty:
        return Finding("checkout", f"{commit} with changes", WARN, "commit them, as publishing refuses such results")
    return Finding("checkout", commit)


CHECKS: tuple[Callable[[Facts], Finding], ...] = (
    _python,
    _packages,
    _tensorflow,
    _gpu,
    _data,
    _disk,
    _results,
    _cpu,
    _bf16,
    _memory,
    _load,
    _governor,
    _git,
)
