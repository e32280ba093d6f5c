"""An experiment's folder: chosen, continued, refused; and the order of its runs, of pairs and of variants."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.campaign.campaign import Campaign
from bench.campaign.experiment import Experiment, choose
from bench.errors import DataError, Refused, UsageError
from bench.record import Configuration, RunConditions, StoredAblation, read_experiment
from bench.record.experiment import StoredAB, StoredExperiment, StoredSide
from tests.support.records import Run, ablation, variant

BASE = Configuration(
    recipe="mine:base", recipe_sha256="b" * 64, dataset="cifar10", dataset_sha256="d" * 64, dataset_state="canonical",
    input="host", precision="auto", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip
NOTHING = StoredSide({}, {}, {})
AB = StoredAB(1, "smoke", "cifar10", None, (0, 1, 2, 3), replace(NOTHING, settings={"THREADS": "1"}), NOTHING)
ABLATION = ablation(
    variant("base"), variant("other", "base"), seeds=(0, 1), configuration=asdict(BASE), created_utc=""
)  # fmt: skip
ARMS = {
    "a": Campaign(1, replace(BASE, threads=1), (), "", recipe={"net": "resnet9"}, protocol=RunConditions()),
    "b": Campaign(1, BASE, (), "", recipe={"net": "resnet9"}, protocol=RunConditions(kernel_cache="cold")),
    "base": Campaign(1, BASE, (), ""),
    "other": Campaign(1, replace(BASE, recipe="mine:other", recipe_sha256="o" * 64), (), ""),
}
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def chosen(
    results: Path, wanted: StoredExperiment, out: Path | None = None, now: datetime = NOW, **changes: Any
) -> Experiment[Any]:
    """The experiment that is run, with these ``changes`` of the arms' configurations or conditions."""
    idle = changes.pop("idle_seconds", 0.0)
    named = {name: ARMS[name] for name in wanted.arms}
    arms = {
        name: replace(
            arm,
            configuration=replace(arm.configuration, **changes),
            protocol=replace(arm.protocol, idle_seconds=idle),
        )
        for name, arm in named.items()
    }
    if isinstance(wanted, StoredAblation):
        wanted = replace(wanted, configuration=asdict(arms["base"].configuration))
    return choose(results, out, wanted, arms, "Some CPU", now)


def begun(
    results: Path, wanted: StoredExperiment, done: str = "", now: datetime = NOW, status: str = "done"
) -> Experiment[Any]:
    """An experiment on disk whose runs named ``done``, as in `a0 b0`, have ended so."""
    made = chosen(results, wanted, results / f"{now:%Y%m%dT%H%M%SZ}-{wanted.word}-some-cpu", now)
    made.folder.mkdir(parents=True)
    made.prepare()
    for run in done.split():
        folder = made.campaigns[run[:-1]].make_room(int(run[-1]))
        folder.mkdir()
        (folder / "events.jsonl").write_text(Run(seed=int(run[-1]), end={"status": status}).text())
    made.write()
    return made


def left(made: Experiment[Any]) -> str:
    return " ".join(f"{name}{seed}" for name, seed in made.left())


@pytest.mark.parametrize(("wanted", "name"), [(AB, "ab-smoke"), (replace(ABLATION, set="My: set"), "ablate-my-set")])
def test_a_new_one_is_named_by_time_kind_and_device_and_nothing_is_written(
    tmp_path: Path, wanted: StoredExperiment, name: str
) -> None:
    made = chosen(tmp_path, wanted)
    assert made.folder == tmp_path / f"20240506T070809Z-{name}-some-cpu"
    assert made.stored.created_utc == "2024-05-06T07:08:09Z" and list(tmp_path.iterdir()) == []


def test_which_side_of_a_pair_is_first_alternates_and_the_variants_of_a_seed_keep_their_order(tmp_path: Path) -> None:
    assert left(chosen(tmp_path, AB)) == "a0 b0 b1 a1 a2 b2 b3 a3"
    assert left(chosen(tmp_path, ABLATION)) == "base0 other0 base1 other1"


def test_each_arm_is_a_campaign_with_its_own_configuration_conditions_and_recipe(tmp_path: Path) -> None:
    made = begun(tmp_path, AB)
    bodies = [json.loads((made.folder / name / "campaign.json").read_text()) for name in "ab"]
    assert [body["configuration"]["threads"] for body in bodies] == [1, 2]
    assert [body["protocol"]["kernel_cache"] for body in bodies] == ["kept", "cold"]
    assert [(body["recipe"], body["status"]) for body in bodies] == [({"net": "resnet9"}, "unfinished")] * 2


@pytest.mark.parametrize("status", ["done", "cut_short"])
def test_a_run_without_its_partner_is_made_again_with_it_in_the_same_order(tmp_path: Path, status: str) -> None:
    assert left(begun(tmp_path, AB, "a0 b0 b1", status=status)) == "b1 a1 a2 b2 b3 a3"


