"""The machine without its GPUs, read from /proc, /sys and /etc. A value the kernel does not show stays None."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Host:
    """CPU, memory, operating system and limits; None is what the kernel does not show, or a limit that is not set."""

    cpu_model: str | None
    cpu_cores: int
    cpu_flags: tuple[str, ...]
    cpu_governor: str | None
    memory_total_bytes: int | None
    kernel_release: str | None
    os_name: str | None
    cgroup_cpu_cores: float | None
    cgroup_memory_bytes: int | None
    load_average: float | None

    @property
    def has_bf16(self) -> bool:
        """Whether the CPU multiplies bfloat16 in hardware."""
        return "amx_bf16" in self.cpu_flags or "avx512_bf16" in self.cpu_flags


def read(root: Path = Path("/")) -> Host:
    """The host as the files under ``root`` describe it. ``cpu_cores`` counts the logical CPUs this process may run on.

    ``cpu_flags`` are those of FLAGS_OF_INTEREST that the CPU has; ``cpu_governor`` joins different ones with commas;
    ``load_average`` is the kernel's mean number of runnable tasks over the last minute.
    """
    cpuinfo = _fields(_text(root / "proc/cpuinfo"), ":")
    memory = _fields(_text(root / "proc/meminfo"), ":").get("MemTotal", "").split()
    flags = set(cpuinfo.get("flags", "").split())
    governors = {_text(path) for path in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")} - {""}
    return Host(
        cpu_model=cpuinfo.get("model name") or None,
        cpu_cores=len(os.sched_getaffinity(0)),
        cpu_flags=tuple(flag for flag in FLAGS_OF_INTEREST if flag in flags),
        cpu_governor=",".join(sorted(governors)) or None,
        memory_total_bytes=int(memory[0]) * 1024 if memory[1:] == ["kB"] and memory[0].isdecimal() else None,
        kernel_release=_text(root / "proc/sys/kernel/osrelease") or None,
        os_name=_fields(_text(root / "etc/os-release"), "=").get("PRETTY_NAME", "").strip('"') or None,
        cgroup_cpu_cores=min(_cpu_limits(root), default=None),
        cgroup_memory_bytes=min(_memory_limits(root), default=None),
        load_average=_number(_text(root / "proc/loadavg").partition(" ")[0]),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _fields(text: str, mark: str) -> dict[str, str]:
    """``name mark value`` lines; the first of a name counts, as every core repeats them in /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, found, value = line.partition(mark)
        if found:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control group of this process and all those above it, version 2 and 1: the tightest limit of them holds.

    Inside a container the path in /proc may be the host's and not exist below the mount; those above it do.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        group = mount / path.lstrip("/")
        yield group
        yield from (parent for parent in group.parents if parent == mount or mount in parent.parents)


def _cpu_limits(root: Path) -> Iterator[float]:
    for group in _groups(root, "cpu"):
        pairs = [
            _text(group / "cpu.max").split(),
            [_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")],
        ]
        for pair in pairs:
            if len(pair) == 2 and all(part.isdecimal() for part in pair) and int(pair[1]) > 0:
                yield int(pair[0]) / int(pair[1])


def _memory_limits(root: Path) -> Iterator[int]:
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _text(group / name)
            if limit.isdecimal() and int(limit) < _NO_LIMIT_BYTES:
                yield int(limit)
