"""What is written is what was measured, to the digit, and always passes the level ``full``; the rest is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.dawnbench.details import Facts
from bench.dawnbench.entry import (
    MAX_HOURS,
    Entry,
    Row,
    accuracy,
    choose,
    from_record,
    selection,
    stem,
    to_json,
    to_tsv,
    write,
)
from bench.dawnbench.pair import MAX_BYTES, STEM
from bench.dawnbench.validate import judge
from bench.errors import BenchError, DataError, EnvironmentProblem, Refused, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLAIMS: dict[str, Any] = {
    "author": "Ada Lovelace, Analytical Engines",
    "email": "ada@example.org",
    "hardware": "1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)",
    "cost_per_hour": 3.06,
    "code_url": "https://github.com/owner/name",
}
FACTS = Facts(
    framework="tensorflow 2.17.0",
    dataset_state="canonical",
    clock="dawnbench@1",
    seed=3,
    selection="the rule",
    recipe={
        "name": "page24",
        "batch": 512,
        "nesterov": "page",
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "learning_rate": {"per": "step", "knots": [[0, 0.0], [5, 0.4], [24, 0.0]]},
    },
    cuda_version="12.3",
    commit=COMMIT,
)
EVALUATIONS = [(1.0, 5.480964, 3469, 10_000), (2.0, 71.065404, 9335, 10_000), (3.0, 74.041416, 9408, 10_000)]
WRITTEN = date(2026, 1, 5)


def made(evaluations: Sequence[tuple[float, float, int, int]] = EVALUATIONS, **changes: Any) -> Entry:
    facts = {name: changes.pop(name) for name in list(changes) if name in Facts.__dataclass_fields__}
    return from_record(evaluations, replace(FACTS, **facts), changes.pop("written", WRITTEN), **{**CLAIMS, **changes})


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
    moment = datetime(2026, 1, 5, 23, 59, tzinfo=timezone.utc)
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


# --- Refusals ---


def test_synthetic_data_makes_no_entry_whatever_is_allowed() -> None:
    for allow in (False, True):
        with pytest.raises(Refused, match="this campaign's data is synthetic"):
            made(dataset_state="synthetic", allow_unverified_data=allow)


def test_unverified_data_makes_an_entry_only_where_it_is_allowed_and_then_it_says_so() -> None:
    with pytest.raises(Refused, match="--allow-unverified-data"):
        made(dataset_state="unverified")
    misc = json.loads(to_json(made(dataset_state="unverified", allow_unverified_data=True)))["misc"]
    assert misc["datasetState"] == "unverified"
    assert "not verified" in misc["datasetNote"]
    assert "datasetNote" not in json.loads(to_json(made(allow_unverified_data=True)))["misc"]


def test_part_of_the_test_set_makes_no_entry() -> None:
    with pytest.raises(Refused, match="evaluated on 9984 images"):
        made([(1, 1.0, 9984, 9984)])


def test_a_run_that_never_reached_94_makes_no_entry() -> None:
    with pytest.raises(Refused, match="never reached 94 %"):
        made([(1, 1.0, 9399, 10_000)])
    with pytest.raises(Refused, match="never reached 94 %"):
        made([])


def test_claims_that_are_missing_are_asked_for_all_at_once() -> None:
    with pytest.raises(UsageError, match=r"AUTHOR='[^']+' HARDWARE='[^']+' .*`make report`"):
        made(author=None, hardware=None)


def test_a_claim_that_cannot_be_names_its_variable() -> None:
    for variable, name, value in (
        ("AUTHOR", "author", ""),
        ("EMAIL", "email", "ada"),
        ("HARDWARE", "hardware", " "),
        ("COST_PER_HOUR", "cost_per_hour", math.nan),
        ("CODE_URL", "code_url", "ftp://example.org"),
    ):
        with pytest.raises(UsageError, match=f"^{variable}="):
            made(**{name: value})


@pytest.mark.parametrize(
    "evaluations",
    [
        [(1, 0.0, 9400, 10_000)],
        [(1, -1.0, 9400, 10_000)],
        [(1, math.nan, 9400, 10_000)],
        [(1, math.inf, 9400, 10_000)],
        [(1, MAX_HOURS * 3600, 9400, 10_000)],
        [(1, 2.0, 9400, 10_000), (2, 2.0, 9400, 10_000)],
        [(1, 2.0, 9400, 10_000), (2, 2.0 + 1e-7, 9400, 10_000)],
        [(1, 2.0, 9400, 10_000), (2, 1.0, 9400, 10_000)],
        [(2, 1.0, 9400, 10_000), (1, 2.0, 9400, 10_000)],
        [(1, 1.0, 9400, 10_000), (1, 2.0, 9400, 10_000)],
        [(math.nan, 1.0, 9400, 10_000)],
        [(-1, 1.0, 9400, 10_000)],
    ],
)
def test_numbers_that_no_run_can_have_are_refused(evaluations: list[tuple[float, float, int, int]]) -> None:
    with pytest.raises(DataError, match="its record is damaged"):
        made(evaluations)


@pytest.mark.parametrize("percent", ["94.001", "100.01", "-0.01", "NaN", "Infinity"])
def test_a_row_takes_whole_hundredths_of_a_percent_alone(percent: str) -> None:
    with pytest.raises(DataError, match="its record is damaged"):
        replace(made(), rows=(Row(1, 0.1, Decimal(percent)),))


@pytest.mark.parametrize("fact", [math.inf, math.nan, object(), {"deep": [math.inf]}])
def test_a_fact_that_json_cannot_hold_is_refused(fact: object) -> None:
    with pytest.raises(DataError, match="cannot be written as JSON"):
        made(more={"fact": fact})


def test_a_run_without_a_framework_is_refused() -> None:
    with pytest.raises(DataError, match="does not say its framework"):
        made(framework=" ")


def test_an_entry_that_no_reader_would_take_is_refused() -> None:
    with pytest.raises(DataError, match=r"\.json would have"):
        made(more={"log": "x" * MAX_BYTES})
    with pytest.raises(DataError, match=r"\.tsv would have"):
        made([(epoch, 1.0 + epoch, 9400, 10_000) for epoch in range(50_000)])


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


# --- On the disk ---


def test_a_pair_is_written_and_passes_both_levels(tmp_path: Path) -> None:
    folder = tmp_path / "dawnbench" / "CIFAR10" / "train"
    path = write(made(), folder)
    assert path == folder / f"{made().stem}.json"
    assert sorted(each.name for each in folder.iterdir()) == [path.name, path.with_suffix(".tsv").name]
    for level in ("compat", "full"):
        assert judge(path, level).findings == ()


def test_the_same_entry_is_replaced_and_others_stay(tmp_path: Path) -> None:
    write(made(author="Charles"), tmp_path)
    write(made(), tmp_path)
    path = write(made(written=date(2026, 2, 1)), tmp_path)
    assert json.loads(path.read_bytes())["timestamp"] == "2026-02-01"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_pair_that_cannot_be_put_in_place_leaves_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match=r"cannot make the folder .* OUT="):
        write(made(), tmp_path / "file" / "train")
    taken = tmp_path / f"{made().stem}.tsv"
    taken.mkdir()
    with pytest.raises(EnvironmentProblem):
        write(made(), tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"file", taken.name}


# Numbers from the middle of what a run can have to far outside it.
evaluations_of_a_run = st.lists(
    st.tuples(st.floats(0.01, 3) | st.integers(1, 2), st.floats(1e-6, 1e4), st.integers(0, 10_000)), max_size=6
).map(
    lambda steps: [
        (sum(step[0] for step in steps[:n]), sum(step[1] for step in steps[:n]), steps[n - 1][2], 10_000)
        for n in range(1, len(steps) + 1)
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
word = st.text(min_size=1, max_size=20)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    evaluations=evaluations_of_a_run.map(lambda rows: [*rows, (1e3, 1e5, 9400, 10_000)])
    | st.lists(st.tuples(st.floats(), st.floats(), st.integers(), st.integers())),
    facts=st.builds(
        Facts,
        framework=word,
        model=word,
        dataset_state=st.sampled_from(["canonical", "unverified"]),
        clock=word,
        seed=st.integers(0),
        selection=word,
        recipe=st.dictionaries(st.sampled_from(["name", "batch", "learning_rate", "nesterov"]), json_values),
        more=st.dictionaries(word, json_values, max_size=3),
        commit=st.none() | st.just(COMMIT),
    ),
    written=st.dates(),
    author=word,
    hardware=word,
    cost=st.none() | st.floats(),
    code=st.sampled_from([None, "https://github.com/owner/name", "http://localhost:1/x"]) | word,
)
def test_an_entry_is_refused_or_passes_the_full_level(
    tmp_path_factory: pytest.TempPathFactory,
    evaluations: list[tuple[float, float, int, int]],
    facts: Facts,
    written: date,
    author: str,
    hardware: str,
    cost: float | None,
    code: str | None,
) -> None:
    try:
        entry = from_record(
            evaluations,
            facts,
            written,
            author=author,
            email="ada@example.org",
            hardware=hardware,
            cost_per_hour=cost,
            code_url=code,
            allow_unverified_data=True,
        )
    except BenchError:
        return
    path = write(entry, tmp_path_factory.mktemp("train"))
    assert judge(path, "full").findings == ()
    first = next(row for row in evaluations if row[2] >= 9400)
    written_rows = [line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines()[1:]]
    crossing = next(row for row in written_rows if float(row[2]) >= 94)
    assert float(crossing[1]) * 3600 == pytest.approx(first[1], abs=2e-7)
    assert Decimal(crossing[2]) * 100 == first[2]


@settings(max_examples=50)
@given(evaluations=evaluations_of_a_run)
def test_a_run_that_can_be_is_refused_for_missing_94_alone(evaluations: list[tuple[float, float, int, int]]) -> None:
    if any(row[2] >= 9400 for row in evaluations):
        made(evaluations)
    else:
        with pytest.raises(Refused, match="never reached"):
            made(evaluations)


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
