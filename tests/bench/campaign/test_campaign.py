from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bench.campaign import campaign
from bench.campaign.campaign import Campaign, Ending
from bench.errors import DataError, EnvironmentProblem, Refused, UsageError
from bench.launch.launch import Outcome
from bench.record import Configuration, load_campaign
from bench.record.claims import Claims
from tests.support.records import Run

CONFIGURATION = Configuration(
    recipe="page24", recipe_sha256="r" * 64, dataset="cifar10", dataset_sha256="d" * 64, dataset_state="canonical",
    input="host", precision="auto", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def choose(
    results: Path,
    out: Path | None = None,
    configuration: Configuration = CONFIGURATION,
    seeds: tuple[int, ...] = (0, 1, 2),
    only: bool = False,
    claims: Claims = Claims(),  # noqa: B008
    now: datetime = NOW,
) -> Campaign:
    return campaign.choose(results, out, configuration, seeds, claims, "cpu", now, only=only)


def made(results: Path, done: dict[int, str], now: datetime = NOW, **how: object) -> Campaign:
    """A campaign on disk whose seeds in ``done`` ended with these statuses."""
    new = choose(results, out=results / f"{now:%Y%m%dT%H%M%SZ}-page24-cpu", now=now, **how)  # type: ignore[arg-type]
    new.folder.mkdir(parents=True)
    for seed, status in done.items():
        add_run(new, seed, status)
    new.write()
    return new


def add_run(into: Campaign, seed: int, status: str) -> None:
    folder = into.make_room(seed)
    folder.mkdir()
    (folder / "events.jsonl").write_text(Run(seed=seed, status=status).text())


# Which campaign to run


def test_a_new_campaign_is_named_by_time_in_utc_recipe_and_device(tmp_path: Path) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))

    new = campaign.choose(tmp_path, None, CONFIGURATION, (0,), Claims(), "NVIDIA H200 (SXM)", elsewhere)

    assert new.folder == tmp_path / "20240506T070809Z-page24-nvidia-h200-sxm"
    assert new.created_utc == "2024-05-06T07:08:09Z"
    assert not new.folder.exists()


@pytest.mark.parametrize(
    ("recipe", "folder"),
    [
        ("hive", "hive"),
        ("air94-muon", "air94-muon"),
        ("my:a/b", "my-a-b"),
        ("../../../esc", "esc"),
        ("My Own:Fast_1.5", "my-own-fast-1-5"),
        ("..", ""),
        ("x" * 300, "x" * 100),
    ],
)
def test_no_name_of_a_recipe_leads_out_of_the_results(tmp_path: Path, recipe: str, folder: str) -> None:
    new = choose(tmp_path, configuration=replace(CONFIGURATION, recipe=recipe))

    assert new.folder.parent == tmp_path
    assert new.folder.name == "-".join(filter(None, ["20240506T070809Z", folder, "cpu"]))


def test_a_campaign_of_a_recipe_from_a_file_is_found_again(tmp_path: Path) -> None:
    mine = replace(CONFIGURATION, recipe="my:a/b")
    begun = choose(tmp_path, configuration=mine)
    begun.folder.mkdir()
    begun.write()

    assert choose(tmp_path, configuration=mine, now=NOW + timedelta(hours=1)).folder == begun.folder


def test_the_table_of_the_recipe_is_kept_and_a_file_without_it_is_still_read(tmp_path: Path) -> None:
    new = replace(made(tmp_path, {}), recipe={"net": "air", "widths": [1, 2, 3]})
    new.write()

    assert load_campaign(new.folder).recipe == Campaign.read(new.folder).recipe == new.recipe

    path = new.folder / "campaign.json"
    path.write_text(json.dumps({key: each for key, each in json.loads(path.read_text()).items() if key != "recipe"}))
    assert load_campaign(new.folder).recipe == Campaign.read(new.folder).recipe == {}


def test_a_second_campaign_in_the_same_second_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    first = made(tmp_path, {0: "done", 1: "done", 2: "done"})

    assert choose(tmp_path).folder == first.folder.with_name(f"{first.folder.name}-2")


