"""The registry of metrics: every row has its reader, and a new row needs nothing else."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.probes.gpu import card
from bench.probes.load import Load
from bench.probes.process_tree import ProcessTree
from bench.record.metrics import COUNTERS, EACH_SECOND, METRICS, SAMPLED, Metric
from bench.record.telemetry import COLUMNS

CHECKOUT = Path(__file__).parents[3]
LAST_LINE = "    # A new row goes here"
ROW = (
    '    Metric("room_celsius", "number", "C", "temperature of the room", reader="host.room_celsius", every=4,\n'
    '           kept="summary", label="room"),\n'
)
READER = "\nLoad.room_celsius = lambda self: 21.5\n"
#: A run of which 10 s of the first epoch are sampled on a made-up machine, reported as a campaign.
REPORTED = """
import shutil, sys
from pathlib import Path
from bench.__main__ import main
from bench.analysis.columns import page
from tests.support.records import NS, Run, write_campaign
from tests.support.sampler_lab import Lab

out = Path(sys.argv[1])
campaign = write_campaign(out / "campaign", [Run()])
lab = Lab(out)
lab.time.now_ns = 1026 * NS
sampler = lab.begin()
lab.tick(sampler, ticks=36)
sampler.ended()
shutil.copy(lab.folder / "telemetry.csv", campaign / "seed-000")
(out / "columns.md").write_text(page())
raise SystemExit(main(["report", str(campaign)]))
"""


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_new_value_is_one_row_and_one_reader(tmp_path: Path) -> None:
    for room in ("bench", "resnet9", "tests/support"):
        shutil.copytree(CHECKOUT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    registry, probe = tmp_path / "bench/record/metrics.py", tmp_path / "bench/probes/load.py"
    registry.write_text(registry.read_text().replace(LAST_LINE, ROW + LAST_LINE))
    probe.write_text(probe.read_text() + READER)

    ran = subprocess.run([sys.executable, "-c", REPORTED, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    campaign = tmp_path / "campaign"
    ticks = rows(campaign / "seed-000/telemetry.csv")
    assert [tick["room_celsius"] for tick in ticks] == ["21.5", "", "", ""] * 9
    assert list(ticks[0])[:-1] == [column.name for column in COLUMNS]
    (run,), (summary,) = rows(campaign / "runs.csv"), rows(campaign / "summary.csv")
    names = [f"room_celsius_{figure}" for figure in ("mean", "median", "max", "ticks")]
    assert list(run)[-5:-1] == names  # The last one is the version of the table.
    assert [run[name] for name in names] == ["21.5", "21.5", "21.5", "9"]
    assert [rows(campaign / "epochs.csv")[0][name] for name in names] == [run[name] for name in names]
    assert summary["room_celsius"] == "21.5"
    page, columns = (campaign / "report.html").read_text(), (tmp_path / "columns.md").read_text()
    assert "room (C)" in page
    assert "| `room_celsius` | C | temperature of the room; each second |" in columns
    assert "| `room_celsius_mean` | C | temperature of the room: mean of the ticks in training |" in columns


@pytest.mark.parametrize("metric", [each for each in METRICS if each.reader], ids=lambda each: each.name)
def test_every_row_has_its_reader(metric: Metric) -> None:
    binding = SimpleNamespace(NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2, NVML_TEMPERATURE_GPU=0)
    readers = {
        "host": dir(Load),
        "trainer": dir(ProcessTree),
        "gpu": [*card._calls(binding, None), "throttle_time"],
        "sampler": ["t_ns", "late_ms", "cost_us", "took_us"],
    }
    assert metric.call in readers[metric.source]
    assert metric.source != "gpu" or metric.every != EACH_SECOND


def test_names_are_single_and_a_rate_is_of_what_is_sampled() -> None:
    names = [each.name for each in METRICS]
    assert len(set(names)) == len(names)
    sampled = {each.name for each in SAMPLED}
    rates = [each for each in METRICS if each.rate_of]
    assert {*COUNTERS, *SAMPLED, *rates} == {*METRICS}
    assert all(sampled.issuperset(each.rate_of) for each in rates)
