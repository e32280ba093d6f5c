"""A run's status is that of its record, read from its last line alone; `campaign.json` is read as it was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.record import STATUSES, CampaignFile, RunConditions, build_record_from, run_status, seed_folder
from bench.record import campaign as stored
from bench.record.claims import Claims
from tests.support.records import CONFIGURATION, Run, write_campaign

PUBLISHED = Path(__file__).parents[3] / "results" / "published"


def run_with(folder: Path, text: str | bytes) -> Path:
    (folder / "events.jsonl").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_that_of_the_last_line(tmp_path: Path, status: str) -> None:
    assert run_status(run_with(tmp_path, Run(status=status).text())) == status


def test_a_run_without_events_has_no_status(tmp_path: Path) -> None:
    assert run_status(tmp_path) is None


def test_every_published_run_has_the_status_of_its_record() -> None:
    runs = sorted(PUBLISHED.glob("*/seed-*/events.jsonl"))[::7]
    assert runs
    assert [run_status(each.parent) for each in runs] == [build_record_from(each).status for each in runs]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), more=st.sampled_from([b"", b"\n", b"\n\n", b" \n", b"{", b"\xff\n"]))
def test_a_torn_file_has_the_status_of_its_record(tmp_path: Path, cut: int, more: bytes) -> None:
    text = Run().text().encode()
    run_with(tmp_path, text[: len(text) - cut] + (more if cut else b""))
    assert run_status(tmp_path) == build_record_from(tmp_path / "events.jsonl").status


def test_a_run_cut_after_any_line_has_the_status_of_its_record(tmp_path: Path) -> None:
    """One of them is cut after the trainer's own `done`, which is no end."""
    lines = Run().text().splitlines(keepends=True)
    assert any('"event":"done"' in line.replace(" ", "") for line in lines)
    for count in range(1, len(lines) + 1):
        run_with(tmp_path, "".join(lines[:count]))
        assert run_status(tmp_path) == build_record_from(tmp_path / "events.jsonl").status


@pytest.mark.parametrize("end", ['{"event":"harness_end"}', '{"event":"harness_end","status":"odd"}'])
def test_an_unknown_end_is_a_failure(tmp_path: Path, end: str) -> None:
    assert run_status(run_with(tmp_path, f"{end}\n")) == "failed"


@pytest.mark.parametrize("length", [10, stored._TAIL_BYTES - 40, stored._TAIL_BYTES, 3 * stored._TAIL_BYTES])
def test_a_long_last_line_is_read_whole(tmp_path: Path, length: int) -> None:
    end = json.dumps({"event": "harness_end", "status": "failed", "reason": "x" * length})
    assert run_status(run_with(tmp_path, f'{{"event":"harness_start"}}\n{end}\n')) == "failed"
    assert run_status(run_with(tmp_path, f"{end}\n")) == "failed"


def test_a_line_longer_than_the_harness_writes_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_LINE_BYTES", 1 << 15)
    end = json.dumps({"event": "harness_end", "status": "done", "reason": "x" * (1 << 16)})
    assert run_status(run_with(tmp_path, f"{end}\n")) == "interrupted"


def test_events_that_cannot_be_read_are_an_error_and_no_status(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="it is a link"):
        run_status(tmp_path)


def test_a_campaign_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = CampaignFile(
        1, CONFIGURATION, (0, 5), "2026-03-04T05:06:07Z", Claims(author="A"), {"net": "air"}, RunConditions(warm_up=2),
        folder=tmp_path,
    )  # fmt: skip
    written.write_file("finished")
    assert CampaignFile.read(tmp_path) == written
    assert CampaignFile.read(tmp_path).status == "finished"
    keys = ["schema", "configuration", "seeds", "created_utc", "claims", "recipe", "protocol", "status"]
    assert list(json.loads((tmp_path / "campaign.json").read_text())) == keys


def test_the_oldest_files_are_read_with_what_they_do_not_say(tmp_path: Path) -> None:
    write_campaign(tmp_path / "c", [Run()])
    body = json.loads((tmp_path / "c" / "campaign.json").read_text())
    del body["configuration"]["image"], body["claims"]
    (tmp_path / "c" / "campaign.json").write_text(json.dumps(body))
    found = CampaignFile.read(tmp_path / "c")
    assert (found.protocol, found.recipe, found.claims) == (stored.UNSTATED, {}, Claims())
    assert found.configuration == replace(found.configuration, image="")


def test_every_published_campaign_is_read() -> None:
    files = sorted(PUBLISHED.rglob("campaign.json"))
    assert len({CampaignFile.read(each.parent).configuration for each in files}) > 10


def test_a_seeds_folder_is_named_with_three_digits(tmp_path: Path) -> None:
    assert [seed_folder(tmp_path, seed).name for seed in (7, 1234)] == ["seed-007", "seed-1234"]
