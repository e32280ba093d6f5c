from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.analysis import frames
from bench.dawnbench import publish
from bench.dawnbench.validate import validate
from bench.errors import Refused
from bench.record import Configuration, Record
from bench.record.claims import Claims
from bench.report import run_line
from bench.rules import with_verdict
from resnet9 import recipe
from tests.support.records import Run

CONFIGURATION = Configuration(
    recipe="page24",
    recipe_sha256="r" * 64,
    dataset="cifar10",
    dataset_sha256="d" * 64,
    dataset_state="canonical",
    input="host",
    precision="auto",
    device="cpu",
    trainer="resnet9",
    target_percent=94.0,
    threads=2,
)
CLAIMS = Claims("Ada Lovelace", "ada@example.org", "1 V100 / 61 GB / 8 CPU")


def records(*runs: Run) -> list[Record]:
    return [with_verdict(run.record()) for run in runs]


def pair(folder: Path, results: list[Record], claims: Claims = CLAIMS, allowed: bool = False) -> str:
    table = asdict(recipe.load("page24"))
    plan = [each.seed or 0 for each in results]
    return publish.write_dawnbench(
        folder, results, claims, table, "results/x", plan=plan, allow_unverified_data=allowed
    )


def written(folder: Path) -> dict[str, object]:
    (path,) = folder.glob("dawnbench/CIFAR10/train/*.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


# How a run went, in a line


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (Run(seed=3), r"seed 3  done: 95.00 % after epoch 5, 94 % at epoch 4 in 41.50 s (dawnbench@1), clean"),
        (Run(correct=(1, 2, 3, 4, 9399)), r"seed 0  done: 93.99 % after epoch 5, 94 % not reached, clean"),
        (Run(status="timed_out", end={"reason": "no event for 5 s"}), "seed 0  timed out: no event for 5 s"),
    ],
)
def test_a_run_is_told_in_a_line_its_time_with_its_clock(run: Run, line: str) -> None:
    assert run_line.line(with_verdict(run.record())) == line


def viewed(run: Run, more: int, epoch: float | None = None) -> Record:
    """The run's record with one more evaluation of its last weights, in six views, ``more`` images better."""
    made = run.record()
    last = made.epochs[-1]
    plain = replace(last, epoch=last.epoch if epoch is None else epoch)
    six = replace(plain, view="six", correct=last.correct + more, steps=0, images=0)
    return with_verdict(replace(made, epochs=(*made.epochs[:-1], plain, six), recipe={**made.recipe, "view": "six"}))


def test_a_run_judged_in_views_is_told_with_its_plain_accuracy() -> None:
    told = run_line.line(viewed(Run(correct=(1, 2, 3, 4, 9316)), 81, 7.59375))

    assert all(part in told for part in ("93.97 %", "93.16 %", "epoch 7.59"))


def test_both_accuracies_are_in_the_tables() -> None:
    frame = frames.runs([viewed(Run(), 7), with_verdict(Run().record())])

    assert list(frame["final_accuracy_percent"]) == [95.07, 95.0]
    assert list(frame["final_plain_accuracy_percent"]) == [95.0, 95.0]
    assert list(frame["final_accuracy_view"]) == ["six", "plain"]
    assert frames.summary(frame.head(1)).loc[0, "plain_accuracy_mean"] == 95.0


# The DAWNBench pair


def test_the_pair_is_that_of_the_median_successful_run_and_is_accepted(tmp_path: Path) -> None:
    slow, fast, miss = Run(seed=0, train_seconds=12), Run(seed=1), Run(seed=2, correct=(1, 2, 3, 4, 5))
    invalid = Run(seed=3, train_seconds=99, status="failed")

    line = pair(tmp_path, records(slow, fast, miss, invalid))

    assert line.startswith("The DAWNBench pair is dawnbench/CIFAR10/train/Ada-Lovelace_ResNet9-page24_")
    misc = written(tmp_path)["misc"]
    assert isinstance(misc, dict)
    assert (misc["seed"], misc["clock"], misc["recipe"]) == (0, "dawnbench@1", "page24")
    # Once 25.5 s, then four epochs of 12 s with 2 s of evaluation.
    assert misc["wallClockSeconds"] == pytest.approx(25.5 + 4 * 14)
    assert misc["runSelection"].startswith(
        "median time of the 2 that reached the target of 4 planned runs (1 without a result)"
    )
    assert (misc["runsPlanned"], misc["runsReached"]) == (4, 2)
    assert all(verdict.accepted for verdict in validate(tmp_path, "full"))


