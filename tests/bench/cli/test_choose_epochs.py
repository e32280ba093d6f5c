"""``bench choose-epochs``: which runs it takes, what it refuses, and that it prints a choice."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.analysis.epoch_curve import Cost, Published, choose, fit
from bench.campaign import epoch_choice, reproductions
from bench.cli.choose_epochs import command
from bench.errors import BenchError, UsageError
from bench.report.epochs import EpochReport, render
from resnet9 import recipe as recipes
from resnet9.errors import RecipeError
from tests.support.records import CONFIGURATION, Run, write_campaign

PLAIN = {"views": "plain", "views_share": 1.0, "views_weights": "centred"}
HIVE = replace(recipes.load("hive"), **PLAIN)  # type: ignore[arg-type]


def write(
    folder: Path, name: str, finals: list[int], epochs: int = 5, seeds: list[int] | None = None, **changes: object
) -> Path:
    """A campaign of ``epochs`` epochs of hive's network and tricks, with a recipe table of its own."""
    recipe = replace(HIVE, name=name, epochs=float(epochs), **changes)  # type: ignore[arg-type]
    said = {
        "name": name, "sha256": recipe.sha256, "target_percent": 94.0, "epochs": float(epochs), "steps_per_epoch": 97,
        "batch": 512, "view": "plain",
    }  # fmt: skip
    runs = [
        Run(seed=seed, epochs=epochs, correct=(*[5000] * (epochs - 1), final), recipe=name, hello={"recipe": said})
        for seed, final in enumerate(finals)
    ]
    configuration = {"recipe": name, "recipe_sha256": recipe.sha256, "dataset": "cifar10"}
    planned = {} if seeds is None else {"seeds": seeds}
    return write_campaign(folder, runs, configuration=configuration, recipe=asdict(recipe), **planned)


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe asked about without test-time augmentation, which the made runs do not have."""
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda name: replace(load(name), **PLAIN))  # type: ignore[arg-type]


def told(*words: str) -> str:
    return CliRunner().invoke(command, list(words), catch_exceptions=False).output


@pytest.mark.usefixtures("plainly")
def test_runs_of_every_length_of_the_same_tricks_are_taken_and_no_others(tmp_path: Path) -> None:
    write(tmp_path / "short", "mine:short", [9380, 9390, 9400])
    write(tmp_path / "set" / "long", "mine:long", [9410, 9420, 9440], epochs=6)
    write(tmp_path / "wider", "mine:wider", [9500, 9500], momentum=0.5)
    found = epoch_choice.lengths(recipes.load("speedrun"), epoch_choice.campaigns([tmp_path]))
    assert [(each.epochs, each.accuracies, each.reached, each.left_out) for each in found] == [
        (5.0, [93.8, 93.9, 94.0], 1, 0), (6.0, [94.1, 94.2, 94.4], 3, 0),
    ]  # fmt: skip


@pytest.mark.usefixtures("plainly")
def test_a_copy_of_a_run_and_a_seed_without_a_run_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "one", "mine:short", [9380, 9390])
    write(tmp_path / "copy", "mine:short", [9380, 9390], seeds=[0, 1, 2])
    (found,) = epoch_choice.lengths(recipes.load("speedrun"), epoch_choice.campaigns([tmp_path, tmp_path]))
    assert (found.accuracies, found.left_out) == ([93.8, 93.9], 1)


@pytest.mark.usefixtures("plainly")
def test_lengths_are_fitted_and_chosen_with_times_on_the_machine_of_the_runs(tmp_path: Path) -> None:
    write(tmp_path / "short", "mine:short", [9380, 9390, 9400])
    write(tmp_path / "long", "mine:long", [9410, 9420, 9440], epochs=6)
    said = " ".join(told("speedrun", str(tmp_path), "--runs-only").split())
    assert "5 epochs (mine:short): 3 runs, mean 93.90 %, 1 reached the target" in said
    assert "Published" not in said and "Assumed" not in said
    assert "Least time, retries in a new process" in said and "Some CPU, bf16, input host" in said


def test_without_runs_a_recipe_rests_on_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproductions, "PUBLISHED", tmp_path)
    said = " ".join(told("resnet9").split())
    assert "Published 10 epochs (page10)" in said and "98.6 %" in said
    assert recipes.load("resnet9").epochs == 12


def test_a_name_from_a_stranger_is_shown_letter_by_letter(tmp_path: Path) -> None:
    cost = Cost("a card [/x] \x1b[31m", 3, 1.0, 1.0, 1.0)
    curve = fit([], [Published("page10", 10.0, 94.1, 0.123, 400)])
    report = EpochReport(
        "mine", 94.0, 0.98, [], [], None, curve, [cost], choose(curve, 94.0, 0.98, 10.0, [cost]), [10.0]
    )
    said = render(report, 300)
    assert "[/x]" in said and "\x1b" not in said


def test_a_recipe_file_that_a_results_folder_names_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    configuration = replace(CONFIGURATION, recipe=f"{tmp_path}/pipe.json:x", recipe_sha256="ab" * 32)
    assert epoch_choice.recipe_of(configuration, {}) is None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["resnet9", "--success", "100%"], UsageError),
        (["resnet9", "--success", "0"], UsageError),
        (["resnet9", "--success", "0.98"], UsageError),
        (["resnet9", "tests/bench"], UsageError),
        (["resnet9", "--success", "many"], UsageError),
        (["resnet9", "--runs-only"], UsageError),
        (["air96"], UsageError),
        (["resnet8"], RecipeError),
        (["resnet9", "nowhere"], BenchError),
    ],
)
def test_what_cannot_be_chosen_is_one_sentence(words: list[str], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        told(*words)
