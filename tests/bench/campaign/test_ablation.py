"""An ablation's folder: chosen, continued, refused; and its runs in turn by seed."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.campaign.ablation import Ablation, choose
from bench.campaign.campaign import Configuration
from bench.errors import DataError, Refused, UsageError
from bench.record import StoredAblation, read_ablation
from tests.support.records import Run, ablation, variant

BASE = Configuration(
    recipe="mine:base", recipe_sha256="b" * 64, dataset="cifar10", dataset_sha256="d" * 64, dataset_state="canonical",
    input="host", precision="auto", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip
CONFIGURATIONS = {"base": BASE, "other": replace(BASE, recipe="mine:other", recipe_sha256="o" * 64)}
WANTED = ablation(
    variant("base"), variant("other", "base"), seeds=(0, 1), configuration=asdict(BASE), created_utc=""
)  # fmt: skip
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def chosen(
    results: Path, out: Path | None = None, wanted: StoredAblation = WANTED, now: datetime = NOW, threads: int = 2
) -> Ablation:
    configurations = {name: replace(each, threads=threads) for name, each in CONFIGURATIONS.items()}
    wanted = replace(wanted, configuration=asdict(configurations["base"]))
    return choose(results, out, wanted, configurations, "Some CPU", now)


def prepared(results: Path, done: dict[str, tuple[int, ...]], now: datetime = NOW) -> Ablation:
    """An ablation on disk with these seeds of its variants done."""
    made = chosen(results, results / f"{now:%Y%m%dT%H%M%SZ}-ablate-mine-some-cpu", now=now)
    made.folder.mkdir(parents=True)
    made.prepare()
    for name, seeds in done.items():
        for seed in seeds:
            folder = made.campaigns[name].make_room(seed)
            folder.mkdir()
            (folder / "events.jsonl").write_text(Run(seed=seed).text())
    made.write()
    return made


def test_a_new_one_is_named_by_time_set_and_device(tmp_path: Path) -> None:
    made = chosen(tmp_path)
    assert made.folder == tmp_path / "20240506T070809Z-ablate-mine-some-cpu"
    assert made.stored.created_utc == "2024-05-06T07:08:09Z"
    assert list(tmp_path.iterdir()) == []


def test_every_variant_of_a_seed_runs_before_the_next_seed(tmp_path: Path) -> None:
    assert chosen(tmp_path).left() == (("base", 0), ("other", 0), ("base", 1), ("other", 1))


def test_each_variant_is_a_campaign_of_its_own(tmp_path: Path) -> None:
    made = prepared(tmp_path, {})
    assert {path.parent.name for path in made.folder.glob("*/campaign.json")} == {"base", "other"}
    body = json.loads((made.folder / "other" / "campaign.json").read_text())
    assert (body["configuration"]["recipe"], body["status"]) == ("mine:other", "unfinished")


def test_an_unfinished_one_is_continued(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0, 1), "other": (0,)})
    again = chosen(tmp_path, now=NOW + timedelta(hours=1))
    assert again.folder == begun.folder
    assert again.left() == (("other", 1),)
    assert again.stored.created_utc == begun.stored.created_utc


def test_one_whose_last_variant_was_never_begun_is_unfinished(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0, 1), "other": (0, 1)})
    for path in (begun.folder / "other" / "campaign.json",):
        path.unlink()
    for path in sorted((begun.folder / "other").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert chosen(tmp_path, now=NOW + timedelta(hours=1)).folder == begun.folder


def test_a_finished_one_is_left_alone_and_says_so(tmp_path: Path) -> None:
    finished = prepared(tmp_path, {"base": (0, 1), "other": (0, 1)})
    assert read_ablation(finished.folder).status == "finished"
    assert chosen(tmp_path, now=NOW + timedelta(hours=1)).folder != finished.folder


def test_more_seeds_in_out_keep_those_that_are_done(tmp_path: Path) -> None:
    finished = prepared(tmp_path, {"base": (0, 1), "other": (0, 1)})
    more = chosen(tmp_path, finished.folder, wanted=replace(WANTED, seeds=(0, 1, 2)))
    assert more.left() == (("base", 2), ("other", 2))


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"set": "yours"}])
def test_another_set_is_not_continued(tmp_path: Path, change: dict[str, str]) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    assert chosen(tmp_path, wanted=replace(WANTED, **change), now=NOW + timedelta(1)).folder != begun.folder


def test_another_machine_is_not_continued(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    assert chosen(tmp_path, threads=7, now=NOW + timedelta(1)).folder != begun.folder


@pytest.mark.parametrize(
    ("change", "says"),
    [({"sha256": "0" * 64}, "another version of the set 'mine'"), ({"set": "yours"}, "set 'mine' instead of 'yours'")],
)
def test_out_with_another_set_is_refused(tmp_path: Path, change: dict[str, str], says: str) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    with pytest.raises(Refused, match=says):
        chosen(tmp_path, begun.folder, wanted=replace(WANTED, **change))


def test_out_with_another_configuration_is_refused(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    with pytest.raises(Refused, match="threads 2 instead of 7"):
        chosen(tmp_path, begun.folder, threads=7)


def test_out_that_holds_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").touch()
    with pytest.raises(UsageError, match=r"holds 'a\.txt' and no ablation"):
        chosen(tmp_path, tmp_path / "letters")


def test_a_damaged_one_is_passed_over_and_told_where_it_is_named(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    (begun.folder / "ablation.json").write_text("{")
    assert chosen(tmp_path, now=NOW + timedelta(1)).folder != begun.folder
    with pytest.raises(DataError):
        chosen(tmp_path, begun.folder)


def test_runs_that_have_failed_come_last(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"other": (0,)})
    folder = begun.campaigns["base"].make_room(0)
    folder.mkdir()
    (folder / "events.jsonl").write_text(Run(seed=0, status="failed").text())

    assert chosen(tmp_path, now=NOW + timedelta(1)).left() == (("base", 1), ("other", 1), ("base", 0))


def test_the_name_of_a_set_leads_nowhere_else(tmp_path: Path) -> None:
    assert chosen(tmp_path, wanted=replace(WANTED, set="My: set")).folder.name.endswith("Z-ablate-my-set-some-cpu")


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_one_killed_while_it_is_prepared_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    begun = chosen(tmp_path)
    begun.folder.mkdir()
    swaps, swap = [], os.replace

    def killed(part: str, name: str, **folder: int) -> None:
        swaps.append(name)
        if len(swaps) > after:
            raise KeyboardInterrupt
        swap(part, name, **folder)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr("os.replace", killed)
        begun.prepare()

    again = chosen(tmp_path, begun.folder)
    again.prepare()
    assert again.left() == begun.left()
    assert chosen(tmp_path, now=NOW + timedelta(1)).folder == begun.folder
    assert not list(begun.folder.rglob("*.part"))


def test_what_a_killed_harness_left_is_swept(tmp_path: Path) -> None:
    begun = prepared(tmp_path, {"base": (0,)})
    parts = [begun.folder / ".ablation.csv.1.part", begun.folder / "base" / ".runs.csv.1.part"]
    for part in parts:
        part.touch()
    begun.prepare()
    assert not any(part.exists() for part in parts)