def test_what_is_written_is_what_analysis_reads(tmp_path: Path) -> None:
    claims = Claims(author="A", cost_per_hour=2.5)
    new = made(tmp_path, {0: "done"}, claims=claims)

    stored = load_campaign(new.folder)

    assert stored.configuration == CONFIGURATION
    assert (stored.seeds, stored.status, stored.created_utc) == ((0, 1, 2), "unfinished", "2024-05-06T07:08:09Z")
    assert stored.claims == claims
    assert Campaign.read(new.folder) == new


def test_the_newest_unfinished_campaign_of_the_same_configuration_is_continued(tmp_path: Path) -> None:
    made(tmp_path, {0: "done"}, now=NOW - timedelta(days=2))
    newer = made(tmp_path, {0: "done", 1: "interrupted"}, now=NOW - timedelta(days=1))
    made(tmp_path, {0: "done", 1: "done", 2: "done"})
    made(tmp_path, {}, configuration=replace(CONFIGURATION, precision="fp32"), now=NOW + timedelta(days=1))

    found = choose(tmp_path, now=NOW + timedelta(days=2))

    assert found.folder == newer.folder
    assert found.left() == (1, 2)


def test_a_finished_campaign_is_not_continued(tmp_path: Path) -> None:
    made(tmp_path, {0: "done", 1: "done", 2: "done"})

    assert choose(tmp_path, now=NOW + timedelta(hours=1)).folder.name == "20240506T080809Z-page24-cpu"


@pytest.mark.parametrize("damage", ["{", '{"schema": 9}', "[]", '{"schema":1,"seeds":"no"}', "\x00", "[" * 100_000])
def test_a_damaged_campaign_is_passed_over(tmp_path: Path, damage: str) -> None:
    old = made(tmp_path, {})
    (old.folder / "campaign.json").write_text(damage)

    assert choose(tmp_path, now=NOW + timedelta(hours=1)).folder != old.folder
    with pytest.raises(DataError, match=r"campaign\.json (is damaged|is not whole JSON|has schema 9)"):
        choose(tmp_path, out=old.folder)


def test_a_run_is_done_where_its_events_say_so_even_without_a_record(tmp_path: Path) -> None:
    found = made(tmp_path, {0: "done", 1: "failed", 2: "timed_out"})

    assert [found.done(seed) for seed in (0, 1, 2, 7)] == [True, False, False, False]
    assert found.left() == (1, 2)


def test_continuing_adds_seeds_to_the_plan_and_takes_none_from_it(tmp_path: Path) -> None:
    made(tmp_path, {0: "done", 1: "failed"}, seeds=(0, 1, 2), claims=Claims(author="A", email="a@b.c"))

    found = choose(tmp_path, seeds=(5, 1), claims=Claims(author="B"))

    assert found.seeds == (0, 1, 2, 5)
    assert found.left() == found.to_run() == (1, 2, 5)
    assert (found.claims.author, found.claims.email) == ("B", "a@b.c")


def test_seeds_that_are_named_are_run_alone_and_the_plan_stays_unfinished(tmp_path: Path) -> None:
    old = made(tmp_path, {0: "done", 1: "failed"}, seeds=(0, 1, 2))

    found = choose(tmp_path, out=old.folder, seeds=(5, 1), only=True)

    assert found.to_run() == (1, 5)
    assert found.left() == (1, 2, 5)
    found.write()
    assert load_campaign(found.folder).seeds == (0, 1, 2, 5)
    assert load_campaign(found.folder).status == "unfinished"


def test_seeds_whose_folders_were_deleted_stay_in_the_plan(tmp_path: Path) -> None:
    old = made(tmp_path, {0: "done", 1: "done", 2: "done"})
    shutil.rmtree(old.run_folder(0))

    found = choose(tmp_path, out=old.folder, seeds=(1, 2), only=True)

    assert (found.seeds, found.left(), found.to_run()) == ((0, 1, 2), (0,), ())


def test_named_seeds_continue_the_campaign_whose_plan_they_complete_and_begin_another_else(tmp_path: Path) -> None:
    old = made(tmp_path, {0: "done"}, seeds=(0, 1, 2))
    later = NOW + timedelta(hours=1)

    assert choose(tmp_path, seeds=(0, 1, 2, 3), only=True, now=later).folder == old.folder
    fewer = choose(tmp_path, seeds=(0, 1), only=True, now=later)
    assert (fewer.folder == old.folder, fewer.seeds) == (False, (0, 1))


