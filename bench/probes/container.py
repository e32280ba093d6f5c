"""Whether this process is in a container and of what kind, and the version of NVIDIA's toolkit that hands out GPUs."""

from __future__ import annotations

import re
from pathlib import Path

from bench.errors import BenchError
from bench.probes.framework import RunCommand
from bench.probes.text import text

#: They answer in milliseconds; a hang costs the fingerprint an empty key.
_PATIENCE_SECONDS = 10.0
_TOOLKITS = (["nvidia-ctk", "--version"], ["nvidia-container-cli", "--version"])
#: What the path of a control group, or of the file that names its mount, holds in each kind of container.
_SIGNS = {"docker": "docker", "kubepods": "kubernetes", "libpod": "podman", "lxc": "lxc", "containerd": "containerd"}


def kind(root: Path = Path("/")) -> str:
    """``docker``, ``podman``, ``kubernetes``, ``containerd``, ``lxc``, ``apptainer``, or ``none``."""
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".singularity.d").exists():
        return "apptainer"
    groups = text(root / "proc/1/cgroup") + text(root / "proc/self/cgroup")
    for sign, name in _SIGNS.items():
        if f"/{sign}" in groups or f"{sign}-" in groups:
            return name
    return "docker" if (root / ".dockerenv").exists() else "none"


def toolkit_version(run_command: RunCommand) -> str | None:
    """The version of the NVIDIA container toolkit, None where this machine, or this container, has none."""
    for argv in _TOOLKITS:
        try:
            found = re.search(r"version:?\s+v?(\d+\.\d+\.\d+(?:[-~][\w.]+)?)", run_command(argv, _PATIENCE_SECONDS))
        except (OSError, BenchError):
            continue
        if found:
            return found[1]
    return None
