"""SEEDS: a count or a list, or a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.campaign.seeds import parse
from bench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", (0, 1, 2, 3, 4)),
        ("1", (0,)),
        ("0,3", (0, 3)),
        ("3,0", (3, 0)),
        ("3,", (3,)),
        (" 7 , 2 ", (7, 2)),
        ("1000", tuple(range(1000))),
    ],
)
def test_seeds_are_a_count_or_a_list(text: str, seeds: tuple[int, ...]) -> None:
    assert parse(text) == seeds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0,0", "has seed 0 twice"),
        ("1,2,01", "has seed 1 twice"),
        (",", "'', which is not a whole number"),
        ("", "'', which is not a whole number"),
        ("five", "'five', which is not a whole number"),
        ("-1", "'-1', which is not a whole number"),
        ("1.5", "'1.5', which is not a whole number"),
        ("0-3", "'0-3', which is not a whole number"),
        ("0,2147483648", "'2147483648', which is not a whole number"),
        ("٣", "'٣', which is not a whole number"),
        ("0", "is not between"),
        ("1001", "between 1 and 1000"),
        ("9999999999999999999999", "not a whole number"),
    ],
)
def test_nonsense_in_seeds_is_told_with_an_example(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text)

    assert says in str(error.value)
    assert "type a count, SEEDS=5, or a list, SEEDS=0,3" in error.value.advice


@given(st.text(alphabet="0123456789,- .x٣"))
def test_any_text_is_seeds_or_a_sentence(text: str) -> None:
    try:
        seeds = parse(text)
    except UsageError:
        return
    assert 0 < len(seeds) == len(set(seeds)) <= 1000
    assert min(seeds) >= 0
