"""Pairs of runs: their order, what is left after an interruption, and which folder is continued."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.campaign import pairs
from bench.campaign.campaign import Configuration
from bench.errors import Refused
from bench.launch.conditions import RunConditions
from bench.record.ab import StoredAB, StoredSide
from tests.support.records import Run

USUAL = Configuration(
    recipe="smoke", recipe_sha256="a" * 64, dataset="synthetic", dataset_sha256="d" * 64, dataset_state="synthetic",
    input="host", precision="fp32", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip
NOTHING = StoredSide({}, {}, {})
WANTED = StoredAB(1, "smoke", "synthetic", None, (0, 1, 2, 3), replace(NOTHING, settings={"THREADS": "1"}), NOTHING)
SIDES = {
    "a": pairs.Side(replace(USUAL, threads=1), RunConditions(), {"net": "resnet9"}),
    "b": pairs.Side(USUAL, RunConditions(kernel_cache="cold"), {"net": "resnet9"}),
}
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def chosen(
    results: Path, out: Path | None = None, wanted: StoredAB = WANTED, now: datetime = NOW
) -> pairs.Pairs[StoredAB]:
    return pairs.choose(results, out, pairs.AB, wanted, SIDES, "Some CPU", now)


def begun(results: Path, *done: tuple[str, int], status: str = "done", now: datetime = NOW) -> pairs.Pairs[StoredAB]:
    """Pairs on disk, with these runs ended so."""
    made = chosen(results, results / f"{now:%Y%m%dT%H%M%SZ}-ab-smoke-some-cpu", now=now)
    made.folder.mkdir(parents=True)
    made.prepare()
    for name, seed in done:
        folder = made.campaigns[name].make_room(seed)
        folder.mkdir()
        (folder / "events.jsonl").write_text(Run(seed=seed, end={"status": status}).text())
    return made


def test_new_ones_are_named_by_time_what_they_are_recipe_and_device_and_nothing_is_written(tmp_path: Path) -> None:
    made = chosen(tmp_path)
    assert made.folder == tmp_path / "20240506T070809Z-ab-smoke-some-cpu"
    assert made.stored.created_utc == "2024-05-06T07:08:09Z" and list(tmp_path.iterdir()) == []


def test_who_goes_first_alternates_from_pair_to_pair(tmp_path: Path) -> None:
    assert [f"{name}{seed}" for name, seed in chosen(tmp_path).left()] == [
        "a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3",
    ]  # fmt: skip


def test_each_side_has_its_own_configuration_protocol_and_recipe(tmp_path: Path) -> None:
    made = chosen(tmp_path)
    assert [each.configuration.threads for each in made.campaigns.values()] == [1, 2]
    assert [each.protocol.kernel_cache for each in made.campaigns.values()] == ["kept", "cold"]
    assert [each.recipe for each in made.campaigns.values()] == [{"net": "resnet9"}] * 2


@pytest.mark.parametrize("status", ["done", "cut_short"])
def test_a_run_without_its_partner_is_made_again_with_it_in_the_same_order(tmp_path: Path, status: str) -> None:
    made = begun(tmp_path, ("a", 0), ("b", 0), ("b", 1), status=status)
    assert made.left() == (("b", 1), ("a", 1), ("a", 2), ("b", 2), ("b", 3), ("a", 3))


def test_the_newest_unfinished_ones_are_continued_and_others_are_not(tmp_path: Path) -> None:
    older = begun(tmp_path, ("a", 0), ("b", 0))
    whole = begun(tmp_path, *((name, seed) for name in "ab" for seed in range(4)), now=NOW + timedelta(hours=1))
    (tmp_path / "20990101T000000Z-ab").mkdir()
    (tmp_path / "20990101T000000Z-ab" / "ab.json").write_text("torn")

    assert whole.left() == () and chosen(tmp_path).folder == older.folder
    assert chosen(tmp_path, wanted=replace(WANTED, epochs=2)).folder.exists() is False


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 2}, "epochs None instead of 2"),
        ({"seeds": (0,)}, r"seeds \(0, 1, 2, 3\) instead of \(0,\)"),
        (
            {"b": replace(NOTHING, variables={"TF_X": "1"})},
            "'A THREADS=1, B nothing' instead of 'A THREADS=1, B TF_X=1'",
        ),
    ],
)
def test_others_are_refused_with_what_differs(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    made = begun(tmp_path)
    with pytest.raises(Refused, match=f"holds another A/B: .*{said}"):
        chosen(tmp_path, made.folder, replace(WANTED, **changes))
