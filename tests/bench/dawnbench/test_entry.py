"""What is written is what was measured, to the digit, under a name that says whose it is."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.dawnbench.entry import accuracy, choose, selection, stem, to_json, to_tsv
from bench.dawnbench.pair import STEM
from bench.errors import DataError
from tests.bench.dawnbench.entries import COMMIT, made

# --- The texts ---


def test_the_table_holds_cumulative_hours_to_ten_decimals_and_percent_to_two() -> None:
    assert to_tsv(made()) == (
        "epoch\thours\ttop1Accuracy\n1\t0.0015224900\t34.69\n2\t0.0197403900\t93.35\n3\t0.0205670600\t94.08\n"
    )


def test_the_json_holds_the_fields_of_the_form_and_the_facts_reviewers_asked_for() -> None:
    body = json.loads(to_json(made()))
    assert body == {
        "version": "v1.0",
        "author": "Ada Lovelace, Analytical Engines",
        "authorEmail": "ada@example.org",
        "framework": "tensorflow 2.17.0",
        "model": "ResNet9",
        "hardware": "1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)",
        "timestamp": "2026-01-05",
        "codeURL": f"https://github.com/owner/name/tree/{COMMIT}",
        "costPerHour": 3.06,
        "misc": {
            "recipe": "page24",
            "batchSize": 512,
            "momentum": 0.9,
            "weightDecay": 0.0005,
            "optimizer": "SGD with Nesterov momentum",
            "nesterovForm": "page",
            "learningRate": {
                "type": "piecewise linear, per step",
                "epochs": [0, 5, 24],
                "values": [0.0, 0.4, 0.0],
            },
            "CUDA version": "12.3",
            "commitHash": COMMIT,
            "clock": "dawnbench@1",
            "wallClockSeconds": 97.5,
            "runSelection": "the rule",
            "seed": 3,
            "datasetState": "canonical",
        },
    }


def test_what_was_not_said_is_left_out() -> None:
    body = json.loads(to_json(made(cost_per_hour=None, code_url=None)))
    assert not {"costPerHour", "codeURL"} & set(body)


def test_the_json_is_ascii_and_keeps_every_letter() -> None:
    text = to_json(made(author="Zoë Łukasiewicz 李明"))
    assert text.isascii()
    assert json.loads(text)["author"] == "Zoë Łukasiewicz 李明"


def test_of_a_time_of_day_the_day_alone_is_written() -> None:
    moment = datetime(2026, 1, 5, 23, 59, tzinfo=UTC)
    assert json.loads(to_json(made(written=moment)))["timestamp"] == "2026-01-05"


def test_a_recipe_of_another_trainer_is_told_as_it_comes() -> None:
    body = json.loads(to_json(made(recipe={"name": "mine", "batch": 32, "learning_rate": 0.1, "secret": 1})))
    assert (body["misc"]["recipe"], body["misc"]["batchSize"], body["misc"]["learningRate"]) == ("mine", 32, 0.1)
    assert not {"optimizer", "secret"} & set(body["misc"])


def test_fractional_and_zero_based_epochs_keep_their_digits() -> None:
    for epochs in ((0, 1), (1.00096, 2.00192), (9.9, 10)):
        rows = [(epoch, seconds, 9400, 10_000) for epoch, seconds in zip(epochs, (1.0, 2.0), strict=True)]
        cells = [line.split("\t")[0] for line in to_tsv(made(rows)).splitlines()[1:]]
        assert cells == [str(epoch) for epoch in epochs]


# --- Accuracy ---


@given(correct=st.integers(0, 10_000))
def test_an_accuracy_on_the_test_set_is_exact(correct: int) -> None:
    assert Fraction(accuracy(correct, 10_000)) == Fraction(correct, 100)


@given(st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
@example((9399, 9999))
@example((4699, 4999))
def test_an_accuracy_is_94_exactly_where_94_of_100_are_correct(counts: tuple[int, int]) -> None:
    correct, total = counts
    assert (accuracy(correct, total) >= 94) == (100 * correct >= 94 * total)
    assert 0 <= Fraction(100 * correct, total) - Fraction(accuracy(correct, total)) < Fraction(1, 100)


@pytest.mark.parametrize(("correct", "total"), [(10_001, 10_000), (-1, 10_000), (0, 0)])
def test_an_accuracy_that_cannot_be_is_refused(correct: int, total: int) -> None:
    with pytest.raises(DataError, match="test images correct"):
        accuracy(correct, total)


# --- Names ---


def test_the_stem_has_four_parts_of_plain_characters() -> None:
    assert (
        stem("David Page, myrtle.ai", "ResNet 9", "1v100-ec2", "c++") == "David-Page-myrtle.ai_ResNet-9_1v100-ec2_c++"
    )
    assert stem("Zoë", "a_b/../c", "..", "") == "Zoe_a-b-..-c_hardware_framework"
    assert stem("李明", "", "-", "..") == "author_model_hardware_framework"


def test_the_stem_names_the_framework_without_its_version() -> None:
    assert made().stem == "Ada-Lovelace-Analytical-Engines_ResNet9_1-V100-61-GB-8-CPU-AWS-p3.2xlarge_tensorflow"
    assert made(framework="2.17").stem.endswith("_2.17")


@given(st.tuples(*[st.text(max_size=300)] * 4))
def test_any_stem_is_a_file_name_of_four_parts(parts: tuple[str, str, str, str]) -> None:
    name = stem(*parts)
    assert STEM.fullmatch(name)
    assert not name.startswith((".", "-"))
    assert len(name) + len(".json") <= 255


# --- Which run ---


@pytest.mark.parametrize(
    ("times", "seed"),
    [
        ({}, None),
        ({0: math.inf, 1: math.nan}, None),
        ({7: 80.0}, 7),
        ({0: 79.0, 1: 81.0, 2: 80.0}, 2),
        ({0: 79.0, 1: 81.0}, 1),
        ({0: 79.0, 1: 82.0, 2: 81.0, 3: 80.0}, 2),
        # Misses are no successes: they do not move the median of those.
        ({0: 79.0, 1: math.inf, 2: 81.0, 3: math.inf, 4: math.inf}, 2),
        # Of equal times the smallest seed is in front, so the choice does not hang on the order of the table.
        ({2: 80.0, 1: 80.0, 0: 80.0}, 1),
    ],
)
def test_the_median_successful_run_is_chosen(times: dict[int, float], seed: int | None) -> None:
    assert choose(times) == seed


@given(st.dictionaries(st.integers(0, 99), st.floats(1, 100) | st.just(math.inf)))
def test_as_many_successes_are_faster_as_slower_or_one_more(times: dict[int, float]) -> None:
    seed = choose(times)
    successes = sorted((seconds, each) for each, seconds in times.items() if seconds < math.inf)
    if seed is None:
        assert not successes
    else:
        index = successes.index((times[seed], seed))
        assert 0 <= index - (len(successes) - 1 - index) <= 1


def test_the_rule_of_the_choice_is_told_with_its_counts() -> None:
    assert selection({0: 79.0, 1: math.inf, 2: 81.0}) == (
        "median time of the 2 that reached the target of 3 runs, of an even count the slower of the two middle ones"
    )
