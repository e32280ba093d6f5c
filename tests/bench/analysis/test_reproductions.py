"""Which runs are evidence for a recipe, and when a recipe is reproduced."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from bench.analysis import reproductions
from bench.analysis.reproductions import Published
from bench.record import Record, build_record
from bench.rules import with_verdict
from tests.support import records as made_up
from tests.support.records import NS, Run, changed

PAGE24 = Published("page24", "ab" * 32, "plain", 94.08)


COMMITTED = {"fingerprint": {"git.dirty": False, "git.commit": "c0ffee"}}
CONFIGURATION = replace(made_up.CONFIGURATION, recipe_sha256=PAGE24.sha256)


def records(*finals: int, **changes: Any) -> list[Record]:
    """Judged records that end with so many correct answers of 10,000."""
    made = [
        replace(
            Run(), seed=seed, correct=(4000, 8000, 9000, 9100, final), spawned_ns=(1 + seed) * 1000 * NS,
            **{"start": COMMITTED, **changes},
        )
        for seed, final in enumerate(finals)
    ]  # fmt: skip
    return [with_verdict(run.record()) for run in made]


def published(record: Record | None, seed: int, **changes: Any) -> reproductions.Run:
    place = f"results/published/x/seed-{seed:03d}"
    run = reproductions.Run(place, seed, CONFIGURATION, planned=True, record=record, predictions=predicted(seed))
    return replace(run, **changes)


def predicted(seed: int) -> bytes:
    return bytes([seed]) * 10_000


def runs(*finals: int, **changes: Any) -> list[reproductions.Run]:
    """Published runs that end with so many correct answers of 10,000."""
    return [published(record, seed) for seed, record in enumerate(records(*finals, **changes))]


def test_the_runs_of_a_recipe_are_counted_with_mean_spread_and_folders() -> None:
    (found,) = reproductions.gather(runs(9400, 9420, 9410), [PAGE24, Published("air94", "cd" * 32, "six", 94.01)])

    assert (found.recipe, found.n, found.view, found.device) == ("page24", 3, "plain", "Some CPU")
    assert found.mean_percent == pytest.approx(94.10) and found.std_percent == pytest.approx(0.1)
    assert found.reproduced and found.records[2] == "results/published/x/seed-002"
    assert found.commits == ("c0ffee",) and found.left_out == {} and found.shortfall == ""


@pytest.mark.parametrize(
    ("finals", "reproduced"),
    [
        ((9393, 9393), True),  # 0.15 points below 94.08, to the image
        ((9393, 9392), False),
        ((9500, 9500), True),
        ((9408,), False),
    ],
)
def test_a_recipe_is_reproduced_from_two_runs_on_and_within_the_tolerance(
    finals: tuple[int, ...], reproduced: bool
) -> None:
    (found,) = reproductions.gather(runs(*finals), [PAGE24])
    assert found.reproduced is reproduced


def test_what_was_never_published_is_not_reproduced() -> None:
    (found,) = reproductions.gather(runs(9500, 9500), [replace(PAGE24, accuracy_percent=None)])
    assert not found.reproduced and found.published_percent is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"dataset": "synthetic", "dataset_state": "synthetic"},
        {"dataset_state": "synthetic"},
        {"recipe": "mine:page24"},
        {"hello": {"seed": 99}},  # invalid: not the seed that was asked for
        {"epochs": 6},  # the schedule was not finished
    ],
)
def test_runs_that_show_nothing_of_the_recipe_are_left_out(changes: dict[str, Any]) -> None:
    assert reproductions.gather(runs(9400, 9400, **changes), [PAGE24]) == ()


def test_a_recipe_that_was_changed_after_its_runs_has_lost_them() -> None:
    assert reproductions.gather(runs(9400, 9400), [replace(PAGE24, sha256="00" * 32)]) == ()


def test_a_campaign_of_another_recipe_says_nothing_of_this_one() -> None:
    others = [replace(run, configuration=replace(CONFIGURATION, recipe="air94")) for run in runs(9400, 9400)]
    assert reproductions.gather(others, [PAGE24]) == ()


def test_runs_judged_in_another_view_than_the_recipes_do_not_count() -> None:
    assert reproductions.gather(runs(9400, 9400), [replace(PAGE24, view="six")]) == ()


def test_data_that_nobody_verified_counts() -> None:
    (found,) = reproductions.gather(runs(9400, 9400, dataset_state="unverified"), [PAGE24])
    assert found.n == 2


GOOD = records(9400, 9420, 9410)
THIRD = replace(Run(), seed=2, correct=(4000, 8000, 9000, 9100, 9410), spawned_ns=3000 * NS, start=COMMITTED)


def with_third(third: reproductions.Run) -> reproductions.Reproduction:
    """The evidence of two good runs and another."""
    (found,) = reproductions.gather([published(GOOD[0], 0), published(GOOD[1], 1), third], [PAGE24])
    return found


def test_planned_runs_without_a_result_are_counted_and_those_that_were_ended_on_purpose_are_not() -> None:
    others = [
        published(None, 2), published(third(status="failed"), 2), published(third(end={"status": "cut_short"}), 2),
        published(None, 2, planned=False), published(GOOD[2], 2),
    ]  # fmt: skip
    assert reproductions.without_result(others, PAGE24) == 2


def third(**changes: Any) -> Record:
    return records(9400, 9420, 9410, **changes)[2]


@pytest.mark.parametrize(
    ("run", "how"),
    [
        (published(third(status="failed"), 2), "failed"),
        (published(third(status="failed", end={"status": "timed_out"}), 2), "timed out"),
        (published(third(end={"status": ""}), 2), "failed"),
        (published(None, 2), "not run"),
        (published(third(hello={"seed": 9}), 2), "invalid"),
        (published(third(recipe="mine:page24"), 2), "invalid"),
        (published(third(recounted=False), 2), "invalid"),
        (published(third(start={**COMMITTED, "spawned_ns": None}), 2), "invalid"),
        (published(third(start={**COMMITTED, "test_images": None}), 2), "invalid"),
        (published(GOOD[2], 2, planned=False), "invalid"),
        (published(GOOD[2], 2, predictions=b""), "invalid"),
        (published(GOOD[2], 2, predictions=bytes(9_999)), "invalid"),
        (published(GOOD[2], 2, predictions=bytes([10]) * 10_000), "invalid"),
        (published(GOOD[0], 2), "invalid"),  # a copied folder under another seed's name
    ],
)
def test_a_seed_that_was_lost_is_told_and_its_recipe_is_not_reproduced(run: reproductions.Run, how: str) -> None:
    found = with_third(run)
    assert (found.n, found.left_out, found.reproduced) == (2, {how: 1}, False)
    assert found.shortfall == f"seeds left out: 1 {how}"


@pytest.mark.parametrize(
    ("run", "how"),
    [
        (published(third(git_dirty=True, start={}), 2), "not committed"),
        (published(third(start={"fingerprint": {"git.dirty": False, "git.commit": None}}), 2), "not committed"),
        (published(GOOD[0], 0, place="results/published/y/seed-000"), "copy"),
        (published(GOOD[0], 0, place="results/published/y/seed-000", predictions=predicted(2)), "copy"),
        (published(GOOD[2], 2, predictions=predicted(1)), "copy"),
    ],
)
def test_code_that_nobody_can_get_and_copies_do_not_count_and_are_told(run: reproductions.Run, how: str) -> None:
    found = with_third(run)
    assert (found.n, found.left_out, found.reproduced) == (2, {how: 1}, True)


@pytest.mark.parametrize(("digest", "left_out"), [(sha256(predicted(2)), {}), (sha256(predicted(1)), {"invalid": 1})])
def test_the_predictions_are_those_that_the_harness_counted(digest: Any, left_out: dict[str, int]) -> None:
    lines = THIRD.lines()
    record = with_verdict(build_record(changed(lines, "harness_recount", -1, predictions_sha256=digest.hexdigest())))
    assert with_third(published(record, 2)).left_out == left_out


def test_an_edited_accuracy_is_no_evidence() -> None:
    lines = THIRD.lines()
    edited = with_verdict(build_record(changed(lines, "epoch", -1, correct=9900)))
    assert with_third(published(edited, 2)).left_out == {"invalid": 1}


def known(**changes: Any) -> dict[str, Any]:
    (found,) = reproductions.gather(runs(9400, 9420), [PAGE24])
    return reproductions.body([replace(found, **changes)])


NOTHING = reproductions.body([])


@pytest.mark.parametrize(
    ("finals", "file", "said"),
    [
        ((9400, 9420), NOTHING, None),
        ((9300,), known(), None),
        ((9300, 9310), known(), "and these 2 runs give 93.05 %"),  # its own runs decide
        ((9400, 9420), known(reproduced=False), None),
        ((9400,), NOTHING, "94.08 %, and it takes 2 runs or more to compare"),
        ((9300, 9310), NOTHING, "and these 2 runs give 93.05 %, not within 0.15"),
        ((9300, 9310), known(reproduced=False), "and these 2 runs give 93.05 %"),
        ((9300, 9310), known(recipe_sha256="00" * 32), "and these 2 runs give 93.05 %"),
    ],
)
def test_a_campaign_says_so_where_neither_its_runs_nor_published_ones_reproduce_its_recipe(
    finals: tuple[int, ...], file: dict[str, Any], said: str | None
) -> None:
    found = reproductions.note(records(*finals), PAGE24, file)
    assert found is None if said is None else found is not None and "not reproduced here" in found and said in found


def test_a_recipe_that_is_not_shipped_or_not_published_is_told_and_the_stand_in_is_not() -> None:
    own = records(9400, 9420)
    assert "no recipe of this checkout" in str(reproductions.note(own, None, NOTHING))
    assert "nothing is published" in str(reproductions.note(own, replace(PAGE24, accuracy_percent=None), NOTHING))
    synthetic = records(9400, 9420, dataset="synthetic", dataset_state="synthetic")
    assert reproductions.note(synthetic, PAGE24, NOTHING) is None
