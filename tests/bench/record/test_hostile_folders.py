"""Campaign folders that are not what they seem: one sentence each, and nothing is left out in silence."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bench.analysis import frames
from bench.errors import DataError
from bench.record import (
    EVENTS_FILE,
    RECORD_FILE,
    TELEMETRY_FILE,
    StoredCampaign,
    holds,
    load_campaign,
    replace_file,
)
from bench.rules import with_verdict
from tests.support.machines import Machine
from tests.support.records import Run, write_campaign

RUN_FILES = (EVENTS_FILE, TELEMETRY_FILE, RECORD_FILE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_campaign(tmp_path / "c", [Run(seed=seed, machine=Machine()) for seed in (0, 1)])


def refused(folder: Path) -> str:
    """The one sentence a folder is refused with."""
    with pytest.raises(DataError) as why:
        load_campaign(folder)
    assert "\n" not in str(why.value)
    return str(why.value)


@pytest.mark.parametrize("name", ["seed-1", "seed-0001", "seed-01"])
def test_two_folders_of_one_seed_are_refused(folder: Path, name: str) -> None:
    shutil.copytree(folder / "seed-001", folder / name)
    assert "are both of seed 1. Move one of them out" in refused(folder)


def test_a_folder_of_another_seed_than_its_events_is_refused_with_its_name(folder: Path) -> None:
    (folder / "seed-001").rename(folder / "seed-042")
    sentence = (
        f"{folder}/seed-042/events.jsonl is of seed 1 and its folder is of seed 42. Give the folder the name seed-001"
    )
    assert refused(folder).startswith(sentence)


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_file_that_leads_out_of_the_campaign_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").write_text("root:x:0:0")
    (folder / "seed-001" / name).unlink(missing_ok=True)
    (folder / "seed-001" / name).symlink_to(tmp_path / "elsewhere")
    assert refused(folder) == (
        f"{folder}/seed-001/{name} is a link out of {folder}. Put what it leads to in its place."
    )  # fmt: skip


def test_a_run_that_leads_out_of_the_campaign_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "seed-001").rename(tmp_path / "seed-001")
    (folder / "seed-001").symlink_to(tmp_path / "seed-001")
    assert "is a link out of" in refused(folder)


def test_a_campaign_file_that_leads_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "campaign.json").rename(tmp_path / "campaign.json")
    (folder / "campaign.json").symlink_to(tmp_path / "campaign.json")
    assert "campaign.json is a link out of" in refused(folder)


def test_a_campaign_that_lies_elsewhere_as_a_whole_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert len(load_campaign(tmp_path / "link").records) == 2


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(folder: Path, name: str) -> None:
    (folder / "seed-001" / name).unlink(missing_ok=True)
    os.mkfifo(folder / "seed-001" / name)
    assert f"seed-001/{name} is not a readable file" in refused(folder)


def test_a_pipe_in_the_place_of_a_table_gives_way(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "runs.csv")
    replace_file(tmp_path / "runs.csv", "seed\n")
    assert (tmp_path / "runs.csv").read_text() == "seed\n"


def test_a_table_that_is_a_link_gives_way_and_what_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "runs.csv").symlink_to(tmp_path / "precious")
    replace_file(tmp_path / "runs.csv", "seed\n")
    assert (tmp_path / "precious").read_text() == "precious"


def test_folders_without_events_are_told(folder: Path) -> None:
    (folder / "seed-001" / EVENTS_FILE).unlink()
    (folder / "seed-007").touch()
    (folder / "seed-0.5").mkdir()
    stored = load_campaign(folder)
    assert [record.seed for record in stored.records] == [0]
    assert stored.without_events == ("seed-001", "seed-007")


def test_a_campaign_file_cannot_say_what_its_folder_holds(folder: Path) -> None:
    said = json.loads((folder / "campaign.json").read_text())
    forged = {"runs": [{"folder": "/etc"}], "records": [{}], "folder": "/etc", "without_events": ["x"]}
    (folder / "campaign.json").write_text(json.dumps({**said, **forged}))
    stored = load_campaign(folder)
    assert (stored.folder, len(stored.records), stored.without_events) == (folder, 2, ())


@pytest.mark.parametrize(("name", "records"), [("campaign.json", 0), (RECORD_FILE, 2)])
def test_a_newer_schema_is_refused_where_it_cannot_be_made_again(folder: Path, name: str, records: int) -> None:
    path = folder / name if name == "campaign.json" else folder / "seed-001" / name
    path.write_text('{"schema": 99}')
    if records:
        assert len(load_campaign(folder).records) == records
    else:
        assert "schema 99 and this checkout reads up to 1. Update the checkout" in refused(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("schema", "configuration", "seeds", "status", "created_utc", "claims", "recipe")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON)
def test_whatever_a_campaign_file_says_it_is_read_or_refused(folder: Path, key: str, value: object) -> None:
    path = folder / "campaign.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, key: value}))
    try:
        found: StoredCampaign | DataError = load_campaign(folder)
    except DataError as why:
        found = why
    finally:
        path.write_text(json.dumps(said))
    assert str(path) in str(found) if isinstance(found, DataError) else len(found.records) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(data=st.data(), name=st.sampled_from((EVENTS_FILE, TELEMETRY_FILE)))
def test_a_run_with_damaged_files_stays_in_the_table(folder: Path, data: st.DataObject, name: str) -> None:
    path = folder / "seed-001" / name
    whole = path.read_bytes()
    begin = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(begin, len(whole)))
    path.write_bytes(whole[:begin] + data.draw(st.binary(max_size=40)) + whole[end:])
    try:
        records = tuple(with_verdict(each) for each in load_campaign(folder).records)
    except DataError as why:
        assume("is of seed" not in str(why))  # The damage may make it another seed's, which is told.
        raise
    finally:
        path.write_bytes(whole)
    runs = frames.runs(records)
    assert list(runs["seed"]) == [0, 1]
    assert len(frames.summary(runs)) >= 1
    assert set(frames.epochs(records)["seed"]) <= {0, 1}


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the disk refuse to tell anything of what is in a folder, as for a user without the right to."""
    for name in ("stat", "lstat"):
        real = getattr(Path, name)

        def asked(path: Path, *, real: Any = real, **more: Any) -> Any:
            if path.parent == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, **more)

        monkeypatch.setattr(Path, name, asked)


def test_a_folder_of_a_seed_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, folder / "seed-001")
    with pytest.raises(DataError) as why:
        load_campaign(folder)
    assert f"{folder}/seed-001/" in why.value.message and "chmod u+rX" in why.value.advice


def test_a_campaign_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, folder)
    assert refused(folder).startswith(f"cannot read {folder}/campaign.json (Permission denied)")
    with pytest.raises(DataError, match="Permission denied"):
        holds(folder, "ab.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder; run the tests as a user to see this one")
@pytest.mark.parametrize("name", ["seed-001", "."])
def test_a_closed_folder_is_told(folder: Path, name: str) -> None:
    (folder / name).chmod(0)
    try:
        assert "Permission denied" in refused(folder)
    finally:
        (folder / name).chmod(0o700)
