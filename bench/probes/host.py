"""The machine without its GPUs, read from /proc, /sys and /etc. A value the kernel does not show stays None."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.probes.text import fields, kibibytes, number, text

#: Instruction sets that decide which kernels oneDNN and Eigen choose on x86 (lscpu names them the same way).
FLAGS_OF_INTEREST = (
    "amx_bf16",
    "amx_int8",
    "amx_tile",
    "avx2",
    "avx512_bf16",
    "avx512_vnni",
    "avx512f",
    "fma",
)
#: Version 1 control groups say "no limit" with a number near 2^63 rounded to pages; no machine has an exbibyte.
_NO_LIMIT_BYTES = 1 << 60
#: What the checks before a run and the sampler during it are read from; every Linux shows these to everybody, unless a
#: container hides them.
_NEEDED = ("proc/cpuinfo", "proc/meminfo", "proc/stat", "proc/loadavg", "proc/self/stat", "sys/devices/system/cpu")


@dataclass(frozen=True)
class Host:
    """CPU, memory, operating system and limits; None is what the kernel does not show, or a limit that is not set."""

    cpu_model: str | None
    cpu_cores: int
    cpu_flags: tuple[str, ...]
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    swap_total_bytes: int | None
    swap_free_bytes: int | None
    kernel_release: str | None
    os_name: str | None
    cgroup_cpu_cores: float | None
    cgroup_memory_bytes: int | None
    load_average: float | None
    unreadable: tuple[str, ...] = ()


def read(root: Path = Path("/")) -> Host:
    """The host as the files under ``root`` describe it. ``cpu_cores`` counts the logical CPUs this process may run on.

    ``cpu_flags`` are those of FLAGS_OF_INTEREST that the CPU has; ``load_average`` is the kernel's mean number of
    runnable tasks over the last minute; ``unreadable`` names what is missing or refused below /proc and /sys.
    """
    cpuinfo = fields(text(root / "proc/cpuinfo"), ":")
    memory = fields(text(root / "proc/meminfo"), ":")
    flags = set(cpuinfo.get("flags", "").split())
    return Host(
        cpu_model=cpuinfo.get("model name") or None,
        cpu_cores=len(os.sched_getaffinity(0)),
        cpu_flags=tuple(flag for flag in FLAGS_OF_INTEREST if flag in flags),
        memory_total_bytes=kibibytes(memory.get("MemTotal", "")),
        memory_available_bytes=kibibytes(memory.get("MemAvailable", "")),
        swap_total_bytes=kibibytes(memory.get("SwapTotal", "")),
        swap_free_bytes=kibibytes(memory.get("SwapFree", "")),
        kernel_release=text(root / "proc/sys/kernel/osrelease") or None,
        os_name=fields(text(root / "etc/os-release"), "=").get("PRETTY_NAME", "").strip('"') or None,
        cgroup_cpu_cores=min(_cpu_limits(root), default=None),
        cgroup_memory_bytes=min(_memory_limits(root), default=None),
        load_average=number(text(root / "proc/loadavg").partition(" ")[0]),
        unreadable=tuple(f"/{name}" for name in _NEEDED if not _can_be_read(root / name)),
    )


def _can_be_read(path: Path) -> bool:
    try:
        return any(path.iterdir()) if path.is_dir() else bool(path.read_bytes())
    except OSError:
        return False


def groups(root: Path, controller: str) -> Iterator[Path]:
    """The control group of this process and all those above it, version 2 and 1: the tightest limit of them holds.

    Inside a container the path in /proc may be the host's and not exist below the mount; those above it do.
    """
    for line in text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        group = mount / path.lstrip("/")
        yield group
        yield from (parent for parent in group.parents if parent == mount or mount in parent.parents)


def _cpu_limits(root: Path) -> Iterator[float]:
    for group in groups(root, "cpu"):
        pairs = [
            text(group / "cpu.max").split(),
            [text(group / "cpu.cfs_quota_us"), text(group / "cpu.cfs_period_us")],
        ]
        for pair in pairs:
            if len(pair) == 2 and all(part.isdecimal() for part in pair) and int(pair[1]) > 0:
                yield int(pair[0]) / int(pair[1])


def _memory_limits(root: Path) -> Iterator[int]:
    for group in groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = text(group / name)
            if limit.isdecimal() and int(limit) < _NO_LIMIT_BYTES:
                yield int(limit)
