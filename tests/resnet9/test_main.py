import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet9 import __main__ as main_module
from resnet9.__main__ import main

CHECKOUT = Path(__file__).parents[2]


def test_recipes_are_listed(capsys):
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("page24", "keras24", "smoke")) and "94.08 (n 50)" in listed


def test_a_recipe_is_shown_whole(capsys):
    assert main(["show", "page24"]) == 0
    shown = capsys.readouterr().out
    assert "weight_decay" in shown and "0.0005" in shown and "sha256" in shown and "layer3.residual2" in shown


def test_recipes_are_told_to_programs_too(capsys):
    assert main(["recipes", "--json"]) == 0 and json.loads(capsys.readouterr().out)[0]["name"] == "page24"
    assert main(["show", "smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"]["widths"] == [16, 32, 64, 128]


def test_a_recipe_of_a_file_is_shown(tmp_path, capsys):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"wide": {"extends": "air94", "widths": [128, 256, 256]}}))
    assert main(["show", f"{file}:wide"]) == 0
    shown = capsys.readouterr().out
    assert '"mine:wide"' in shown and "3x3, 24-128" in shown


def test_recipes_are_shown_without_waiting_for_tensorflow_or_numpy():
    code = """
import sys
from resnet9.__main__ import main
main(["recipes"]), main(["show", "air96"])
sys.exit(f"imported {slow}" if (slow := {"tensorflow", "numpy", "matplotlib"} & set(sys.modules)) else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_terminal_without_a_sign_gets_another_one():
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = """
from resnet9.recipe import listing
from resnet9.__main__ import main
listing.show = lambda recipe: "±"
main(["show", "hive"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environ, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("?\n", "")


def test_what_is_trained_where_nothing_is_named_is_what_the_harness_would_train():
    plan = pytest.importorskip("bench.campaign.plan", reason="the harness is not part of a trainer's small environment")
    assert plan.FULL == main_module.DEFAULT


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["trian"], "did you mean `train`?"),
        (["train", "--sed", "1"], "did you mean `--seed`?"),
        (["train", "--input", "hots"], "did you mean `host`?"),
        (["train", "--seed", "-1"], "'-1' is no whole number"),
        (["train", "--seed", "one"], "'one' is no whole number from 0, such as 4"),
        (["train", "--seed", "1,5"], "'1,5' is no whole number from 0"),
        (["train", "--threads", "-1"], "'-1' is no whole number from 0"),
        (["train", "--runs", "2.5"], "'2.5' is no whole number from 0"),
        ([], "COMMAND"),
    ],
)
def test_a_wrong_word_is_one_sentence_with_the_nearest_right_one(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    shown = capsys.readouterr().err
    assert stopped.value.code == 2 and sentence in shown and shown.count("\n") == 1


def test_an_unknown_recipe_exits_with_2_and_a_suggestion(capsys):
    assert main(["show", "pge24"]) == 2
    assert "did you mean `page24`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [("BENCH_SEED", "many"), ("BENCH_SEED", "1,5"), ("BENCH_SEED", "-1")]
    + [("BENCH_TARGET_PERCENT", each) for each in ("many", "94,5", "94%", "nan", "0", "101", "1e1")],
)
def test_a_variable_that_is_no_number_is_named(name, value, monkeypatch, capsys):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(main_module.signal, "signal", lambda *_: None)
    assert main(["train", "--recipe", "smoke"]) == 2
    err = capsys.readouterr().err
    assert f"{name}='{value}' is no " in err and "such as " in err and err.count("\n") == 1


def test_flags_win_over_the_harness_variables(monkeypatch):
    asked = []
    monkeypatch.setattr("resnet9.training.run.run", lambda request: asked.append(request) or 0)
    monkeypatch.setattr(main_module.signal, "signal", lambda *_: None)
    monkeypatch.setenv("BENCH_SEED", "4")
    monkeypatch.setenv("BENCH_TARGET_PERCENT", "90.5")
    assert main(["train", "--recipe", "smoke"]) == 0 and main(["train", "--recipe", "smoke", "--seed", "0"]) == 0
    assert [request.seed for request in asked] == [4, 0] and asked[0].target_percent == 90.5
