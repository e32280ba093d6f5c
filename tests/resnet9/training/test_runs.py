"""Several runs in one process, and a recipe's views, as the harness sees them."""

import dataclasses

import pytest

from resnet9.training import run as training
from resnet9.training.phases import PhaseLog
from tests.resnet9.narrow import knots, narrow
from tests.resnet9.training.test_run import events_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asked():
    """Two epochs of page10 with a few channels: whitening, an average and two views."""
    recipe = narrow(
        "page10", widths=(2, 4, 8, 16), batch=512, ghost_batch=None, dataset="synthetic",
        epochs=2, learning_rate=knots((0, 0.0), (1, 0.05), (2, 0.0)),
    )  # fmt: skip
    return training.Request(recipe, seed=3, data="synthetic", input="host", precision="fp32", device="cpu")


def told(folder, request):
    return events_of(folder, lambda writer: training.train(request, writer, PhaseLog(writer)))


def results(events, run=0):
    return [
        (each.epoch, each.steps, each.loss, each.correct, each.view)
        for each in events
        if each.kind == "epoch" and each.run == run
    ]


@pytest.fixture(scope="module")
def alone(asked, tmp_path_factory):
    """What a process with the second seed tells."""
    return told(tmp_path_factory.mktemp("alone"), dataclasses.replace(asked, seed=4))


def test_a_second_run_in_a_process_is_that_of_a_process_of_its_own(asked, alone, tmp_path, capsys):
    both = told(tmp_path, dataclasses.replace(asked, runs=2))
    assert "2 runs: mean" in capsys.readouterr().out
    assert [(each.run, each.seed, each.runs) for each in both if each.kind == "hello"] == [(0, 3, 2), (1, 4, 2)]
    assert [(each.run, each.status) for each in both if each.kind == "done"] == [(0, "done"), (1, "done")]
    assert {each.run for each in both} == {0, 1}
    assert results(both, run=1) == results(alone) and results(both, run=0) != results(alone)
    names = [each.name for each in both if each.kind == "phase" and each.run == 1]
    assert names == ["build", "preprocess", "train_k", "eval_k", "train_k", "eval_k", "final_eval", "exit"]
    assert [each.name for each in both if each.kind == "phase"].count("compile") == 1


def test_a_recipes_views_judge_its_last_epoch(alone):
    views = [(epoch, steps, view) for epoch, steps, _, _, view in results(alone)]
    assert views == [(1.0, 9, "plain"), (2.0, 9, "plain"), (2.0, 0, "flip")]
    assert alone[-1].events == len(alone)


def test_views_after_every_epoch_are_told_and_shown(asked, tmp_path, capsys):
    events = told(tmp_path, dataclasses.replace(asked, views="every"))
    views = [(epoch, steps, view) for epoch, steps, _, _, view in results(events)]
    assert views == [(1.0, 9, "plain"), (1.0, 0, "flip"), (2.0, 9, "plain"), (2.0, 0, "flip")]
    heading, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert heading[-1] == "flip" and len({len(row) for row in rows}) == 1
