"""A whole campaign with the real trainer beside a driver library that answers as told, its tables checked to the value.

Every answer of the library is known by its number, and every figure is worked out here once more, from what the sampler
and the trainer wrote down.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

from bench.system.env_snapshot import hashed
from tests.support import fake_nvml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: What `make bench RECIPE=smoke ...` puts into the environment.
VARIABLES = {"RECIPE": "smoke", "DEVICE": "cpu", "SEEDS": "1", "WARMUP": "0", "WATCH": "0"}
#: From one answer to the next: 1 W, 7 bytes, 1 MHz, 1 C, 250 mJ; utilisation as listed, its last value for ever.
UTILISATION = (50, 10, 90, 30, 70)
ANSWERS = (
    "gpu 0 power 100000 +1000",
    f"gpu 0 utilisation {' '.join(map(str, UTILISATION))}",
    "gpu 0 memory_used 1000000 +7",
    "gpu 0 sm_clock 300 +1",
    "gpu 0 temperature 30 +1",
    "gpu 0 energy 5000 +250",
    "gpu 0 event_reasons 0x4",
    "gpu 0 processes -",
    "gpu 0 memory_clock not-supported",
)
Row = dict[str, str]
QUANTITIES = ("gpu_utilisation_percent", "gpu_power_watts", "gpu_memory_bytes", "sm_clock_mhz")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished campaign of one smoke run."""
    # One thread, so that an epoch lasts for its five ticks on a fast machine, too.
    return made(tmp_path_factory.mktemp("campaign"), sys.executable, "-m", "bench", "run", "--threads", "1")


def made(folder: Path, *words: str, **variables: str) -> Path:
    """The folder of the campaign that a command makes beside the library."""
    library = fake_nvml.build(folder)
    environ = fake_nvml.environ(library, fake_nvml.scenario(folder / "scenario", *ANSWERS, profile="V100"))
    environ |= {**VARIABLES, "OUT": str(folder / "out"), "XDG_RUNTIME_DIR": str(folder), **variables}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "The GPU's driver does not give memory_clock (not supported)" in done.stdout
    return folder / "out"


def table(path: Path) -> list[Row]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def ticks(campaign: Path) -> list[Row]:
    return table(campaign / "seed-000" / "telemetry.csv")


def events(campaign: Path, *kinds: str) -> list[dict[str, Any]]:
    text = (campaign / "seed-000" / "events.jsonl").read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["event"] in kinds]


def training(campaign: Path) -> dict[float, tuple[int, int]]:
    """When each epoch was trained."""
    return {
        line["epoch"]: (line["begin_ns"], line["end_ns"])
        for line in events(campaign, "phase")
        if line["name"] == "train_k"
    }


def within(rows: list[Row], *spans: tuple[int, int]) -> list[Row]:
    return [row for row in rows if any(begin <= int(row["t_ns"]) <= end for begin, end in spans)]


def expect_spread(row: Row, name: str, values: list[float]) -> None:
    """The four cells of a quantity in a row of a table are those of these values."""
    told = {figure: row[f"{name}_{figure}"] for figure in ("mean", "median", "max", "ticks")}
    assert int(told["ticks"]) == len(values)
    expected = {"mean": fmean(values), "median": median(values), "max": max(values)}
    assert {figure: float(told[figure]) for figure in expected} == pytest.approx(expected, rel=1e-9)


def cores(rows: list[Row], *spans: tuple[int, int]) -> list[float]:
    """CPU seconds a second of the trainer between neighbouring ticks that both lie in one of these spans."""
    inside = [bool(within([row], *spans)) for row in rows]
    return [
        (float(after["trainer_cpu_seconds"]) - float(before["trainer_cpu_seconds"]))
        / ((int(after["t_ns"]) - int(before["t_ns"])) / 1e9)
        for (before, first), (after, second) in pairwise(zip(rows, inside, strict=True))
        if first and second
    ]


