"""The values of the host that change while a run lasts; ``bench.probes.host`` has those that do not.

The files are kept open. A kernel or a container that lacks one leaves its values None and their names in ``absent``.
Fields and their units: proc(5), Documentation/accounting/psi.rst and Documentation/admin-guide/cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.probes import host
from bench.probes.pseudofile import PAGE, PseudoFile
from bench.record.metrics import Metric, read_from

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESOURCES = ("cpu", "memory", "io")
#: Frequencies are read of so many CPUs at most and for so long: kernels before 5.18 take 10 ms for each.
_MOST_CPUS, _FREQUENCY_SECONDS = 16, 0.002


class Load:
    """The host's readers, methods by the names that rows of ``bench.record.metrics`` give them; closed by ``close``."""

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
        #: Contents of the files that several values come from.
        self._shown: dict[PseudoFile, bytes] = {}
        self.absent = self._absent()

    def read(self, metrics: Sequence[Metric]) -> dict[str, Any]:
        """Return the values of these rows by name, each shared file being read once; None is what is not shown."""
        self._shown.clear()
        return {each.name: getattr(self, each.call)() for each in metrics}

    def close(self) -> None:
        """Give all descriptors back."""
        files = (self._stat, self._loadavg, self._meminfo, self._vmstat, self._cpuinfo)
        for file in (*files, *self._pressure.values(), *self._groups, *self._frequencies):
            file.close()

    def system_busy_seconds(self) -> float | None:
        """Of all CPUs. Time of guests is in that of their users already; waiting is idle."""
        times = self._cpu_times()
        if times is None:
            return None
        user, nice, system, _idle, _waiting, irq, softirq, _steal = times
        return (user + nice + system + irq + softirq) / _TICKS_PER_SECOND

    def steal_seconds(self) -> float | None:
        times = self._cpu_times()
        return None if times is None else times[-1] / _TICKS_PER_SECOND

    def cpu_mhz(self) -> float | None:
        if self._frequencies:
            texts = [file.read(32).strip() for file in self._frequencies]
            values = [int(each) / 1000 for each in texts if each.isdigit()]
        else:  # Of as many CPUs as one read gives.
            texts = self._cpuinfo.read(4 * PAGE).split(b"cpu MHz")[1:]
            numbers = (_first_number(each.partition(b":")[2]) for each in texts)
            values = [number for number in numbers if number is not None]
        return round(sum(values) / len(values), 3) if values else None

    def load_average(self) -> float | None:
        return _first_number(self._loadavg.read())

    def memory_available_bytes(self) -> int | None:
        return _bytes(self._look(self._meminfo), b"\nMemAvailable:", 1024)

    def page_cache_bytes(self) -> int | None:
        return _bytes(self._look(self._meminfo), b"\nCached:", 1024)

    def swapped_bytes(self) -> int | None:
        shown = self._vmstat.read()
        into, out = _bytes(shown, b"\npswpin ", _PAGE_BYTES), _bytes(shown, b"\npswpout ", _PAGE_BYTES)
        return None if into is None or out is None else into + out

    def throttled_seconds(self) -> float | None:
        """The sum over our group and those above it, of which as a rule one has a limit; of every CPU."""
        shown = [file.read() for file in self._groups]
        microseconds = [_whole_after(each, b"\nthrottled_usec ") for each in shown]  # version 2
        nanoseconds = [_whole_after(each, b"\nthrottled_time ") for each in shown]  # version 1
        seconds = [each / 1e6 for each in microseconds if each is not None]
        seconds += [each / 1e9 for each in nanoseconds if each is not None]
        return sum(seconds) if seconds else None

    def pressure_seconds(self) -> dict[str, float]:
        firsts = {name: file.read().partition(b"\n")[0] for name, file in self._pressure.items()}
        totals = {name: line.rpartition(b"total=")[2] for name, line in firsts.items()}
        return {name: int(total) / 1e6 for name, total in totals.items() if total.isdigit()}

    def _absent(self) -> tuple[str, ...]:
        shown = self.read(read_from("host"))
        pressure = shown.pop("pressure_seconds")
        missing = [name for name, value in shown.items() if value is None]
        return (*missing, *(f"pressure_seconds.{name}" for name in _RESOURCES if name not in pressure))

    def _look(self, file: PseudoFile, size: int = PAGE) -> bytes:
        if file not in self._shown:
            self._shown[file] = file.read(size)
        return self._shown[file]

    def _cpu_times(self) -> list[int] | None:
        words = self._look(self._stat, 256).partition(b"\n")[0].split()
        return list(map(int, words[1:9])) if words[:1] == [b"cpu"] and len(words) >= 9 else None


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
