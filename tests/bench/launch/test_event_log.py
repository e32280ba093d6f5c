from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from bench.errors import EnvironmentProblem
from bench.launch.event_log import EventLog
from bench.record.event_lines import decoded


def test_every_line_is_in_the_file_before_write_returns(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl")
    journal.write({"event": "a", "name": "é\ud800"}, 5)

    assert json.loads((tmp_path / "events.jsonl").read_text()) == {"event": "a", "name": "é\ud800", "received_ns": 5}
    journal.close()


def test_what_the_trainer_says_of_its_receipt_is_not_believed(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl")
    journal.write({"received_ns": 1}, 5)
    journal.close()

    assert (tmp_path / "events.jsonl").read_text() == '{"received_ns":5}\n'


def test_a_number_that_json_cannot_hold_leaves_the_file_whole(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(ValueError, match="Out of range"):
        journal.write({"x": float("inf")}, 5)
    journal.close()

    assert (tmp_path / "events.jsonl").read_text() == ""


def test_the_beginning_of_a_line_that_is_no_event_is_kept(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl")
    journal.write_malformed("é".encode() * 10_000, "it is long", 1)
    journal.close()

    kept = json.loads((tmp_path / "events.jsonl").read_text())
    assert kept == {"event": "harness_malformed", "line": "é" * 200, "why": "it is long", "received_ns": 1}


def test_warnings_after_the_last_that_is_kept_are_counted_and_other_events_written(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl", most_warnings=2)
    for kind in ("warning", "epoch", "warning", "warning", "epoch", "warning"):
        journal.write_told({"event": kind}, 5)
    journal.close()

    kept = [json.loads(line)["event"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert (kept, journal.dropped_warnings) == (["warning", "epoch", "warning", "epoch"], 2)


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("precious\n")

    with pytest.raises(EnvironmentProblem, match=r"events.jsonl \(File exists\)"):
        EventLog(tmp_path / "events.jsonl")
    assert (tmp_path / "events.jsonl").read_text() == "precious\n"


def test_a_closed_journal_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    EventLog(tmp_path / "events.jsonl").close()

    assert len(synced) == 1


def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    journal = EventLog(tmp_path / "events.jsonl")
    journal._stream.close()
    journal._stream = open("/dev/full", "w", encoding="ascii")  # noqa: SIM115

    with pytest.raises(EnvironmentProblem, match=r"events.jsonl \(No space left on device\)"):
        journal.write({"event": "a"}, 1)
    with pytest.raises(EnvironmentProblem):
        journal.close()


def test_a_number_of_ours_that_no_reader_takes_costs_no_line(tmp_path: Path) -> None:
    with closing(EventLog(tmp_path / "events.jsonl")) as journal:
        fingerprint = {"gpu.memory_bytes": 2**64 - 5, "gpu.count": 1}
        journal.write({"event": "harness_start", "seed": 3, "fingerprint": fingerprint, "argv": ["a", 2**63]}, 1)

    body = decoded((tmp_path / "events.jsonl").read_bytes())
    assert body["fingerprint"] == {"gpu.memory_bytes": None, "gpu.count": 1}
    assert (body["argv"], body["received_ns"]) == (["a", None], 1)
