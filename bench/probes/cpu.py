"""How the CPUs are run, read from /sys and /proc: frequencies, turbo, threads, sockets. None is what is not shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bench.probes.text import fields, text

_CPUS = "sys/devices/system/cpu"
_KINDS = {"Data": "d", "Instruction": "i"}


@dataclass(frozen=True)
class Cpu:
    """What decides how fast the CPUs run beside their model; ``online`` counts the machine's logical CPUs.

    ``governor`` and ``driver`` join different ones with commas. ``max_mhz`` is the highest frequency the driver allows
    any of them, ``hypervisor`` whether the CPU says that it belongs to a virtual machine. ``caches`` are those of the
    first CPU, such as `L2 1024K`.
    """

    online: int | None
    governor: str | None
    driver: str | None
    turbo: bool | None
    smt: bool | None
    sockets: int | None
    numa_nodes: int | None
    max_mhz: float | None
    hypervisor: bool | None
    clocksource: str | None
    family: int | None = None
    model_number: int | None = None
    stepping: int | None = None
    caches: tuple[str, ...] | None = None


def read(root: Path = Path("/")) -> Cpu:
    """The CPUs as the files under ``root`` describe them (kernel documentation: admin-guide/pm, sysfs-devices-system-
    cpu)."""
    cpuinfo = text(root / "proc/cpuinfo")
    sockets = {line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("physical id")}
    nodes = [path for path in root.glob("sys/devices/system/node/node*") if path.name[4:].isdecimal()]
    first = fields(cpuinfo, ":")
    flags = first.get("flags")
    return Cpu(
        online=sum(line.split(":")[0].strip() == "processor" for line in cpuinfo.splitlines()) or None,
        governor=_joined(root, "scaling_governor"),
        driver=_joined(root, "scaling_driver"),
        turbo=_turbo(root / _CPUS),
        smt={"0": False, "1": True}.get(text(root / _CPUS / "smt/active")),
        sockets=len(sockets) or None,
        numa_nodes=len(nodes) or None,
        max_mhz=max((int(each) / 1000 for each in _frequency_files(root, "cpuinfo_max_freq")), default=None),
        hypervisor=None if flags is None else "hypervisor" in flags.split(),
        clocksource=text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource") or None,
        family=_whole(first.get("cpu family", "")),
        model_number=_whole(first.get("model", "")),
        stepping=_whole(first.get("stepping", "")),
        caches=_caches(root / _CPUS / "cpu0/cache") or None,
    )


def _whole(shown: str) -> int | None:
    return int(shown) if re.fullmatch(r"[0-9]{1,9}", shown) else None


def _caches(folder: Path) -> tuple[str, ...]:
    """The caches of a CPU in their order, the kind with those that do not hold both data and instructions."""
    found = []
    for cache in sorted(folder.glob("index*")):
        level, kind, size = (text(cache / name) for name in ("level", "type", "size"))
        if level and size:
            found.append(f"L{level}{_KINDS.get(kind, '')} {size}")
    return tuple(found)


def _turbo(cpus: Path) -> bool | None:
    """Intel's driver has a switch that turns it off, the others have one that turns it on."""
    off = text(cpus / "intel_pstate/no_turbo")
    if off in ("0", "1"):
        return off == "0"
    return {"0": False, "1": True}.get(text(cpus / "cpufreq/boost"))


def _joined(root: Path, name: str) -> str | None:
    seen = {text(path) for path in root.glob(f"{_CPUS}/cpu[0-9]*/cpufreq/{name}")} - {""}
    return ",".join(sorted(seen)) or None


def _frequency_files(root: Path, name: str) -> list[str]:
    return [each for path in root.glob(f"{_CPUS}/cpu[0-9]*/cpufreq/{name}") if (each := text(path)).isdecimal()]
