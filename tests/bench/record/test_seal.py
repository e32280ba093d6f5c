"""A seal lets a record be read instead of folded, and only where both would give the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.record import (
    EVENTS_FILE,
    RECORD_FILE,
    SEAL_FILE,
    TELEMETRY_FILE,
    StoredRun,
    build_record_from,
    load_campaign,
    load_run,
    seal,
    write_run,
)
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, write_campaign

PUBLISHED = Path(__file__).parents[3] / "results" / "published"


def sealed(place: Path) -> StoredRun:
    """The run in a folder after its record was folded, judged, written and sealed."""
    run = load_run(place)
    write_run(run, with_verdict(run.record))
    return load_run(place)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a run with a sealed record."""
    place = write_campaign(tmp_path / "c", [Run(machine=Machine())]) / "seed-000"
    assert sealed(place).sealed
    return place


@pytest.mark.parametrize("run", [
    Run(), Run(machine=Machine()), Run(status="failed", correct=(4000,)),
    Run(correct=(1000,) * 5, final_eval_seconds=3.0),
])  # fmt: skip
def test_a_sealed_record_is_the_fold_of_its_events(tmp_path: Path, run: Run) -> None:
    place = write_campaign(tmp_path / "c", [run]) / "seed-000"
    folded = with_verdict(build_record_from(place / EVENTS_FILE))
    assert sealed(place) == StoredRun(place, folded, seal.sources(place), sealed=True)


@pytest.mark.parametrize(
    "campaign", sorted(PUBLISHED.glob("*-cpu")) + sorted(PUBLISHED.glob("*-h200")), ids=lambda p: p.name
)
def test_published_records_are_read_as_they_are_folded(tmp_path: Path, campaign: Path) -> None:
    places = sorted(each.parent for each in campaign.glob(f"seed-*/{EVENTS_FILE}"))[:2]
    for original in places:
        place = tmp_path / original.name
        shutil.copytree(original, place)
        assert sealed(place).record == with_verdict(build_record_from(place / EVENTS_FILE))


@pytest.mark.parametrize("name", [EVENTS_FILE, TELEMETRY_FILE, RECORD_FILE, SEAL_FILE])
def test_any_byte_that_changed_folds_the_run_anew(place: Path, name: str) -> None:
    (place / name).write_bytes((place / name).read_bytes() + b" ")
    assert not load_run(place).sealed


def test_a_record_edited_by_hand_is_not_believed(place: Path) -> None:
    path = place / RECORD_FILE
    text = path.read_text()
    path.write_text(text.replace('"correct": 9400', '"correct": 9900'))
    assert path.read_text() != text
    run = load_run(place)
    assert [each.correct for each in run.record.epochs] == [4000, 9000, 9399, 9400, 9500]
    write_run(run, with_verdict(run.record))
    assert path.read_text() == text


def test_ticks_that_came_or_went_fold_the_run_anew(place: Path) -> None:
    (place / TELEMETRY_FILE).rename(place / "aside")
    assert load_run(place).record.telemetry.sampling.why_no_ticks == "there is no telemetry.csv"
    assert not sealed(place).record.telemetry.sampling.ticks
    (place / "aside").rename(place / TELEMETRY_FILE)
    assert load_run(place).record.telemetry.sampling.ticks


def test_another_folding_folds_the_run_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "folding_sha256", lambda: "0" * 64)
    assert not load_run(place).sealed
    assert sealed(place).sealed


def test_the_folding_is_named_by_all_of_its_code() -> None:
    assert len(seal.folding_sha256()) == 64
    assert {each.name for each in seal.code()} >= {
        "protocol.py",
        "build.py",
        "ticks.py",
        "utilization.py",
        "json_schema.py",
    }


def test_the_seal_of_another_seed_does_not_fit(place: Path) -> None:
    events = place / EVENTS_FILE
    events.write_text("")  # Such a run has its seed from its folder.
    assert sealed(place).record.seed == 0
    other = place.with_name("seed-001")
    shutil.copytree(place, other)
    assert (load_run(other).sealed, load_run(other).record.seed) == (False, 1)