def test_every_tick_read_the_card_once_and_missed_no_answer(campaign: Path) -> None:
    rows = ticks(campaign)
    watts = [float(row["gpu_power_watts"]) for row in rows]
    memory = [int(row["gpu_memory_bytes"]) for row in rows]

    assert len(rows) > 10
    assert watts == [watts[0] + number for number in range(len(rows))]
    assert memory == [memory[0] + 7 * number for number in range(len(rows))]
    # The first answers of each went to the one try when the card was opened and to a look before the run.
    asked_before = round(watts[0]) - 100
    assert 1 <= asked_before <= 2
    answers = [*UTILISATION[asked_before:], *([UTILISATION[-1]] * len(rows))]
    assert [int(row["gpu_utilisation_percent"]) for row in rows] == answers[: len(rows)]
    assert {row["event_reasons"] for row in rows} == {"4"}
    assert {row["memory_clock_mhz"] for row in rows} == {""}


def test_ticks_keep_to_a_schedule(campaign: Path) -> None:
    rows = ticks(campaign)
    due_ns = [int(row["t_ns"]) - 1e6 * float(row["late_ms"]) for row in rows]

    slots = [(each - due_ns[0]) / 250e6 for each in due_ns]
    assert slots == pytest.approx([round(slot) for slot in slots], abs=1e-4)
    (run,) = table(campaign / "runs.csv")
    assert int(run["sampler_missed"]) == round(slots[-1]) + 1 - len(rows)
    assert float(run["sampler_period_ms"]) == 250


def test_temperature_is_read_on_slow_ticks_and_at_edges_and_nowhere_else(campaign: Path) -> None:
    slow = [(int(row["t_ns"]), int(celsius)) for row in ticks(campaign) if (celsius := row["gpu_temperature_celsius"])]
    edges = {line["t_ns"]: line["temperature_celsius"] for line in events(campaign, "harness_edge")}

    told = [celsius for _, celsius in sorted([*slow, *edges.items()])]

    assert told == list(range(told[0], told[0] + len(told)))
    (run,) = table(campaign / "runs.csv")
    assert float(run["start_temperature_celsius"]) == events(campaign, "harness_edge")[0]["temperature_celsius"]


def test_the_usage_of_the_run_is_that_of_its_training_ticks(campaign: Path) -> None:
    (run,) = table(campaign / "runs.csv")
    spans = tuple(training(campaign).values())
    rows = within(ticks(campaign), *spans)

    assert int(run["telemetry_ticks"]) == len(rows)
    for name in QUANTITIES:
        expect_spread(run, name, [float(row[name]) for row in rows])
    expect_spread(run, "trainer_cpu_cores", cores(ticks(campaign), *spans))
    assert run["telemetry_note"] == ""


def test_the_usage_of_an_epoch_is_that_of_its_ticks_where_there_are_five(campaign: Path) -> None:
    spans = training(campaign)
    rows = {float(row["epoch"]): row for row in table(campaign / "epochs.csv") if row["view"] == "plain"}

    assert rows.keys() == spans.keys()
    assert any(row["gpu_power_watts_mean"] for row in rows.values())
    for epoch, span in spans.items():
        inside = within(ticks(campaign), span)
        assert int(rows[epoch]["telemetry_ticks"]) == len(inside)
        if len(inside) < 5:
            assert {rows[epoch][f"{name}_mean"] for name in QUANTITIES} == {""}
            assert rows[epoch]["telemetry_note"] != ""
            continue
        for name in QUANTITIES:
            expect_spread(rows[epoch], name, [float(row[name]) for row in inside])
        kept_busy = cores(ticks(campaign), span)
        assert int(rows[epoch]["trainer_cpu_cores_ticks"]) == len(kept_busy)
        if len(kept_busy) >= 5:
            expect_spread(rows[epoch], "trainer_cpu_cores", kept_busy)
        else:
            assert rows[epoch]["trainer_cpu_cores_mean"] == ""


