"""What a person says of themselves and their machine, and what cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.dawnbench import claims
from bench.errors import UsageError

GOOD: dict[str, Any] = {
    "author": "Ada Lovelace",
    "email": "ada@example.org",
    "hardware": "1 V100",
    "cost_per_hour": 3.06,
    "code_url": "https://example.org/code",
}


def test_good_claims_and_claims_not_given_are_let_through() -> None:
    claims.check(**GOOD)
    claims.check()
    claims.check(email="ada@example.org, charles@example.org", cost_per_hour=3)
    claims.check(author="Zoë d'Ångström 王", hardware="1\xa0V100")


@pytest.mark.parametrize(
    ("variable", "name", "value"),
    [
        ("AUTHOR", "author", ""),
        ("AUTHOR", "author", " \n"),
        ("AUTHOR", "author", 7),
        ("AUTHOR", "author", "Ada\nLovelace"),
        ("AUTHOR", "author", "Ada \x1b[31mLovelace"),
        ("HARDWARE", "hardware", "1 V100 \udcff"),
        ("EMAIL", "email", ""),
        ("EMAIL", "email", "ada"),
        ("EMAIL", "email", "@example.org"),
        ("EMAIL", "email", "ada@"),
        ("EMAIL", "email", "ada@example.org,"),
        ("EMAIL", "email", "ada@example.org charles@example.org"),
        ("HARDWARE", "hardware", ""),
        ("COST_PER_HOUR", "cost_per_hour", -1.0),
        ("COST_PER_HOUR", "cost_per_hour", 0),
        ("COST_PER_HOUR", "cost_per_hour", math.nan),
        ("COST_PER_HOUR", "cost_per_hour", math.inf),
        ("COST_PER_HOUR", "cost_per_hour", "3.06"),
        ("COST_PER_HOUR", "cost_per_hour", True),
        ("CODE_URL", "code_url", ""),
        ("CODE_URL", "code_url", "github.com/owner/name"),
        ("CODE_URL", "code_url", "ftp://example.org/code"),
        ("CODE_URL", "code_url", "https://"),
        ("CODE_URL", "code_url", "https://["),
        ("CODE_URL", "code_url", "https://example.org/my code"),
    ],
)
def test_a_claim_that_cannot_be_names_its_variable_and_what_to_type(variable: str, name: str, value: object) -> None:
    with pytest.raises(UsageError) as error:
        claims.check(**{**GOOD, name: value})
    assert error.value.message.startswith(f"{variable}=")
    assert f"{variable}=" in error.value.advice


def test_the_examples_are_good_claims() -> None:
    examples = dict(each.split("=", 1) for each in claims.missing())
    assert list(examples) == ["AUTHOR", "EMAIL", "HARDWARE"]
    claims.check(author=examples["AUTHOR"], email=examples["EMAIL"], hardware=examples["HARDWARE"])


def test_only_what_was_not_given_is_missing() -> None:
    assert claims.missing(author="Ada", hardware="1 V100") == ("EMAIL=ada@example.org",)
    assert claims.missing(author="Ada", email="ada@example.org", hardware="1 V100") == ()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name/tree/0123abc"),
        ("https://github.com/owner/name/", "https://github.com/owner/name/tree/0123abc"),
        ("https://github.com/owner/name.git", "https://github.com/owner/name/tree/0123abc"),
        ("https://gitlab.com/owner/name", "https://gitlab.com/owner/name/-/tree/0123abc"),
        # Already says which files, or a host whose addresses are not known here: the person knows better.
        ("https://github.com/owner/name/tree/v1.0", "https://github.com/owner/name/tree/v1.0"),
        ("https://github.com/owner", "https://github.com/owner"),
        ("https://example.org/owner/name", "https://example.org/owner/name"),
        ("https://github.com/owner/name?tab=readme", "https://github.com/owner/name?tab=readme"),
    ],
)
def test_the_address_of_a_bare_repository_is_pinned_to_the_commit(given: str, wanted: str) -> None:
    assert claims.pinned(given, "0123abc") == wanted


def test_without_a_commit_no_address_is_pinned() -> None:
    assert claims.pinned("https://github.com/owner/name", None) == "https://github.com/owner/name"