def test_of_an_ablation_only_what_is_missing_is_made_and_runs_that_have_failed_come_last(tmp_path: Path) -> None:
    made = begun(tmp_path, ABLATION, "other0")
    folder = made.campaigns["base"].make_room(0)
    folder.mkdir()
    (folder / "events.jsonl").write_text(Run(seed=0, status="failed").text())
    assert left(chosen(tmp_path, ABLATION, now=LATER)) == "base1 other1 base0"


@pytest.mark.parametrize(
    ("wanted", "half", "whole"),
    [(AB, "a0 b0", "a0 b0 a1 b1 a2 b2 a3 b3"), (ABLATION, "base0 base1 other0", "base0 base1 other0 other1")],
)
def test_the_newest_unfinished_one_is_continued_and_finished_and_damaged_ones_are_passed_over(
    tmp_path: Path, wanted: StoredExperiment, half: str, whole: str
) -> None:
    older = begun(tmp_path, wanted, half)
    assert begun(tmp_path, wanted, whole, now=LATER).left() == ()
    (tmp_path / "20990101T000000Z-torn").mkdir()
    (tmp_path / "20990101T000000Z-torn" / wanted.file).write_text("{")

    again = chosen(tmp_path, wanted, now=LATER + timedelta(1))

    assert again.folder == older.folder and again.left() == older.left()
    assert again.stored.created_utc == older.stored.created_utc
    with pytest.raises(DataError):
        chosen(tmp_path, wanted, tmp_path / "20990101T000000Z-torn")


def test_one_whose_last_variant_was_never_begun_is_unfinished(tmp_path: Path) -> None:
    made = begun(tmp_path, ABLATION, "base0 base1 other0 other1")
    shutil.rmtree(made.folder / "other")
    assert chosen(tmp_path, ABLATION, now=LATER).folder == made.folder


def test_more_seeds_in_out_keep_those_that_are_done(tmp_path: Path) -> None:
    finished = begun(tmp_path, ABLATION, "base0 base1 other0 other1")
    assert read_experiment(finished.folder, StoredAblation).status == "finished"
    more = chosen(tmp_path, replace(ABLATION, seeds=(0, 2)), finished.folder)
    assert left(more) == "base2 other2" and more.stored.seeds == (0, 1, 2)
    assert {each.seeds for each in more.campaigns.values()} == {(0, 1, 2)}


@pytest.mark.parametrize(
    ("wanted", "changes", "configuration", "said"),
    [
        (AB, {"epochs": 2}, {}, "epochs None instead of 2"),
        (AB, {"seeds": (0,)}, {}, r"seeds \(0, 1, 2, 3\) instead of \(0,\)"),
        (AB, {"b": replace(NOTHING, variables={"TF_X": "1"})}, {}, "sides '.*B nothing' instead of '.*TF_X=1'"),
        (AB, {}, {"threads": 7}, "threads 1 instead of 7; threads 2 instead of 7"),
        (AB, {}, {"idle_seconds": 1.0}, "idle_seconds 0.0 instead of 1.0"),
        (ABLATION, {}, {"idle_seconds": 1.0}, "idle_seconds 0.0 instead of 1.0"),
        (ABLATION, {"sha256": "0" * 64}, {}, "another version of the set 'mine'"),
        (ABLATION, {"set": "yours"}, {}, "set 'mine' instead of 'yours'"),
        (ABLATION, {}, {"threads": 7}, "threads 2 instead of 7"),
    ],
)
def test_another_one_is_not_continued_and_refused_with_what_differs(
    tmp_path: Path, wanted: Any, changes: dict[str, Any], configuration: dict[str, Any], said: str
) -> None:
    folder = begun(tmp_path, wanted).folder
    other = replace(wanted, **changes)
    assert chosen(tmp_path, other, now=LATER, **configuration).folder != folder
    with pytest.raises(Refused, match=f"holds another .*: {said}\\."):
        chosen(tmp_path, other, folder, **configuration)


def test_out_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").touch()
    with pytest.raises(UsageError, match=r"holds 'a\.txt' and no ablation"):
        chosen(tmp_path, ABLATION, tmp_path / "letters")


@pytest.mark.parametrize("wanted", [AB, ABLATION])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_one_killed_while_it_is_prepared_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: StoredExperiment, after: int
) -> None:
    made = chosen(tmp_path, wanted)
    made.folder.mkdir()
    swaps, swap = [], os.replace

    def killed(part: str, name: str, **folder: int) -> None:
        swaps.append(name)
        if len(swaps) > after:
            raise KeyboardInterrupt
        swap(part, name, **folder)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr("os.replace", killed)
        made.prepare()

    again = chosen(tmp_path, wanted, made.folder)
    again.prepare()
    assert again.left() == made.left()
    assert chosen(tmp_path, wanted, now=LATER).folder == made.folder
    assert not list(made.folder.rglob("*.part"))


def test_what_a_killed_harness_left_is_swept(tmp_path: Path) -> None:
    made = begun(tmp_path, ABLATION, "base0")
    parts = [made.folder / ".ablation.csv.1.part", made.folder / "base" / ".runs.csv.1.part"]
    for part in parts:
        part.touch()
    made.prepare()
    assert not any(part.exists() for part in parts)