def test_a_run_that_went_on_while_it_was_folded_is_not_sealed(tmp_path: Path) -> None:
    place = write_campaign(tmp_path / "c", [Run()]) / "seed-000"
    run = load_run(place)
    with open(place / EVENTS_FILE, "a") as stream:
        stream.write("{}\n")
    write_run(run, with_verdict(run.record))
    assert not (place / SEAL_FILE).exists()


def test_a_run_whose_record_is_on_disk_is_not_written_again(place: Path) -> None:
    before = {each: each.stat().st_mtime_ns for each in place.iterdir()}
    run = load_run(place)
    write_run(run, with_verdict(run.record))
    assert {each: each.stat().st_mtime_ns for each in place.iterdir()} == before


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum, which coreutils has")
def test_sha256sum_reads_the_seal(place: Path) -> None:
    asked = ["sha256sum", "--check", "--strict", SEAL_FILE]
    assert subprocess.run(asked, cwd=place, capture_output=True, check=False).returncode == 0
    (place / TELEMETRY_FILE).write_text("")
    assert subprocess.run(asked, cwd=place, capture_output=True, check=False).returncode == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), record=st.binary(max_size=300))
def test_whatever_lies_in_their_place_the_run_is_folded(place: Path, content: bytes, record: bytes) -> None:
    (place / SEAL_FILE).write_bytes(content)
    (place / RECORD_FILE).write_bytes(record)
    assert load_run(place).record.crossing_index == 3
    # Sealed, but no record: somebody who can write a seal can write events, and gets no traceback for it.
    (place / SEAL_FILE).write_text(seal.text(place, seal.sources(place), record))
    assert load_run(place).record.crossing_index == 3


def test_a_sealed_record_that_cannot_be_is_folded_anew(place: Path) -> None:
    body = (place / RECORD_FILE).read_text().replace('"crossing_index": 3', '"crossing_index": 99').encode()
    (place / RECORD_FILE).write_bytes(body)
    (place / SEAL_FILE).write_text(seal.text(place, seal.sources(place), body))
    assert load_run(place).record.crossing_index == 3


def test_a_campaign_gives_the_same_records_sealed_or_not(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "c", [Run(seed=seed, machine=Machine()) for seed in (3, 1)])
    rebuild = load_campaign(folder)
    for run in rebuild.runs:
        sealed(run.folder)
    again = load_campaign(folder)
    assert [run.sealed for run in (*rebuild.runs, *again.runs)] == [False, False, True, True]
    assert again.records == tuple(with_verdict(each) for each in rebuild.records)


def forged(place: Path) -> None:
    """Edit the record of a sealed run by hand and write the seal that fits it."""
    body = (place / RECORD_FILE).read_bytes().replace(b'"correct": 9500', b'"correct": 9900')
    assert body != (place / RECORD_FILE).read_bytes()
    (place / RECORD_FILE).write_bytes(body)
    (place / SEAL_FILE).write_text(seal.text(place, seal.sources(place), body))


def test_a_forged_seal_is_believed_only_where_seals_are(place: Path) -> None:
    forged(place)
    assert load_run(place).record.epochs[-1].correct == 9900
    run = load_run(place, rebuild=True)
    assert (run.sealed, run.record.epochs[-1].correct) == (False, 9500)
    (found,) = load_campaign(place.parent, rebuild=True).records
    assert found.epochs[-1].correct == 9500


def test_what_is_read_anew_replaces_a_forged_record(place: Path) -> None:
    good = (place / RECORD_FILE).read_bytes()
    forged(place)
    run = load_run(place, rebuild=True)
    write_run(run, with_verdict(run.record))
    assert (place / RECORD_FILE).read_bytes() == good
    assert load_run(place).record.epochs[-1].correct == 9500
