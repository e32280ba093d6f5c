"""What a run gives to the sampler that watches the machine, whatever becomes of either."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import protocol
from bench.errors import EnvironmentProblem
from bench.launch import launch
from bench.record import build_record_from
from bench.telemetry.sampler import Samplers
from tests.support.scripted_runs import SHORT, events, gone, job, of_kind

FULL = EnvironmentProblem("cannot write to telemetry.csv (No space left on device); free some space.")


class Notes:
    """A sampler that notes what is called, and meets a full disk in the call named ``fails``."""

    def __init__(self, fails: str = "") -> None:
        self.calls: list[str] = []
        self.pid: int | None = None
        self.state_at_the_end = ""
        self._fails = fails

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name == self._fails:
            raise FULL

    def prepare(self, folder: Path, write: Callable[[Mapping[str, Any]], None]) -> None:
        assert folder.is_dir()
        write({"event": "harness_sampler", "off": True})
        self._note("prepare")

    def began(self, pid: int, is_client: bool = False) -> None:
        self.pid = pid
        self._note("began")

    def account(self) -> tuple[float | None, int | None]:
        return None, None

    def event(self, event: protocol.Event, received_ns: int) -> None:
        self._note(event.kind)

    def tick(self, now_ns: int) -> None:
        self._note("tick")

    def ended(self) -> None:
        if self.pid is not None and "ended" not in self.calls:
            self.state_at_the_end = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        self.calls.append("ended")


def test_a_sampler_is_told_of_the_whole_run_in_order(tmp_path: Path) -> None:
    work, sampler = job(tmp_path, ["hello"], ["done"]), Notes()

    launch.launch(work, limits=SHORT, sampler=sampler)

    heard = [name for name in sampler.calls if name not in ("hello", "done")]
    assert heard[:4] == ["prepare", "began", "tick", "ended"]
    assert [name for name in sampler.calls if name in ("hello", "done")] == ["hello", "done"]


def test_a_sampler_reads_the_end_of_a_process_that_is_not_reaped_yet(tmp_path: Path) -> None:
    sampler = Notes()

    launch.launch(job(tmp_path, ["run", 1, 19]), limits=SHORT, sampler=sampler)

    assert sampler.state_at_the_end == "Z"


def test_what_a_sampler_says_before_the_run_stands_before_its_first_line(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 1, 19])

    launch.launch(work, limits=SHORT, sampler=Notes())

    first, second = events(work)[:2]
    assert (first["event"], second["event"]) == ("harness_sampler", "harness_start")
    assert first["received_ns"] <= second["spawned_ns"]


@pytest.mark.parametrize("call", ["prepare", "began", "tick", "hello"])
def test_a_full_disk_met_by_the_sampler_leaves_no_process(tmp_path: Path, call: str) -> None:
    sampler = Notes(fails=call)

    with pytest.raises(EnvironmentProblem, match="No space left"):
        launch.launch(job(tmp_path, ["hello"], ["sleep"]), limits=SHORT, sampler=sampler)

    assert sampler.calls[-1] == "ended"
    assert sampler.pid is None or gone(sampler.pid)


def test_a_sampler_is_closed_where_the_trainer_cannot_be_started(tmp_path: Path) -> None:
    work, sampler = replace(job(tmp_path), argv=["/nowhere/python"]), Notes()

    outcome = launch.launch(work, limits=SHORT, sampler=sampler)

    assert outcome.reason == "cannot start /nowhere/python (No such file or directory)"
    assert "began" not in sampler.calls and sampler.calls[-1] == "ended"


# The sampler itself, on this machine


def test_a_run_is_sampled_from_its_start_to_its_end(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    with Samplers(why_no_gpu="the test wants none", period_seconds=0.01) as samplers:
        launch.launch(work, limits=SHORT, sampler=samplers.make())

    (line,) = of_kind(work, "harness_sampler")
    assert (line["period_ms"], line["gpu"], line["why_no_gpu"], line["off"]) == (10, None, "the test wants none", False)
    edges = [(edge["edge"], edge.get("epoch")) for edge in of_kind(work, "harness_edge")]
    order = [("spawn", None), ("hello", None), ("train_k", 1), ("eval_k", 1), ("train_k", 2), ("eval_k", 2)]
    assert sorted(edges, key=str) == sorted([*order, ("done", None), ("exit", None)], key=str)
    with open(work.folder / "telemetry.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert int(rows[0]["trainer_memory_bytes"]) > 0
    assert float(rows[0]["late_ms"]) == 0
    assert rows[0]["gpu_power_watts"] == ""


def test_the_cpu_time_at_the_exit_is_what_the_kernel_says_when_it_reaps(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    with Samplers() as samplers:
        launch.launch(work, limits=SHORT, sampler=samplers.make())

    exit_ = next(edge for edge in of_kind(work, "harness_edge") if edge["edge"] == "exit")
    counted = build_record_from(work.folder / "events.jsonl").trainer_cpu_seconds
    tick = 1 / os.sysconf("SC_CLK_TCK")  # user and system time are rounded down, each by itself
    assert exit_["trainer_cpu_seconds"] == pytest.approx(counted, abs=2 * tick)


def test_telemetry_that_is_off_leaves_one_line_and_no_file(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 1, 19])

    with Samplers() as samplers:
        outcome = launch.launch(work, limits=SHORT, sampler=samplers.make(off=True))

    assert outcome.status == "done"
    assert [line["off"] for line in of_kind(work, "harness_sampler")] == [True]
    assert of_kind(work, "harness_edge") == []
    assert not (work.folder / "telemetry.csv").exists()


# Runs of which enough was seen


def test_a_run_that_trained_enough_is_cut_short_politely(tmp_path: Path) -> None:
    work = job(tmp_path, ["hello"], ["epoch", {"epoch": 1}], ["epoch", {"epoch": 2}], ["sleep"])

    outcome = launch.launch(work, limits=replace(SHORT, enough_epochs=2))

    assert (outcome.status, outcome.signal) == ("cut_short", 15)
    assert outcome.reason.startswith("2 epochs and ")
    record = build_record_from(work.folder / "events.jsonl")
    assert (record.status, len(record.epochs), record.reached) == ("cut_short", 2, False)


def test_a_run_shorter_than_enough_ends_by_itself(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    assert launch.launch(work, limits=replace(SHORT, enough_epochs=3)).status == "done"
    assert build_record_from(work.folder / "events.jsonl").status == "done"


def test_a_run_goes_on_until_it_lasted_long_enough(tmp_path: Path) -> None:
    work = job(tmp_path, ["run", 2, 19])

    outcome = launch.launch(work, limits=replace(SHORT, enough_epochs=1, enough_seconds=1000))

    assert outcome.status == "done"
