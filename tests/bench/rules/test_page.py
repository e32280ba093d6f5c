"""The page of the rules says what the list says."""

from __future__ import annotations

from pathlib import Path

from bench.rules import RULE_LIST, RULES
from bench.rules.page import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rules.md"


def test_the_page_is_made_from_the_list() -> None:
    assert PAGE.read_text() == page()


def test_every_rule_is_on_the_page_once_and_the_version_is_in_its_title() -> None:
    text = page()
    assert [text.count(f"| `{rule.name}` |") for rule in RULE_LIST] == [1] * len(RULE_LIST)
    assert text.startswith(f"# The rules, version {RULES}\n")
