"""A sampler on a made-up machine with a made-up card, and the lines and rows it wrote while time passed."""

from __future__ import annotations

import csv
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import protocol
from bench.probes.gpu import Before, Counters, DriverThread, Gpu, Sample
from bench.probes.gpu.energy import EnergyStep
from bench.telemetry.gpu_source import GpuSelection
from bench.telemetry.sampler import Sampler, Samplers
from bench.telemetry.schedule import Clocks
from tests.support.made_up_kernel import machine, process

START_NS = 5_000_000_000
PERIOD_NS = 250_000_000
TRAINER = 4321
HOST_PIDS = "pid:[4026531836]"
CPUINFO = {"proc/cpuinfo": "processor: 0\ncpu MHz\t\t: 2600.000\n"}
SYSTEM = ("16.0", "5.0", "2600.0", "1.25", "51200", "30720", str(7 * os.sysconf("SC_PAGE_SIZE")))


class Time:
    """Clocks that stand still unless something takes time."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        #: By thread.
        self.cpu_ns: Counter[int] = Counter()

    def takes(self, wall_ms: float, cpu_us: float) -> None:
        self.now_ns += round(wall_ms * 1e6)
        self.cpu_ns[threading.get_ident()] += round(cpu_us * 1e3)

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_ns, lambda: self.cpu_ns[threading.get_ident()])


class FakeCard:
    """A card that answers at once, or after ``wall_ms`` and ``cpu_us``, or with ``trouble``."""

    def __init__(self, time: Time, processes: tuple[int, ...] | None = ()) -> None:
        self._time = time
        self.gpu = Gpu(0, "GPU-1234", "Made-up 100", 1 << 34, "575.1", "12.9", (9, 0))
        self.calls: Mapping[str, str] = {"utilisation": "yes", "energy": "yes", "power": "not supported"}
        self.processes = processes
        self.energy_mj = 1000
        self.wall_ms = self.cpu_us = 0.0
        self.trouble: Exception | None = None
        self.steps_measured = 0
        self.utilisation_before = 0
        self.impossible: dict[str, int] = {}
        self.closed = False
        #: While it is not set, no call comes back.
        self.answers = threading.Event()
        self.answers.set()

    def _ask(self) -> None:
        self.answers.wait()
        self._time.takes(self.wall_ms, self.cpu_us)
        if self.trouble is not None:
            raise self.trouble

    def sample(self, slow: bool = False) -> Sample:
        self._ask()
        numbers = {
            "gpu_utilisation_percent": 90,
            "memory_utilisation_percent": 40,
            "gpu_memory_bytes": 1 << 30,
            "gpu_power_watts": None,
            "sm_clock_mhz": 1530,
            "memory_clock_mhz": 877,
            "event_reasons": 4,
            "gpu_temperature_celsius": 55 if slow else None,
        }
        return Sample(numbers, self.processes if slow else None)

    def counters(self) -> Counters:
        self._ask()
        return Counters(self.energy_mj, {"software_power_cap": 7}, 54)

    def look_before(self) -> Before:
        self._ask()
        return Before(self.utilisation_before, 1 << 30, self.processes)

    def take_impossible(self) -> dict[str, int]:
        found, self.impossible = self.impossible, {}
        return found

    def measure_energy_step(self) -> EnergyStep | None:
        self.steps_measured += 1
        return EnergyStep(period_ms=20.0, step_mj=5000.0)

    def close(self) -> None:
        self.answers.wait()
        self.closed = True


class Lab:
    """A sampler on a made-up machine, the lines and rows it wrote, and the time that passes."""

    def __init__(self, folder: Path, namespace: str = HOST_PIDS) -> None:
        self.time = Time()
        self.card = FakeCard(self.time, processes=(TRAINER,))
        self.opened = 0
        #: One of its own, as a call that hangs would hold up those of other tests.
        self.driver = DriverThread()
        self.lines: list[dict[str, Any]] = []
        self.writing = 0.0, 0.0
        self.folder = folder / "run"
        self.folder.mkdir()
        self.root = machine(folder / "root", without=("sys/devices",), **CPUINFO)
        process(self.root, os.getpid(), (0, 0, 0, 0), disk_bytes=0)
        process(self.root, TRAINER, (150, 50, 0, 0), disk_bytes=8192)
        (self.root / "proc/self/ns").mkdir()
        (self.root / "proc/self/ns/pid").symlink_to(namespace)

    def samplers(self, chosen: GpuSelection | None = GpuSelection("GPU-1234"), **how: Any) -> Samplers:  # noqa: B008 (frozen)
        how = {"clocks": self.time.clocks, "driver": self.driver, **how}
        return Samplers(chosen, open_card=self._open, root=self.root, **how)

    def _open(self, uuid: str) -> FakeCard:
        self.opened += 1
        self.time.takes(0, 0)
        if self.card.trouble is not None:
            raise self.card.trouble
        return self.card

    def begin(self, samplers: Samplers | None = None, off: bool = False) -> Sampler:
        sampler = (samplers or self.samplers()).make(off)
        sampler.prepare(self.folder, self.write)
        sampler.began(TRAINER)
        return sampler

    def write(self, line: Mapping[str, Any]) -> None:
        self.lines.append(dict(line))
        self.time.takes(*self.writing)

    def tick(self, sampler: Sampler, ticks: int = 1) -> int:
        """So many ticks, each as soon as it is due; when the next one is."""
        for _ in range(ticks):
            due = sampler.tick(self.time.now_ns)
            assert due is not None
            self.time.now_ns = max(self.time.now_ns, due)
        return due

    def rows(self) -> list[dict[str, str]]:
        with open(self.folder / "telemetry.csv", newline="") as stream:
            return list(csv.DictReader(stream))

    def column(self, name: str) -> list[str]:
        return [row[name] for row in self.rows()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


def phase(name: str, epoch: float | None = None) -> protocol.Phase:
    return protocol.Phase(name, 0, 1, epoch)
