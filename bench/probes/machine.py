"""The fingerprint of a run: machine, software and checkout, in the keys of ``bench.record.fingerprint_keys``."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import bench
from bench.probes import container, cpu, git, gpu, host
from bench.probes.gpu_facts import gpu_facts
from bench.record.fingerprint_keys import PACKAGES
from bench.system import env_snapshot, redaction
from bench.system.env_snapshot import WITHHELD, Identity
from bench.system.subprocesses import RunCaptured

#: What requirements/install.py leaves in an environment it has finished.
STAMP_FILE = "installed.json"
#: Where an image that holds harness and trainer says what it is: ``name@sha256:digest``, set when it is built.
IMAGE_VARIABLE = "BENCH_IMAGE"
_IMAGE = re.compile(r"[a-z0-9][\w.-]*(:[\w.-]+)?@sha256:[0-9a-f]{64}")
#: Characters that are kept of a label of an image, or a flag.
_LONGEST = 200


def fingerprint(
    checkout: Path,
    run: RunCaptured,
    *,
    device: str = "auto",
    image: str | None = None,
    root: Path = Path("/"),
    prefix: Path = Path(sys.prefix),
    environ: Mapping[str, str] = os.environ,
    identity: Identity | None = None,
    look: Callable[[], gpu.GpuInventory] = gpu.discover,
) -> dict[str, Any]:
    """The fingerprint of a run on ``device`` (``auto``, ``cpu``, ``gpu`` or a UUID), ready for JSON.

    ``run`` starts git and the like. ``image`` is the trainer's container image with its digest, ``environ`` the
    trainer's environment, ``prefix`` the Python environment, ``root`` where /proc, /sys and /etc are, ``look`` finds
    the GPUs. A value that cannot be found is None; nothing is raised. It holds no host name, user name, address, home
    folder or absolute path.
    """
    identity = identity or Identity.of_this_process()

    def stdout_of(argv: Sequence[str], seconds: float) -> str:
        return run(argv, seconds).out

    facts: dict[str, Any] = {
        "harness.version": bench.__version__,
        "image": _image(image),
        "python.version": platform.python_version(),
    }
    code = git.look(checkout, run)
    facts |= {"git.commit": code.commit, "git.dirty": code.dirty, "git.problem": code.problem}
    facts.update(installed_lock(prefix))
    facts.update({f"package.{name}": package_version(name) for name in PACKAGES})
    facts.update(_host_facts(host.read(root)))
    facts.update(_cpu_facts(cpu.read(root)))
    facts["container.kind"] = container.kind(root)
    facts["container.toolkit"] = container.toolkit_version(stdout_of)
    facts.update(gpu_facts(device, environ, look))
    facts["cache.cuda_kernels"] = _kernel_cache(environ) if facts["gpu.name"] else None
    redacted = {name: _withheld(value, identity) for name, value in facts.items()}
    return redacted | {f"env.{name}": value for name, value in env_snapshot.recorded(environ, identity).items()}


def _withheld(value: Any, identity: Identity) -> Any:
    """A value for a record: a text that was chosen on this machine may hold a person's name."""
    return WITHHELD if isinstance(value, str) and identity.is_told_by(value) else value


def redacted(facts: Mapping[str, Any], identity: Identity | None = None) -> dict[str, Any]:
    """Redact facts whose texts come from elsewhere, such as those of an image."""
    identity = identity or Identity.of_this_process()

    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(each) for each in value]
        return redaction.redact(value, identity)[:_LONGEST] if isinstance(value, str) else value

    return {name: one(value) for name, value in facts.items()}


def installed_lock(prefix: Path = Path(sys.prefix)) -> dict[str, Any]:
    """``lock.name`` and ``lock.sha256`` of the lock that the environment at ``prefix`` was installed from, or None."""
    try:
        locks = json.loads((prefix / STAMP_FILE).read_text(encoding="utf-8"))["locks"]
        # ``dev`` is added to one of the others, and no result depends on it.
        name, sha256 = next((name, value) for name, value in locks.items() if name != "dev")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return {"lock.name": None, "lock.sha256": None}
    return {"lock.name": str(name), "lock.sha256": str(sha256)}


def package_version(name: str) -> str | None:
    """The version of an installed package, None where it is not installed; nothing is imported."""
    try:
        return packages.version(name)
    except packages.PackageNotFoundError:
        return None


def _host_facts(seen: host.Host) -> dict[str, Any]:
    return {
        "os.name": seen.os_name,
        "kernel.release": seen.kernel_release,
        "cpu.model": seen.cpu_model,
        "cpu.cores": seen.cpu_cores,
        "cpu.flags_of_interest": list(seen.cpu_flags),
        "memory.total_bytes": seen.memory_total_bytes,
        "memory.swap_total_bytes": seen.swap_total_bytes,
        "cgroup.cpu_cores": seen.cgroup_cpu_cores,
        "cgroup.memory_bytes": seen.cgroup_memory_bytes,
    }


def _cpu_facts(seen: cpu.Cpu) -> dict[str, Any]:
    found = {f"cpu.{name}": list(value) if isinstance(value, tuple) else value for name, value in vars(seen).items()}
    found["kernel.clocksource"] = found.pop("cpu.clocksource")
    return found


def _image(image: str | None) -> str | None:
    """The last part of an image's name, and its digest, without the registry."""
    if not image:
        return None
    name = image.strip().rpartition("/")[2]
    return name if _IMAGE.fullmatch(name) else WITHHELD


def _kernel_cache(environ: Mapping[str, str]) -> str:
    """``warm`` where the driver keeps kernels it compiled here before (CUDA C++ Programming Guide, CUDA_CACHE_PATH)."""
    if environ.get("CUDA_CACHE_DISABLE") == "1":
        return "cold"
    folder = Path(environ.get("CUDA_CACHE_PATH") or Path(environ.get("HOME") or Path.home()) / ".nv" / "ComputeCache")
    try:
        return "warm" if any(folder.iterdir()) else "cold"
    except OSError:
        return "cold"