# OUT


def test_out_names_the_folder(tmp_path: Path) -> None:
    assert choose(tmp_path / "results", out=tmp_path / "mine").folder == tmp_path / "mine"


def test_an_empty_out_is_taken(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".lock").touch()
    (tmp_path / "mine" / ".campaign.json.12.part").touch()  # Killed while it wrote its first file.

    assert choose(tmp_path, out=tmp_path / "mine").left() == (0, 1, 2)


def test_out_with_the_same_configuration_is_continued_even_when_finished(tmp_path: Path) -> None:
    old = made(tmp_path, {0: "done", 1: "done", 2: "done"})

    assert choose(tmp_path, out=old.folder).left() == ()
    assert choose(tmp_path, out=old.folder, seeds=(0, 1, 2, 3)).left() == (3,)


def test_out_with_another_configuration_is_refused_with_what_differs(tmp_path: Path) -> None:
    old = made(tmp_path, {})

    with pytest.raises(
        Refused, match=r"another configuration: input 'host' instead of 'device'; threads 2 instead of 4\."
    ):
        choose(tmp_path, out=old.folder, configuration=replace(CONFIGURATION, input="device", threads=4))


def test_out_that_is_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")

    with pytest.raises(UsageError, match=r"holds 'thesis.tex' and no campaign"):
        choose(tmp_path, out=tmp_path)
    with pytest.raises(UsageError, match=r"cannot be used as a folder \(Not a directory\)"):
        choose(tmp_path, out=tmp_path / "thesis.tex")


# Room for a new run


def test_a_run_that_cannot_be_moved_aside_is_told(tmp_path: Path) -> None:
    found = made(tmp_path, {})
    found.run_folder(0).write_text("no folder")

    with pytest.raises(EnvironmentProblem, match=r"cannot write to .*seed-000 \(Not a directory\)"):
        found.make_room(0)


def test_a_run_that_did_not_end_well_is_moved_aside_and_kept(tmp_path: Path) -> None:
    found = made(tmp_path, {0: "failed", 1: "interrupted"})
    found.run_folder(2).mkdir()  # The harness died before its first line.

    for seed in (0, 1, 2):
        assert not found.make_room(seed).exists()
    add_run(found, 0, "failed")
    found.make_room(0)

    kept = sorted(path.name for path in found.folder.glob("seed-*"))
    assert kept == ["seed-000.failed-1", "seed-000.failed-2", "seed-001.interrupted-1", "seed-002.interrupted-1"]
    assert [record.seed for record in load_campaign(found.folder).records] == []


def test_a_fifo_that_a_killed_harness_left_does_not_stay_to_block_a_reader(tmp_path: Path) -> None:
    found = made(tmp_path, {0: "interrupted"})
    os.mkfifo(found.run_folder(0) / "events.fifo")

    found.make_room(0)

    assert [path.name for path in (found.folder / "seed-000.interrupted-1").iterdir()] == ["events.jsonl"]


def test_half_written_files_are_swept_and_nothing_else(tmp_path: Path) -> None:
    found = made(tmp_path, {0: "done"})
    for name in (".runs.csv.12.part", "seed-000/.record.json.12.part", "seed-000/trainer.log", "notes.part"):
        (found.folder / name).touch()

    found.sweep()

    left = {str(path.relative_to(found.folder)) for path in found.folder.rglob("*") if path.is_file()}
    assert left == {"campaign.json", "notes.part", "seed-000/events.jsonl", "seed-000/trainer.log"}


# The policy


def script(*statuses: str | tuple[str, int]) -> tuple[Callable[[int], Outcome], list[int]]:
    """A fake run that ends as scripted, and the seeds it was asked for."""
    made_seeds: list[int] = []
    endings = iter(statuses)

    def make_run(seed: int) -> Outcome:
        made_seeds.append(seed)
        ending = next(endings)
        status, code = (ending, None) if isinstance(ending, str) else ending
        return Outcome(status, "" if status == "done" else "why", code)

    return make_run, made_seeds


