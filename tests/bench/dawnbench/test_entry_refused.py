"""Runs, claims and facts that make no entry."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal

import pytest

from bench.dawnbench.entry import MAX_HOURS, Row, to_json
from bench.dawnbench.pair import MAX_BYTES
from bench.errors import DataError, Refused, UsageError
from tests.bench.dawnbench.entries import made


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
        ("HARDWARE", "hardware", "a fast machine"),
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
    with pytest.raises(DataError, match="without a version"):
        made(framework="tensorflow")


def test_an_address_of_code_without_a_commit_needs_one_that_the_runs_know() -> None:
    address = "https://example.org/owner/name"
    assert json.loads(to_json(made(code_url=address)))["codeURL"] == address
    with pytest.raises(UsageError, match=r"^CODE_URL="):
        made(code_url=address, commit=None)
    assert made(code_url=f"{address}/0123abc", commit=None).code_url == f"{address}/0123abc"


def test_a_price_without_a_provider_is_told_to_be_the_authors() -> None:
    assert "costSource" not in made().misc
    assert made(hardware="1 V100").misc["costSource"].startswith("as the author states it")  # type: ignore[attr-defined]
    assert "costSource" not in made(hardware="1 V100", cost_per_hour=None).misc


def test_an_entry_that_no_reader_would_take_is_refused() -> None:
    with pytest.raises(DataError, match=r"\.json would have"):
        made(more={"log": "x" * MAX_BYTES})
    with pytest.raises(DataError, match=r"\.tsv would have"):
        made([(epoch, 1.0 + epoch, 9400, 10_000) for epoch in range(50_000)])
