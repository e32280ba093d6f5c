"""The thermal and cache protocol: in campaign.json, in what may be continued, and in how a campaign's runs go."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.campaign import campaign
from bench.campaign.campaign import Campaign
from bench.errors import Refused
from bench.launch.conditions import WarmUp, warm_up_limits, warm_up_seed
from bench.launch.launch import Outcome
from bench.launch.monitor import Limits
from bench.record import Configuration, RunConditions, load_campaign
from bench.record.campaign import UNSTATED
from bench.record.claims import Claims
from resnet9.__main__ import LARGEST_SEED
from tests.support.records import Run

CONFIGURATION = Configuration(
    recipe="page24", recipe_sha256="r" * 64, dataset="cifar10", dataset_sha256="d" * 64, dataset_state="canonical",
    input="host", precision="auto", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
COOLED = RunConditions(idle_seconds=30.0)


def choose(
    results: Path, protocol: RunConditions, out: Path | None = None, seeds: tuple[int, ...] = (0, 1)
) -> Campaign:
    later = NOW + timedelta(hours=len(list(results.iterdir())))
    return campaign.choose(results, out, CONFIGURATION, seeds, Claims(), "cpu", later, protocol)


def begun(results: Path, protocol: RunConditions, done: tuple[int, ...] = (0,)) -> Campaign:
    """A campaign on disk with these seeds done."""
    new = choose(results, protocol)
    new.folder.mkdir()
    for seed in done:
        run(new.make_room(seed), seed, "done")
    new.write()
    return new


def run(folder: Path, seed: int, status: str) -> None:
    folder.mkdir()
    (folder / "events.jsonl").write_text(Run(seed=seed, status=status).text())


# Which campaign is continued


def test_the_protocol_is_in_campaign_json_and_read_back(tmp_path: Path) -> None:
    folder = begun(tmp_path, COOLED).folder

    assert json.loads((folder / "campaign.json").read_text())["protocol"] == asdict(COOLED)
    assert Campaign.read(folder).protocol == COOLED


def test_a_campaign_of_another_protocol_is_not_continued(tmp_path: Path) -> None:
    old = begun(tmp_path, RunConditions())

    assert choose(tmp_path, RunConditions()).folder == old.folder
    assert choose(tmp_path, COOLED).folder != old.folder


def test_out_that_was_begun_under_another_protocol_is_refused_with_both_values(tmp_path: Path) -> None:
    old = begun(tmp_path, COOLED)

    with pytest.raises(Refused, match=r"another protocol: idle_seconds 30.0 instead of 0.0\."):
        choose(tmp_path, RunConditions(), out=old.folder)


def test_a_finished_campaign_may_be_shown_whatever_its_protocol_was(tmp_path: Path) -> None:
    old = begun(tmp_path, COOLED, done=(0, 1))

    found = choose(tmp_path, RunConditions(), out=old.folder)

    assert (found.left(), found.protocol) == ((), COOLED)


def test_a_campaign_that_states_no_protocol_is_none_of_todays(tmp_path: Path) -> None:
    old = begun(tmp_path, RunConditions(warm_up=0))
    body = json.loads((old.folder / "campaign.json").read_text())
    del body["protocol"]
    (old.folder / "campaign.json").write_text(json.dumps(body))

    assert Campaign.read(old.folder).protocol == UNSTATED
    assert choose(tmp_path, RunConditions(warm_up=0)).folder != old.folder


# The warm-up run


def test_the_seed_of_a_warm_up_is_none_that_counts() -> None:
    assert warm_up_seed((0, 1)) == 10**9
    assert warm_up_seed((10**9, 10**9 + 1, 5)) == 10**9 + 2


def test_the_trainer_takes_the_seed_of_a_warm_up() -> None:
    assert warm_up_seed(range(1000)) < LARGEST_SEED


def test_a_warm_up_has_the_limits_of_the_other_runs_and_an_end() -> None:
    limits = warm_up_limits(Limits(silence_seconds=7))

    assert (limits.silence_seconds, limits.enough_epochs, limits.enough_seconds) == (7, 1.0, 60.0)


def test_a_warm_up_is_in_no_table_and_an_older_one_is_kept_aside(tmp_path: Path) -> None:
    made = begun(tmp_path, RunConditions())
    run(made.make_room_to_warm_up(), 9, "cut_short")
    (made.folder / "warm-up" / ".record.json.12.part").touch()

    made.sweep()
    made.make_room_to_warm_up()

    assert [path.name for path in made.folder.glob("warm-up*")] == ["warm-up.cut_short-1"]
    assert [path.name for path in (made.folder / "warm-up.cut_short-1").iterdir()] == ["events.jsonl"]
    assert [record.seed for record in load_campaign(made.folder).records] == [0]


WELL, FAILED = Outcome("done"), Outcome("failed", "why")


@pytest.mark.parametrize(
    ("warm_up", "seeds", "made", "exit_code"),
    [
        (Outcome("cut_short", "enough"), [WELL, WELL], 3, 0),
        (FAILED, [WELL, WELL], 3, 0),
        (Outcome("cut_short", "enough"), [FAILED, FAILED], 3, 5),
        (FAILED, [FAILED, WELL], 2, 5),
        (replace(FAILED, exit_code=2), [WELL, WELL], 1, 2),
        (replace(FAILED, exit_code=3), [WELL, WELL], 1, 3),
        (Outcome("interrupted", "Ctrl-C"), [WELL, WELL], 1, 130),
    ],
)
def test_a_warm_up_that_fails_is_a_failure_in_a_row_and_no_failure_of_the_campaign(
    warm_up: Outcome, seeds: list[Outcome], made: int, exit_code: int
) -> None:
    outcomes = dict(zip((WarmUp(), 0, 1), (warm_up, *seeds), strict=True))

    ending = campaign.run(outcomes, outcomes.__getitem__)

    assert (len(ending.outcomes), ending.exit_code) == (made, exit_code)


def test_two_warm_ups_that_fail_end_a_campaign_that_made_no_run() -> None:
    ending = campaign.run((WarmUp(1), WarmUp(2), 0, 1), lambda _: FAILED)

    assert (list(ending.outcomes), ending.exit_code) == ([WarmUp(1), WarmUp(2)], 5)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (RunConditions(), "1 warm-up run first, 0 s idle between runs, kernel cache kept"),
        (
            RunConditions(0, 2.5, "cold"),
            "no warm-up run first, 2.5 s idle between runs, kernel cache empty at each run",
        ),
        (
            RunConditions(2, telemetry=False),
            "2 warm-up runs first, 0 s idle between runs, kernel cache kept, telemetry off",
        ),
    ],
)
def test_the_protocol_in_words(protocol: RunConditions, words: str) -> None:
    assert protocol.sentence() == words


@pytest.mark.parametrize(
    ("warm_up", "begin"),
    [
        (0, "no warm-up run first, "),
        (1, "1 warm-up run of each side first, "),
        (2, "2 warm-up runs of each side first, "),
    ],
)
def test_what_is_warmed_up_is_told_where_there_are_sides(warm_up: int, begin: str) -> None:
    assert RunConditions(warm_up=warm_up).sentence("each side").startswith(begin)
