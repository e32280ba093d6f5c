"""``bench run`` beside a driver library that answers as told, its trainer scripted: which card is sampled, and what
becomes of a run whose card misbehaves.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.record import Record
from bench.record.files import load_versioned
from bench.record.telemetry import COLUMNS, SILENT
from bench.system.env_snapshot import hashed
from tests.support import fake_nvml
from tests.support.scripted_process import PRELUDE

ROOT = Path(__file__).parents[2]
FIRST, SECOND = "GPU-aaaaaaaa-0000", "GPU-bbbbbbbb-0000"
#: `python -m bench run` with a trainer that follows a script, on a dataset of 2,000 labels.
PROGRAM = (
    PRELUDE
    + """
table = {"name": "smoke", "sha256": smoke.sha256, "target_percent": 94.0, "epochs": 1, "steps_per_epoch": 5, "batch": 4}

def argv(request):
    on = {"kind": "cpu" if request.device == "cpu" else "gpu", "name": "scripted", "uuid": request.device}
    steps = [["hello", {"recipe": table, "device": on, "input": request.input}], ["phase", {"name": "import"}],
             ["ticks", int(sys.argv[3])], ["phase", {"name": "train_k", "epoch": 1}],
             ["predict", str(folder / "labels.u8"), 1880], ["phase", {"name": "eval_k", "epoch": 1}],
             ["epoch", {"epoch": 1, "correct": 1880, "total": 2000}], ["done"]]
    (folder / "script.json").write_text(json.dumps(steps))
    return [sys.executable, "-I", "-S", root + "/tests/support/scripted_trainer.py", str(folder / "script.json")]

trainers.TRAINERS["resnet9"] = argv
sys.exit(main(["run", "--recipe", "smoke", "--seeds", "1", "--warm-up", "0", "--timeout", "60",
               "--out", str(folder / "campaign"), *sys.argv[4:]]))