def test_an_epoch_judged_in_two_views_has_one_row_in_the_pair_and_it_is_the_recipes_own(tmp_path: Path) -> None:
    record = viewed(Run(), 7)
    last = record.epochs[-2]

    rows = publish._one_an_epoch(record)

    assert [each.epoch for each, _ in rows] == [each.epoch for each in record.epochs[:-1]]
    assert [each.view for each, _ in rows] == ["plain"] * (len(rows) - 1) + ["six"]
    assert rows[-1][0].correct == last.correct + 7


def test_an_epoch_that_reached_the_target_plain_and_not_in_its_views_is_in_the_pair_as_it_was_reached() -> None:
    run = Run(correct=(1, 2, 3, 4, 9410))
    record = replace(viewed(run, -15), crossing_index=4)

    assert [each.correct for each, _ in publish._one_an_epoch(record)][-1] == 9410


def test_without_a_success_there_is_no_pair(tmp_path: Path) -> None:
    assert (
        pair(tmp_path, records(Run(correct=(1, 2, 3, 4, 5))))
        == "No DAWNBench pair: no run that is to be believed reached the target."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_believed_makes_no_pair(tmp_path: Path) -> None:
    liar = Run(correct=(1, 2, 3, 4, 9500), total=10_000, start={"test_images": 9_000})

    assert pair(tmp_path, records(liar)) == "No DAWNBench pair: no run that is to be believed reached the target."


def test_without_claims_the_command_to_type_is_told(tmp_path: Path) -> None:
    line = pair(tmp_path, records(Run()), Claims(author="Ada"))

    assert line.startswith("For the DAWNBench pair type, with your own values: make report OUT=results/x EMAIL=")
    assert "HARDWARE=" in line
    assert "AUTHOR=" not in line


def test_unverified_data_needs_to_be_allowed(tmp_path: Path) -> None:
    results = records(Run(dataset_state="unverified"))

    assert pair(tmp_path, results, Claims()).endswith("bench entry results/x --allow-unverified-data")
    with pytest.raises(Refused, match="--allow-unverified-data"):
        pair(tmp_path, results)
    pair(tmp_path, results, allowed=True)

    misc = written(tmp_path)["misc"]
    assert isinstance(misc, dict)
    assert misc["datasetState"] == "unverified"


@pytest.mark.parametrize(
    ("fingerprint", "note"),
    [
        ({"git.commit": None, "git.dirty": None}, "commit of its code is not known"),
        ({}, "commit of its code is not known"),
        ({"git.commit": "c" * 40, "git.dirty": None}, "is not known"),
        ({"git.commit": "c" * 40, "git.dirty": True}, "had changes"),
        # Of a custom trainer its own folder counts, also where it is of our make.
        ({"git.commit": "c" * 40, "git.dirty": False, "trainer.commit": None, "trainer.dirty": None}, "not known"),
    ],
)
def test_code_without_a_commit_needs_to_be_allowed_and_is_told(
    tmp_path: Path, fingerprint: dict[str, object], note: str
) -> None:
    results = records(Run(start={"fingerprint": fingerprint}))
    for claims in (CLAIMS, Claims()):
        with pytest.raises(Refused, match="--allow-uncommitted-code"):
            pair(tmp_path, results, claims)
    assert not (tmp_path / "dawnbench").exists()

    table = asdict(recipe.load("page24"))
    publish.write_dawnbench(
        tmp_path, results, CLAIMS, table, "x", plan=(0,), allow_unverified_data=False, allow_uncommitted_code=True
    )

    misc = written(tmp_path)["misc"]
    assert isinstance(misc, dict)
    assert note in misc["codeNote"]
    assert misc.get("commitHash") == (None if "trainer.commit" in fingerprint else fingerprint.get("git.commit"))


# A trainer of somebody else's

CODE = {"git.commit": "c" * 40, "git.dirty": True, "trainer.commit": "d" * 40, "trainer.dirty": False}


def of_another_trainer(**recipe: object) -> list[Record]:
    usual = {
        "name": "mine",
        "sha256": "ab" * 32,
        "target_percent": 94.0,
        "epochs": 5,
        "steps_per_epoch": 97,
        "batch": 512,
    }
    hello = {"trainer": "mine 1", "framework": "pytorch 2.9", "build": {"cudnn_version": "9.1"}}
    return records(Run(hello={**hello, "recipe": {**usual, **recipe}}, start={"fingerprint": CODE}))


def test_another_trainer_names_its_model_itself(tmp_path: Path) -> None:
    told = of_another_trainer(model="WideResNet-16", learning_rate={"odd": 1}, views="six", views_share="?")

    publish.write_dawnbench(tmp_path, told, CLAIMS, {}, "results/x", plan=[0], allow_unverified_data=False)

    entry = written(tmp_path)
    assert (entry["model"], entry["framework"]) == ("WideResNet-16 (mine)", "pytorch 2.9")
    misc = entry["misc"]
    assert isinstance(misc, dict)
    assert (misc["recipe"], misc["batchSize"], misc["CuDNN version"]) == ("mine", 512, "9.1")
    # The commit of this checkout says nothing about a program from elsewhere, and words of its own are not ours.
    assert misc["commitHash"] == "d" * 40
    assert misc.keys().isdisjoint({"learningRate", "codeNote"})
    assert (misc["testTimeAugmentation"], misc["plainTop1Accuracy"]) == ("none", 94.0)


@pytest.mark.parametrize(
    ("correct", "view_of_counted", "counted", "plain"),
    [
        ((1, 2, 3, 4, 9380), "six views of 25% of the test images", "94.20", 93.80),
        ((1, 2, 3, 9400, 9380), "none where 94 % was reached, six views of 25% of the test images at the last row",
         "94.00", 94.0),
    ],
)  # fmt: skip
def test_the_pair_says_whether_accuracy_was_measured_with_test_time_augmentation(
    tmp_path: Path, correct: tuple[int, ...], view_of_counted: str, counted: str, plain: float
) -> None:
    record = viewed(Run(correct=correct), 40)
    record = replace(record, crossing_index=record.crossing_index or len(record.epochs) - 1)
    table = {**asdict(recipe.load("page24")), "views": "six", "views_share": 0.25}

    publish.write_dawnbench(
        tmp_path, [with_verdict(record)], CLAIMS, table, "results/x", plan=[0], allow_unverified_data=False
    )

    misc = written(tmp_path)["misc"]
    assert isinstance(misc, dict)
    assert (misc["testTimeAugmentation"], misc["plainTop1Accuracy"]) == (view_of_counted, plain)
    (rows,) = (path.read_text().splitlines()[1:] for path in tmp_path.glob("dawnbench/CIFAR10/train/*.tsv"))
    assert next(row.split("\t")[2] for row in rows if float(row.split("\t")[2]) >= 94) == counted


@pytest.mark.parametrize("model", [None, "  ", 7])
def test_a_trainer_that_names_no_model_is_told_how_to(tmp_path: Path, model: object) -> None:
    with pytest.raises(Refused, match=r"says it with `recipe\.model` in its hello"):
        publish.write_dawnbench(
            tmp_path, of_another_trainer(model=model), CLAIMS, {}, "results/x", plan=[0], allow_unverified_data=False
        )