@pytest.mark.parametrize(
    ("endings", "runs", "exit_code"),
    [
        (["done", "done", "done", "done"], 4, 0),
        (["failed", "done", "timed_out", "done"], 4, 5),
        (["done", "done", "done", "failed"], 4, 5),
        (["failed", "timed_out"], 2, 5),
        (["done", ("failed", 1), ("failed", 139)], 3, 5),
        (["done", "interrupted"], 2, 130),
        ([("failed", 4)], 1, 4),
        (["done", ("failed", 3)], 2, 3),
        ([("failed", 2)], 1, 2),
        ([("failed", 5), "done", ("failed", 5), "done"], 4, 5),
        (["failed", "done", "failed", "done"], 4, 5),
    ],
)
def test_a_failed_run_costs_its_seed_and_two_in_a_row_the_campaign(
    endings: list[str | tuple[str, int]], runs: int, exit_code: int
) -> None:
    make_run, seeds = script(*endings)

    ending = campaign.run((4, 7, 9, 2), make_run)

    assert seeds == [4, 7, 9, 2][:runs]
    assert ending.exit_code == exit_code
    assert list(ending.outcomes) == seeds


def several(
    *endings: tuple[str, str | tuple[str, int]], all_needed: bool = False
) -> tuple[Ending[tuple[str, int]], list[str]]:
    """How runs of several campaigns end, each given as its campaign and its ending, and whose runs were made."""
    runs = [(name, number) for number, (name, _) in enumerate(endings)]

    def make_run(run: tuple[str, int]) -> Outcome:
        ending = endings[run[1]][1]
        status, code = (ending, None) if isinstance(ending, str) else ending
        return Outcome(status, "", code)

    ending = campaign.run(runs, make_run, campaign_of=lambda run: run[0], all_needed=all_needed)
    return ending, [name for name, _ in ending.outcomes]


def test_failures_in_a_row_are_counted_for_each_campaign_of_several() -> None:
    ending, runs = several(
        ("a", "done"), ("b", "failed"), ("c", "failed"), ("a", "done"), ("b", "failed"), ("c", "done"), ("b", "done"),
        ("c", "failed"),
    )  # fmt: skip

    assert runs == ["a", "b", "c", "a", "b", "c", "c"]
    assert ending.exit_code == 5


@pytest.mark.parametrize("code", [3, 4])
def test_data_and_environment_end_all_campaigns(code: int) -> None:
    ending, runs = several(("a", "done"), ("b", ("failed", code)), ("a", "done"))

    assert (ending.exit_code, runs) == (code, ["a", "b"])


def test_a_trainer_that_cannot_be_used_so_ends_its_own_campaign_alone() -> None:
    ending, runs = several(("a", "done"), ("b", ("failed", 2)), ("a", "done"), ("b", "done"))

    assert (ending.exit_code, runs) == (5, ["a", "b", "a"])


def test_where_all_campaigns_are_needed_two_failures_in_a_row_of_one_end_them_all() -> None:
    made = (("a", "done"), ("b", "failed"), ("b", "failed"), ("a", "done"), ("a", "done"), ("b", "done"))

    ending, runs = several(*made, all_needed=True)
    assert (ending.exit_code, runs) == (5, ["a", "b", "b"])

    ending, runs = several(*made)
    assert runs == ["a", "b", "b", "a", "a"]


def test_where_all_campaigns_are_needed_one_failure_ends_none_and_one_that_cannot_be_used_so_ends_all() -> None:
    one = (("a", "done"), ("b", "failed"), ("b", "done"), ("a", "done"))
    assert several(*one, all_needed=True)[1] == ["a", "b", "b", "a"]

    ending, runs = several(("a", "done"), ("b", ("failed", 2)), ("a", "done"), all_needed=True)
    assert (ending.exit_code, runs) == (2, ["a", "b"])


def test_a_campaign_with_nothing_left_is_done() -> None:
    assert campaign.run((), script()[0]) == Ending(0, {})


def test_an_interrupted_write_leaves_the_old_campaign_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = made(tmp_path, {})
    before = (old.folder / "campaign.json").read_text()
    monkeypatch.setattr("os.replace", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        replace(old, seeds=(9,)).write()

    assert json.loads((old.folder / "campaign.json").read_text()) == json.loads(before)