"""
)


@dataclass(frozen=True)
class Campaign:
    """What a campaign of one run left and said."""

    folder: Path
    said: str

    @property
    def record(self) -> Record:
        return load_versioned(Record, self.folder / "seed-000" / "record.json")

    @property
    def reasons(self) -> dict[str, str]:
        """The level of each rule that found something."""
        assert self.record.verdict is not None
        return {each.rule: each.level for each in self.record.verdict.reasons}

    def column(self, name: str) -> list[str]:
        """The cells of a column of ``telemetry.csv``."""
        with open(self.folder / "seed-000" / "telemetry.csv", newline="") as stream:
            return [row[name] for row in csv.DictReader(stream)]

    def row(self, table: str) -> dict[str, str]:
        with open(self.folder / table, newline="") as stream:
            return next(csv.DictReader(stream))

    def lines(self, event: str) -> list[dict[str, Any]]:
        text = (self.folder / "seed-000" / "events.jsonl").read_text()
        return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


def bench(
    folder: Path, library: Path, *lines: str, words: tuple[str, ...] = (), ticks: int = 0,
    profile: str | None = "V100",
) -> Campaign:  # fmt: skip
    """Run a campaign that trains until so many ticks are written, beside this card, ``lines`` over its profile's."""
    scenario = fake_nvml.scenario(folder / "scenario", *lines, profile=profile)
    environ = {**fake_nvml.environ(library, scenario), "XDG_RUNTIME_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), str(folder), str(ticks), *words],
        env={name: value for name, value in environ.items() if name != "CUDA_VISIBLE_DEVICES"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return Campaign(folder / "campaign", done.stdout)


def test_the_card_that_trains_is_the_card_that_is_sampled_however_the_driver_counts(
    tmp_path: Path, library: Path
) -> None:
    # CUDA's number 0 is the first on the bus, which is the driver's number 1; it answers nothing but its power.
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 power 111000")

    made = bench(tmp_path, library, *lines, words=("--device", "0"))

    gpu = made.record.telemetry.gpu
    assert (gpu["uuid_hash"], gpu["role"]) == (hashed(SECOND), "trains")
    assert made.record.device["uuid"] == f"GPU-{hashed(SECOND)}"
    assert SECOND not in "".join(path.read_text() for path in made.folder.rglob("*.json*"))
    assert set(made.column("gpu_power_watts")) == {"111.0"}
    assert "other-card" not in made.reasons


def test_what_a_card_does_not_answer_is_empty_in_every_table_and_told_once(tmp_path: Path, library: Path) -> None:
    lines = ("gpu 0 utilisation not-supported", "gpu 0 temperature not-supported", *fake_nvml.LOCKED_COUNTERS)

    made = bench(tmp_path, library, *lines, ticks=1)

    assert set(made.column("gpu_utilisation_percent")) == set(made.column("gpu_temperature_celsius")) == {""}
    assert set(made.column("foreign_processes")) == {""}
    assert set(made.column("sm_clock_mhz")) == {"1530"}
    calls = made.record.telemetry.gpu["calls"]
    assert (calls["utilisation"], calls["energy"]) == ("not supported", "no permission")
    row = made.row("runs.csv")
    assert (row["gpu_utilisation_percent_mean"], row["start_temperature_celsius"]) == ("", "")
    assert row["sm_clock_mhz_median"] == "1530.0"
    assert made.said.count("The GPU's driver does not give ") == 1
    assert "utilisation (not supported)" in made.said
    assert "energy (no permission)" in made.said


def test_a_card_that_is_lost_half_way_marks_the_run_and_lets_training_finish(tmp_path: Path, library: Path) -> None:
    # Asked when it is opened and before the run, and at each tick: it answers one or two ticks, and never a third.
    made = bench(tmp_path, library, "gpu 0 power 100000 101000 102000 lost", "gpu 0 processes -", ticks=3)

    power = made.column("gpu_power_watts")
    assert power[0] in ("101.0", "102.0")
    assert set(power[2:]) == {""}
    assert all(made.column("trainer_memory_bytes"))
    assert [line["why"] for line in made.lines("harness_gpu_lost")] == [made.record.telemetry.gpu_lost]
    assert made.record.status == "done"
    assert made.reasons["gpu-lost"] == "suspect"
    assert made.row("runs.csv")["telemetry_note"].startswith("the GPU was lost")
    assert made.said.count("The GPU was lost while it was sampled, and the run went on: ") == 1


@pytest.mark.slow
def test_an_unknown_error_that_passes_costs_one_cell_and_no_verdict(tmp_path: Path, library: Path) -> None:
    # Asked when it is opened, before the run, and at each tick.
    made = bench(tmp_path, library, "gpu 0 power 100000 101000 102000 unknown 104000", "gpu 0 processes -", ticks=4)

    power = made.column("gpu_power_watts")
    assert power.count("") == 1
    assert power[-1] == "104.0"
    assert made.lines("harness_gpu_lost") == []
    assert "gpu-lost" not in made.reasons
    assert float(made.row("runs.csv")["energy_joules"]) > 0


@pytest.mark.slow
def test_a_lost_neighbour_is_a_note_and_the_run_goes_to_the_card_that_answers(tmp_path: Path, library: Path) -> None:
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 handle lost", "gpu 0 processes -")
    made = bench(tmp_path, library, *lines)

    assert made.record.telemetry.gpu["uuid_hash"] == hashed(FIRST)
    assert made.said.count("GPU 1 is lost") == 1
    assert f"GPU 0 ({FIRST}) is used" in made.said
    assert made.reasons["gpu-neighbour"] == "note"
    assert (made.record.fingerprint["gpu.lost"], made.record.fingerprint["gpu.count"]) == (1, 1)


@pytest.mark.slow
def test_a_slice_beside_another_gpu_is_trained_on_and_sampled_if_the_driver_knows_it(
    tmp_path: Path, library: Path
) -> None:
    part = "MIG-11111111-2222-3333-4444-555555555555"
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, *fake_nvml.DIVIDED, "gpu 0 processes -")
    for folder in ("known", "unknown"):
        (tmp_path / folder).mkdir()
    known = bench(tmp_path / "known", library, *lines, f"gpu 0 slice {part}", words=("--device", part), profile="A100")
    unknown = bench(tmp_path / "unknown", library, *lines, words=("--device", part), profile="A100")

    assert known.record.telemetry.gpu["uuid_hash"] == hashed(part)
    assert known.record.fingerprint["gpu.mig"] is True
    assert "trains unwatched" not in known.said
    assert unknown.record.telemetry.gpu == {}
    assert unknown.said.count("The GPU trains unwatched: the driver does not say which GPU") == 1
    assert unknown.record.status == known.record.status == "done"
    for made in (known, unknown):
        assert part not in "".join(path.read_text() for path in made.folder.rglob("*.json*"))


@pytest.mark.slow
def test_a_slice_by_its_older_name_is_trained_on_and_its_gpu_is_sampled_where_the_driver_does_not_know_it(
    tmp_path: Path, library: Path
) -> None:
    part = f"MIG-{SECOND}/7/0"
    lines = (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 power 111000", "gpu 1 mig 1", "gpu 1 pending_mig 1",
             "gpu 1 processes children,4242")  # fmt: skip

    made = bench(tmp_path, library, *lines, words=("--device", part), profile="A100")

    assert "foreign-process" not in made.reasons  # That of a slice next to it.
    assert made.record.device["uuid"] == f"MIG-GPU-{hashed(SECOND)}/7/0"  # of what the trainer was given
    assert made.record.telemetry.gpu["uuid_hash"] == made.record.fingerprint["gpu.uuid_hash"] == hashed(SECOND)
    assert made.record.telemetry.gpu["calls"]["utilisation"] == "not supported while MIG is on"
    assert made.record.fingerprint["gpu.mig"] is True
    assert set(made.column("gpu_power_watts")) == {"111.0"}
    assert "trains unwatched" not in made.said
    assert made.reasons.keys() & {"gpu-unwatched", "other-card", "mig"} == {"mig"}
    assert SECOND not in "".join(path.read_text() for path in made.folder.rglob("*.json*"))


def test_calls_that_fail_are_a_note_from_the_opening_on_or_once_they_answer_no_more(
    tmp_path: Path, library: Path
) -> None:
    lines = ("gpu 0 event_reasons unknown", "gpu 0 sm_clock 1530 unknown", "gpu 0 processes no-permission")

    made = bench(tmp_path, library, *lines, ticks=6)

    calls = made.record.telemetry.gpu["calls"]
    assert calls["event_reasons"].startswith("code 999")
    assert (calls["sm_clock"], calls["processes"], calls["power"]) == (SILENT, "no permission", "yes")
    assert made.lines("harness_sampler")[0]["gpu"]["calls"]["sm_clock"] == "yes"
    assert made.record.verdict is not None
    found = {each.rule: each.evidence for each in made.record.verdict.reasons}
    assert {"event_reasons", "sm_clock"} <= set(re.findall(r"\w+", found["gpu-unwatched"]))
    assert "processes" not in found["gpu-unwatched"]
    assert "no permission" in found["process-list"]
    assert "sm_clock (no value while the run lasted)" in made.said


@pytest.mark.slow
def test_an_energy_counter_that_begins_anew_gives_no_joules(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, "gpu 0 energy 900000000 +-500", ticks=1)

    readings = [line["energy_mj"] for line in made.lines("harness_edge")]
    assert readings[-1] < readings[0]
    row = made.row("runs.csv")
    assert (row["energy_joules"], row["energy_to_target_joules"]) == ("", "")
    assert row["energy_note"] == "the energy counter was reset during the run"
    assert row["gpu_power_watts_median"] == "250.0"


@pytest.mark.slow
def test_the_energy_of_a_divided_card_is_told_to_be_all_of_it(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, *fake_nvml.DIVIDED)

    row = made.row("runs.csv")
    assert (row["gpu_role"], row["gpu_utilisation_percent_mean"]) == ("trains", "")
    assert float(row["energy_joules"]) > 0
    assert row["energy_note"].endswith("MIG is on, and this is the energy of the whole card")


def test_somebody_else_on_the_card_makes_the_run_invalid(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, "gpu 0 processes 4242,4243")

    assert made.reasons["foreign-process"] == "invalid"
    assert made.row("runs.csv")["verdict"] == "invalid"


@pytest.mark.slow
def test_a_card_that_slowed_down_makes_the_run_suspect(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, *fake_nvml.OVERHEATED, "gpu 0 processes -", ticks=1)

    assert made.reasons["throttled"] == "suspect"
    assert made.reasons["temperature"] == "suspect"
    assert set(made.column("event_reasons")) == {str(0x68)}
    assert made.record.telemetry.reason_shares["hardware_thermal"] == 1
    assert made.row("runs.csv")["start_temperature_celsius"] == "88.0"


@pytest.mark.slow
def test_a_power_brake_that_this_driver_does_not_count_makes_the_run_suspect(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, "gpu 0 event_reasons 0x88", "gpu 0 processes -", ticks=1)

    assert made.record.telemetry.lost_seconds["thermal"] == 0
    assert made.reasons["throttled"] == "suspect"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("driver init mismatch", "the driver does not work (DriverMismatch)", marks=pytest.mark.slow),
        pytest.param("driver init not-loaded", "the NVIDIA driver is installed and not loaded", marks=pytest.mark.slow),
        ("driver version 575.57.08", "the NVIDIA driver shows no GPU"),
    ],
)
def test_a_driver_that_does_not_answer_costs_its_values_and_no_run(
    tmp_path: Path, library: Path, line: str, why: str
) -> None:
    made = bench(tmp_path, library, line, words=("--device", "cpu", "--watch", "0"), profile=None)

    assert f"WATCH=0 cannot be sampled: {why}; " in made.said
    assert made.record.telemetry.why_no_gpu == why
    assert made.row("runs.csv")["telemetry_note"] == f"no GPU: {why}"
    assert set(made.column("gpu_power_watts")) == {""}
    assert made.record.status == "done"


