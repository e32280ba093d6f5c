"""The sampler as it is in a run: the real binding, a compiled driver, this machine's /proc, and a real process."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench.record import build_record_from
from tests.support import fake_nvml
from tests.support.scripted_runs import ROOT

RUN = """
import sys
from pathlib import Path
from bench.launch import launch
from bench.telemetry.sampler import Samplers
from bench.telemetry.gpu_source import GpuSelection
from tests.support.scripted_runs import SHORT, job

work = job(Path(sys.argv[1]), ["hello"], ["sleep", float(sys.argv[3])], ["run", 1, 19])
with Samplers(GpuSelection(sys.argv[2])) as samplers:
    print(launch.launch(work, limits=SHORT, sampler=samplers.make()).status)
"""


def sampled(tmp_path: Path, *lines: str, seconds: float) -> Path:
    """The folder of a run beside which an A100 was read."""
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    told = fake_nvml.scenario(tmp_path / "scenario", *lines, profile="A100")
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), fake_nvml.UUID, str(seconds)],
        cwd=ROOT, env=fake_nvml.environ(fake_nvml.build(tmp_path), told), capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout == "done\n", ran.stderr
    return tmp_path / "seed-003"


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "telemetry.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_beside_a_card_has_the_cards_values_in_its_rows_and_edges(tmp_path: Path) -> None:
    folder = sampled(tmp_path, "gpu 0 sm_clock 1234", seconds=0)

    row = rows_of(folder)[0]
    names = ("gpu_utilisation_percent", "sm_clock_mhz", "gpu_memory_bytes", "gpu_temperature_celsius")
    assert [row[name] for name in names] == ["90", "1234", str(1 << 30), "55"]
    energies = [line["energy_mj"] for line in lines_of(folder) if line["event"] == "harness_edge"]
    assert energies == sorted(energies)
    assert lines_of(folder)[0]["gpu"]["name"] == "NVIDIA A100-SXM4-80GB"


def test_a_card_that_is_lost_costs_its_values_and_not_the_run(tmp_path: Path) -> None:
    folder = sampled(tmp_path, "gpu 0 sm_clock 1410 lost", seconds=0)  # it answers when it is opened

    (lost,) = [line for line in lines_of(folder) if line["event"] == "harness_gpu_lost"]
    assert lost["why"] == "The GPU stopped answering (GPU is lost, code 15)."
    row = rows_of(folder)[0]
    assert (row["gpu_utilisation_percent"], row["sm_clock_mhz"]) == ("", "")
    assert int(row["trainer_memory_bytes"]) > 0


def test_somebody_elses_process_on_the_card_is_foreign(tmp_path: Path) -> None:
    folder = sampled(tmp_path, "gpu 0 processes 4194304", seconds=0)  # no process has so high a number (PID_MAX_LIMIT)

    assert (rows_of(folder)[0]["gpu_processes"], rows_of(folder)[0]["foreign_processes"]) == ("1", "1")


@pytest.mark.slow
def test_a_tick_takes_less_than_half_a_millisecond_of_cpu_which_is_two_thousandths_of_a_core(tmp_path: Path) -> None:
    folder = sampled(tmp_path, seconds=10)

    costs_us = [float(row["cost_us"]) for row in rows_of(folder)]
    assert len(costs_us) >= 40
    assert median(costs_us) < 500


@pytest.mark.slow
@pytest.mark.parametrize("call", ["utilisation", "energy"])
def test_a_call_that_does_not_come_back_holds_neither_the_run_nor_its_record(tmp_path: Path, call: str) -> None:
    began = time.monotonic()
    folder = sampled(tmp_path, f"gpu 0 hang_{call} 60000 {6 if call == 'utilisation' else 9}",
                     "gpu 0 energy 1000 +1", seconds=4)  # fmt: skip

    assert time.monotonic() - began < 30
    lines, rows = lines_of(folder), rows_of(folder)
    assert [line["why"] for line in lines if line["event"] == "harness_gpu_lost"]
    assert "energy_mj" not in [line for line in lines if line["event"] == "harness_edge"][-1]
    assert float(max(rows, key=lambda row: float(row["late_ms"]))["late_ms"]) < 100
    assert (rows[-1]["sm_clock_mhz"], rows[-1]["trainer_memory_bytes"] != "") == ("", True)
    record = build_record_from(folder / "events.jsonl")
    assert (record.status, record.stamps.late_over_50ms, record.telemetry.energy.run_joules) == ("done", 0, None)