def test_joules_are_differences_of_the_counter_at_the_edges(campaign: Path) -> None:
    edges = events(campaign, "harness_edge")
    readings = {line["t_ns"]: line["energy_mj"] for line in edges}
    (run,) = table(campaign / "runs.csv")

    assert list(readings.values()) == [edges[0]["energy_mj"] + 250 * number for number in range(len(readings))]
    assert (edges[0]["edge"], edges[-1]["edge"]) == ("spawn", "exit")
    begin, end = edges[0]["energy_mj"], edges[-1]["energy_mj"]
    assert float(run["energy_joules"]) == (end - begin) / 1000
    assert (int(run["energy_begin_millijoules"]), int(run["energy_end_millijoules"])) == (begin, end)
    assert float(run["energy_uncertainty_joules"]) == pytest.approx(two_steps_joules(campaign))
    assert run["energy_source"] == "counter"


def two_steps_joules(campaign: Path) -> float:
    """Two steps of the counter: the one that was seen before the run or, where larger, one at the most power read."""
    (line,) = events(campaign, "harness_sampler")
    watts = max(float(row["gpu_power_watts"]) for row in ticks(campaign))
    return float(2 * max(250, line["gpu"]["energy_step_ms"] * watts) / 1000)


def test_joules_of_a_card_beside_a_cpu_are_the_watched_card_s_and_lead_to_no_target(campaign: Path) -> None:
    for name in ("runs.csv", "summary.csv"):
        (row,) = table(campaign / name)
        assert row["gpu_role"] == "watched"
        assert float(row["energy_joules"]) > 0
        assert row["energy_to_target_joules"] == ""
    (run,) = table(campaign / "runs.csv")
    assert run["energy_note"] == "of a card that was watched and did not train"


def test_the_joules_of_an_epoch_lie_between_its_edges(campaign: Path) -> None:
    edges = events(campaign, "harness_edge")
    rows = {float(row["epoch"]): row for row in table(campaign / "epochs.csv") if row["view"] == "plain"}
    told = {epoch: float(row["train_joules"]) for epoch, row in rows.items() if row["train_joules"]}

    assert told
    for before, after in pairwise(edges):
        if after["edge"] == "train_k" and after["epoch"] in told:
            assert told[after["epoch"]] == (after["energy_mj"] - before["energy_mj"]) / 1000
            uncertainty = float(rows[after["epoch"]]["train_joules_uncertainty"])
            assert uncertainty == pytest.approx(two_steps_joules(campaign))


def test_the_record_says_which_card_it_was_and_what_watching_cost(campaign: Path) -> None:
    record = json.loads((campaign / "seed-000" / "record.json").read_text())
    (line,) = events(campaign, "harness_sampler")
    rows, edges = ticks(campaign), events(campaign, "harness_edge")
    (run,) = table(campaign / "runs.csv")

    gpu = record["telemetry"]["gpu"]
    assert gpu == line["gpu"]
    assert (gpu["uuid_hash"], gpu["role"]) == (hashed("GPU-aaaaaaaa-0000"), "watched")
    assert gpu["calls"]["memory_clock"] == "not supported"
    assert gpu["energy_step_mj"] == 250
    assert "GPU-aaaaaaaa" not in (campaign / "seed-000" / "record.json").read_text()
    spent_us = [float(row["cost_us"]) for row in rows] + [line["cost_us"] for line in edges]
    assert float(run["sampler_cpu_seconds"]) == pytest.approx(sum(spent_us) / 1e6, rel=1e-6)
    assert float(run["sampler_tick_median_us"]) == pytest.approx(median(float(row["cost_us"]) for row in rows))
    assert record["circumstances"]["warm_up"] is False
    assert os.listdir(campaign).count("warm-up") == 0


@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv" or shutil.which("make") is None,
    reason="`make bench` would have to make the environment; `make test-slow` runs this in the one it has made",
)
def test_make_bench_watches_the_card_and_tells_its_price(tmp_path: Path) -> None:
    campaign = made(tmp_path, "make", "bench", COST_PER_HOUR="3.06")

    (run,) = table(campaign / "runs.csv")
    rows = within(ticks(campaign), *training(campaign).values())
    for name in QUANTITIES:
        expect_spread(run, name, [float(row[name]) for row in rows])
    assert float(run["cost_to_target_usd"]) == 3.06 * (float(run["dawnbench_seconds"]) / 3600)
    assert run["gpu_role"] == "watched"