def test_without_telemetry_there_is_no_file_and_the_record_says_so(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, words=("--telemetry", "off"))

    assert sorted(os.listdir(made.folder / "seed-000")) == [
        "events.jsonl", "predictions.u8", "record.json", "trainer.log",
    ]  # fmt: skip
    assert made.record.telemetry.sampling.off
    assert made.row("runs.csv")["telemetry_note"] == "telemetry was off"
    assert ", telemetry off" in made.said
    assert json.loads((made.folder / "campaign.json").read_text())["protocol"]["telemetry"] is False


def test_a_card_beside_a_cpu_is_watched_and_judges_nothing(tmp_path: Path, library: Path) -> None:
    made = bench(tmp_path, library, "gpu 0 processes 4242", words=("--device", "cpu", "--watch", FIRST))

    assert made.record.telemetry.gpu["role"] == "watched"
    assert "foreign-process" not in made.reasons
    assert set(made.column("gpu_power_watts")) == {"250.0"}
    row = made.row("runs.csv")
    assert (row["gpu_role"], row["energy_to_target_joules"]) == ("watched", "")
    assert float(row["energy_joules"]) > 0
    assert row["energy_note"] == "of a card that was watched and did not train"
    with open(made.folder / "seed-000" / "telemetry.csv", newline="") as stream:
        assert next(csv.reader(stream)) == [column.name for column in COLUMNS]
