"""The machine's moving counters, read again and again; ``bench.probes.host`` has what does not move.

The files are kept open. A kernel or a container that lacks one leaves its values None and their names in ``absent``.
Fields and their units: proc(5), Documentation/accounting/psi.rst and Documentation/admin-guide/cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.probes import host
from bench.probes.pseudofile import PAGE, PseudoFile

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESOURCES = ("cpu", "memory", "io")
#: Frequencies are read of so many CPUs at most and for so long: kernels before 5.18 take 10 ms for each.
_MOST_CPUS, _FREQUENCY_SECONDS = 16, 0.002


@dataclass(frozen=True)
class Totals:
    """What only grows, since the machine's start; None is what the kernel does not show.

    ``throttled_seconds`` is the time the control groups above us were held at their CPU limit, of every CPU;
    ``pressure_seconds`` (``cpu``, ``memory``, ``io``) the time in which something waited for it.
    """

    system_busy_seconds: float | None = None
    steal_seconds: float | None = None
    swapped_bytes: int | None = None
    throttled_seconds: float | None = None
    pressure_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """The machine now, by the columns of ``telemetry.csv``; None is what the kernel does not show."""

    system_busy_seconds: float | None = None
    steal_seconds: float | None = None
    cpu_mhz: float | None = None
    load_average: float | None = None
    memory_available_bytes: int | None = None
    page_cache_bytes: int | None = None
    swapped_bytes: int | None = None


class Load:
    """The files behind State and Totals, held open until ``close``."""

    def __init__(
        self,
        root: Path = Path("/"),
        cpus: Iterable[int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``cpus`` are those whose frequency counts, by default all that this process may run on."""
        proc = root / "proc"
        self._stat, self._loadavg = PseudoFile(proc / "stat"), PseudoFile(proc / "loadavg")
        self._meminfo, self._vmstat = PseudoFile(proc / "meminfo"), PseudoFile(proc / "vmstat")
        self._cpuinfo = PseudoFile(proc / "cpuinfo")
        self._pressure = {name: PseudoFile(proc / "pressure" / name) for name in _RESOURCES}
        self._groups = [PseudoFile(group / "cpu.stat") for group in host.groups(root, "cpu")]
        allowed = sorted(os.sched_getaffinity(0) if cpus is None else cpus)
        self._frequencies = _affordable(_frequency_files(root, allowed), clock)
        self.absent = self._absent()

    def state(self) -> State:
        """The machine now."""
        busy, steal = self._cpu_seconds()
        memory = self._meminfo.read()
        return State(
            system_busy_seconds=busy,
            steal_seconds=steal,
            cpu_mhz=self._cpu_mhz(),
            load_average=_first_number(self._loadavg.read()),
            memory_available_bytes=_bytes(memory, b"\nMemAvailable:", 1024),
            page_cache_bytes=_bytes(memory, b"\nCached:", 1024),
            swapped_bytes=self._swapped_bytes(),
        )

    def totals(self) -> Totals:
        """The counters now."""
        busy, steal = self._cpu_seconds()
        return Totals(busy, steal, self._swapped_bytes(), self._throttled_seconds(), self._pressure_seconds())

    def close(self) -> None:
        """Give all descriptors back."""
        files = (self._stat, self._loadavg, self._meminfo, self._vmstat, self._cpuinfo)
        for file in (*files, *self._pressure.values(), *self._groups, *self._frequencies):
            file.close()

    def _absent(self) -> tuple[str, ...]:
        seen = {**asdict(self.state()), **asdict(self.totals())}
        pressure = seen.pop("pressure_seconds")
        missing = [name for name, value in seen.items() if value is None]
        return (*missing, *(f"pressure_seconds.{name}" for name in _RESOURCES if name not in pressure))

    def _cpu_seconds(self) -> tuple[float | None, float | None]:
        """Busy and stolen seconds of all CPUs. Time of guests is in that of their users already; waiting is idle."""
        words = self._stat.read(256).partition(b"\n")[0].split()
        if words[:1] != [b"cpu"] or len(words) < 9:
            return None, None
        user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, words[1:9])
        return (user + nice + system + irq + softirq) / _TICKS_PER_SECOND, steal / _TICKS_PER_SECOND

    def _swapped_bytes(self) -> int | None:
        shown = self._vmstat.read()
        into, out = _bytes(shown, b"\npswpin ", _PAGE_BYTES), _bytes(shown, b"\npswpout ", _PAGE_BYTES)
        return None if into is None or out is None else into + out

    def _throttled_seconds(self) -> float | None:
        """The sum over our group and those above it, of which as a rule one has a limit."""
        shown = [file.read() for file in self._groups]
        microseconds = [_whole_after(each, b"\nthrottled_usec ") for each in shown]  # version 2
        nanoseconds = [_whole_after(each, b"\nthrottled_time ") for each in shown]  # version 1
        seconds = [each / 1e6 for each in microseconds if each is not None]
        seconds += [each / 1e9 for each in nanoseconds if each is not None]
        return sum(seconds) if seconds else None

    def _pressure_seconds(self) -> dict[str, float]:
        said = {name: file.read().partition(b"\n")[0].rpartition(b"total=")[2] for name, file in self._pressure.items()}
        return {name: int(total) / 1e6 for name, total in said.items() if total.isdigit()}

    def _cpu_mhz(self) -> float | None:
        if self._frequencies:
            said = [file.read(32).strip() for file in self._frequencies]
            values = [int(each) / 1000 for each in said if each.isdigit()]
        else:  # Of as many CPUs as one read gives.
            said = self._cpuinfo.read(4 * PAGE).split(b"cpu MHz")[1:]
            numbers = (_first_number(each.partition(b":")[2]) for each in said)
            values = [number for number in numbers if number is not None]
        return round(sum(values) / len(values), 3) if values else None


def _frequency_files(root: Path, cpus: list[int]) -> list[PseudoFile]:
    """Files with the frequency of some of these CPUs, taken evenly."""
    folder = root / "sys/devices/system/cpu"
    paths = [folder / f"cpu{cpu}" / "cpufreq/scaling_cur_freq" for cpu in cpus]
    there = [path for path in paths if os.path.exists(path)]  # False also where we may not look
    return [PseudoFile(path) for path in there[:: -(-len(there) // _MOST_CPUS) or 1]]


def _affordable(files: list[PseudoFile], clock: Callable[[], float]) -> list[PseudoFile]:
    """As many of the files as can be read in the time a tick may give them, at least one; the others are closed."""
    began = clock()
    count = 0
    for file in files:
        file.read(32)
        count += 1
        if clock() - began > _FREQUENCY_SECONDS:
            break
    for file in files[count:]:
        file.close()
    return files[:count]


def _whole_after(shown: bytes, mark: bytes) -> int | None:
    """The whole number behind a mark, such as the name that begins a line."""
    words = shown.partition(mark)[2].split(None, 1)
    return int(words[0]) if words and words[0].isdigit() else None


def _bytes(shown: bytes, mark: bytes, unit: int) -> int | None:
    count = _whole_after(shown, mark)
    return None if count is None else count * unit


def _first_number(shown: bytes) -> float | None:
    words = shown.split(None, 1)
    try:
        return float(words[0]) if words else None
    except ValueError:
        return None
